"""CRC32C (Castagnoli), the checksum of PROXY headers.  RFC 3720, appendix B.4."""

from libc.stdint cimport uint32_t

cdef uint32_t[256] _table


cdef void _fill() noexcept:
    cdef uint32_t value, rest
    cdef int _bit
    for value in range(256):
        rest = value
        for _bit in range(8):
            rest = (rest >> 1) ^ (0x82F63B78 if rest & 1 else 0)
        _table[value] = rest


_fill()


def crc32c(const unsigned char[::1] data not None):
    """The checksum of bytes, as an int."""
    cdef uint32_t rest = 0xFFFFFFFF
    cdef Py_ssize_t index
    for index in range(data.shape[0]):
        rest = (rest >> 8) ^ _table[(rest ^ data[index]) & 0xFF]
    return rest ^ 0xFFFFFFFF
