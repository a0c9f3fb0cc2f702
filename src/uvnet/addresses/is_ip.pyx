"""Which texts are IP addresses.  Node: "net.isIP(input)"; rule 5."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_GET_LENGTH

from uvnet._core.ip cimport PyUnicode_1BYTE_DATA, PyUnicode_IS_ASCII, is_zone, parse_ip

from ipaddress import IPv4Address, IPv6Address

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
