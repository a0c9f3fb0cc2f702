# IP addresses as text, as bytes in network order, and as numbers.

from libc.stdint cimport uint64_t

cdef extern from *:
    bint PyUnicode_IS_ASCII(object text)
    char *PyUnicode_1BYTE_DATA(object text)

# An address as a number of 128 bits.  An IPv4 address is the number of its IPv4-mapped IPv6 address.
cdef struct Key:
    uint64_t high
    uint64_t low

cdef int parse_ip(const char *text, Py_ssize_t length, unsigned char *address, Py_ssize_t *end) noexcept nogil
cdef int parse_ip_str(str text, unsigned char *address, Py_ssize_t *end) noexcept
cdef bint is_zone(const char *text, Py_ssize_t length) noexcept nogil
cdef str format_ip(int family, const unsigned char *address)

cdef Key key_of(int family, const unsigned char *address) noexcept nogil
cdef str format_key(int family, Key key)

cdef inline bint key_before(Key a, Key b) noexcept nogil:
    return a.high < b.high or (a.high == b.high and a.low < b.low)

cdef inline bint key_equals(Key a, Key b) noexcept nogil:
    return a.high == b.high and a.low == b.low

cdef inline bint key_is_mapped(Key key) noexcept nogil:
    """Whether it is an IPv4 address, or an IPv6 address that stands for one."""
    return key.high == 0 and key.low >> 32 == 0xffff
