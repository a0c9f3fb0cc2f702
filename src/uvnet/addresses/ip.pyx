"""IP addresses as text, as bytes in network order, and as numbers.

The one parser of addresses: what is_ip() accepts, what a block list compares and what goes into a struct
sockaddr is the same on every system.  inet_pton() is not: on some it takes leading zeros or a zone.
Node: "net.isIP(input)"; rule 5.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_GET_LENGTH
from libc.stdint cimport uint64_t
from libc.string cimport memmove, memset

from ipaddress import IPv4Address, IPv6Address


cdef extern from "<arpa/inet.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        INET6_ADDRSTRLEN
    const char *inet_ntop(int family, const void *address, char *text, unsigned int size)

cdef tuple _ADDRESS_TYPES = (IPv4Address, IPv6Address)


def is_ip(value):
    """4 for an IPv4 address, 6 for an IPv6 address, 0 for anything else (int).

    `value` is a str, bytes or a bytearray that holds the text, or an IPv4Address or IPv6Address of
    `ipaddress`; any other type is no address.  Never raises.  Node: "net.isIP(input)".
    """
    return _family(value)


def is_ipv4(value):
    """Whether the text of `value` is an IPv4 address in dotted decimal, without leading zeros (bool).

    Takes what is_ip() takes.  Node: "net.isIPv4(input)".
    """
    return _family(value) == 4


def is_ipv6(value):
    """Whether the text of `value` is an IPv6 address, a %zone allowed (bool).

    Takes what is_ip() takes.  Node: "net.isIPv6(input)".
    """
    return _family(value) == 6


def text_of(value):
    """The text of a host or an IP address: of a str itself (never a subclass), or of an address of `ipaddress`.

    None for anything else.
    """
    if isinstance(value, str):
        return str.__str__(value)
    return str(value) if isinstance(value, _ADDRESS_TYPES) else None


cdef int _family(object value):
    if isinstance(value, str):
        if not PyUnicode_IS_ASCII(value):
            return 0
        return _family_of(PyUnicode_1BYTE_DATA(value), PyUnicode_GET_LENGTH(value))
    if isinstance(value, bytes):
        return _family_of(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
    if isinstance(value, bytearray):
        return _family_of(PyByteArray_AS_STRING(value), PyByteArray_GET_SIZE(value))
    # Node takes the text of any object; what is no address in Python's eyes is none here.
    return _family(str(value)) if isinstance(value, _ADDRESS_TYPES) else 0


cdef int _family_of(const char *text, Py_ssize_t length) noexcept:
    cdef unsigned char address[16]
    cdef Py_ssize_t end = 0
    cdef int family = parse_ip(text, length, address, &end)
    if family == 6 and end != length and not is_zone(text + end, length - end):
        return 0
    return family


cdef int parse_ip(const char *text, Py_ssize_t length, unsigned char *address, Py_ssize_t *end) noexcept nogil:
    """4, 6 or 0 for an IPv4 address, an IPv6 address, or neither (rules 5.2 and 5.3).

    `address` has room for 16 bytes.  `end` is where the address ends: at `length`, or at the "%" of a zone,
    of which nothing is looked at here.
    """
    if _parse_ipv4(text, length, address):
        end[0] = length
        return 4
    end[0] = _parse_ipv6(text, length, address)
    return 6 if end[0] else 0


cdef int parse_ip_str(str text, unsigned char *address, Py_ssize_t *end) noexcept:
    """parse_ip() of a str, which is no address with anything but ASCII in it."""
    if text is None or not PyUnicode_IS_ASCII(text):
        return 0
    return parse_ip(PyUnicode_1BYTE_DATA(text), PyUnicode_GET_LENGTH(text), address, end)


cdef bint is_zone(const char *text, Py_ssize_t length) noexcept nogil:
    """Whether it is a "%" and a zone (rule 5.4)."""
    cdef Py_ssize_t position
    cdef char letter
    if length < 2 or text[0] != c"%":
        return False
    for position in range(1, length):
        letter = text[position]
        if not (
            c"a" <= letter | 0x20 <= c"z"
            or c"0" <= letter <= c"9"
            or letter == c"-"
            or letter == c"."
            or letter == c":"
        ):
            return False
    return True


cdef bint _parse_ipv4(const char *text, Py_ssize_t length, unsigned char *address) noexcept nogil:
    """Four octets without leading zeros, from the first to the last character."""
    cdef Py_ssize_t position = 0
    cdef unsigned int octet, value, digit
    for octet in range(4):
        if octet:
            if position == length or text[position] != c".":
                return False
            position += 1
        if position == length:
            return False
        value = <unsigned int>text[position] - c"0"
        if value > 9:
            return False
        position += 1
        # A leading zero stands alone.
        while value and position < length:
            digit = <unsigned int>text[position] - c"0"
            if digit > 9:
                break
            value = value * 10 + digit
            if value > 255:
                return False
            position += 1
        address[octet] = <unsigned char>value
    return position == length


cdef Py_ssize_t _parse_ipv6(const char *text, Py_ssize_t length, unsigned char *address) noexcept nogil:
    """The number of characters of an address that ends at the end or at a "%"; 0 for anything else."""
    cdef Py_ssize_t position = 0, start
    cdef int groups = 0, gap = -1, after
    cdef unsigned int value, digit
    if length >= 2 and text[0] == c":" and text[1] == c":":
        gap = 0
        position = 2
    while position < length and text[position] != c"%":
        if groups == 8:
            return 0
        start = position
        value = 0
        while position < length:
            digit = _hex_digit(text[position])
            if digit > 15:
                break
            if position - start == 4:
                return 0
            value = value << 4 | digit
            position += 1
        if position == start:
            return 0
        if position < length and text[position] == c".":
            while position < length and text[position] != c"%":
                position += 1
            if groups > 6 or not _parse_ipv4(text + start, position - start, address + 2 * groups):
                return 0
            groups += 2
            break
        address[2 * groups] = <unsigned char>(value >> 8)
        address[2 * groups + 1] = <unsigned char>value
        groups += 1
        if position == length or text[position] == c"%":
            break
        if text[position] != c":":
            return 0
        position += 1
        if position == length or text[position] == c"%":
            return 0
        if text[position] == c":":
            if gap >= 0:
                return 0
            gap = groups
            position += 1
    if gap < 0:
        return position if groups == 8 else 0
    if groups == 8:
        return 0
    after = groups - gap
    memmove(address + 16 - 2 * after, address + 2 * gap, 2 * after)
    memset(address + 2 * gap, 0, 16 - 2 * groups)
    return position


cdef inline unsigned int _hex_digit(char letter) noexcept nogil:
    """The value of a hexadecimal digit, and more than 15 for anything else."""
    cdef unsigned int digit = <unsigned int>letter - c"0"
    if digit <= 9:
        return digit
    digit = (<unsigned int>letter | 0x20) - c"a"
    return digit + 10 if digit <= 5 else 16


cdef str format_ip(int family, const unsigned char *address):
    """The text of an address of `family` 4 or 6 in its canonical form (rule 4.11)."""
    cdef char text[INET6_ADDRSTRLEN]
    inet_ntop(AF_INET if family == 4 else AF_INET6, address, text, sizeof(text))
    return text.decode("ascii")


cdef Key key_of(int family, const unsigned char *address) noexcept nogil:
    """The number of an address of `family` 4 or 6."""
    cdef Key key
    if family == 4:
        key.high = 0
        key.low = <uint64_t>0xffff << 32 | _number(address, 4)
    else:
        key.high = _number(address, 8)
        key.low = _number(address + 8, 8)
    return key


cdef str format_key(int family, Key key):
    """format_ip() of a number."""
    cdef unsigned char address[16]
    cdef int index
    for index in range(8):
        address[index] = <unsigned char>(key.high >> (56 - 8 * index))
        address[8 + index] = <unsigned char>(key.low >> (56 - 8 * index))
    return format_ip(family, &address[12 if family == 4 else 0])


cdef inline uint64_t _number(const unsigned char *address, int length) noexcept nogil:
    cdef uint64_t number = 0
    cdef int index
    for index in range(length):
        number = number << 8 | address[index]
    return number
