"""Options of the system's sockets, by their numbers.  Which there are, and what their names are, others know."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport errno

from uvnet.errors.system cimport system_error

cdef extern from "<sys/socket.h>" nogil:
    int getsockopt(int descriptor, int level, int number, void *value, unsigned int *length)
    int setsockopt(int descriptor, int level, int number, const void *value, unsigned int length)

cdef enum:
    MOST_BYTES = 1024        # of an option; as many as Python's sockets take


cdef object get_option(int descriptor, int level, int number, object size):
    """The value: an int, or where `size` is no None at most so many bytes.  Raises OSError."""
    cdef char buffer[MOST_BYTES]
    cdef int value = 0
    cdef unsigned int length = sizeof(value)
    if size is None:
        if getsockopt(descriptor, level, number, &value, &length) < 0:
            raise system_error(-errno, "getsockopt")
        return value
    length = size
    if getsockopt(descriptor, level, number, buffer, &length) < 0:
        raise system_error(-errno, "getsockopt")
    return buffer[:length]


cdef int set_option(int descriptor, int level, int number, object value, object named=None) except -1:
    """Set an int, or the bytes of something bytes-like.  Raises OSError, which says what it was `named`."""
    cdef Py_buffer view
    cdef int integer
    cdef int status
    if isinstance(value, int):
        integer = value
        status = -errno if setsockopt(descriptor, level, number, &integer, sizeof(integer)) < 0 else 0
    else:
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        status = -errno if setsockopt(descriptor, level, number, view.buf, <unsigned int>view.len) < 0 else 0
        PyBuffer_Release(&view)
    if status < 0:
        detail = None if named is None else f"({named})"
        raise system_error(status, "setsockopt", None, None, False, None, None, detail)
    return 0


def set_named_options(int descriptor, options):
    """Set each (name, level, number, value).  Raises OSError."""
    for name, level, number, value in options:
        set_option(descriptor, level, number, value, name)
