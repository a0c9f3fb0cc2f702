"""IP addresses as text, as bytes in network order, and as numbers.

The one parser of addresses: what is_ip() accepts, what a block list compares and what goes into a struct
sockaddr is the same on every system.  inet_pton() is not: on some it takes leading zeros or a zone.
"""

from cpython.unicode cimport PyUnicode_GET_LENGTH
from libc.stdint cimport uint64_t
from libc.string cimport memmove, memset


cdef extern from "<arpa/inet.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        INET6_ADDRSTRLEN
    const char *inet_ntop(int family, const void *address, char *text, unsigned int size)


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
