"""CRC32C (Castagnoli), the checksum of PROXY headers.  RFC 3720, appendix B.4."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
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


def crc32c(data):
    """The checksum of bytes, as an int."""
    # No typed memoryview: Cython's code for these takes the compiler longer than any other module, and 150 KB.
    cdef Py_buffer view
    cdef uint32_t rest = 0xFFFFFFFF
    cdef Py_ssize_t index
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        for index in range(view.len):
            rest = (rest >> 8) ^ _table[(rest ^ (<const unsigned char *>view.buf)[index]) & 0xFF]
    finally:
        PyBuffer_Release(&view)
    return rest ^ 0xFFFFFFFF
