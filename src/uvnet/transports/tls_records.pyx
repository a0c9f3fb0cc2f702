"""Calling OpenSSL without the detour that ssl.SSLObject is, and reading many records at once."""

import ssl

from cpython.buffer cimport PyBUF_WRITE
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.ref cimport PyObject

cdef extern from "Python.h":
    # As they are in C: the object cannot be one of Cython's before it has its size.
    PyObject *allocate_bytes "PyBytes_FromStringAndSize" (const char *data, Py_ssize_t length) except NULL
    int resize_bytes "_PyBytes_Resize" (PyObject **chunk, Py_ssize_t length) except -1
    void Py_XDECREF(PyObject *chunk)

cdef object _WantRead = ssl.SSLWantReadError
cdef object _SSLObject = ssl.SSLObject


cdef object calls_of(object tls):
    """What has read(), write() and pending() as an SSLObject, which only hands them on, each by a frame of Python."""
    # A class of the program's own may do more.
    return getattr(tls, "_sslobj", None) or tls if type(tls) is _SSLObject else tls


cdef bytes read_records(object calls, object incoming, bint *ended):
    """What the next record says, or in one piece what many do that are in the MemoryBIO.

    `ended`: a close_notify came.  Raises what SSLObject.read() raises, SSLWantReadError only where there is nothing.
    """
    cdef PyObject *data
    cdef Py_ssize_t most = min(<Py_ssize_t>incoming.pending, MOST_TOGETHER)
    cdef Py_ssize_t done = 0
    cdef Py_ssize_t length
    # Only OpenSSL's own is known not to keep the memory.
    if most <= RECORD or isinstance(calls, _SSLObject):
        piece = calls.read(RECORD)
        ended[0] = not piece
        return piece
    data = allocate_bytes(NULL, most)
    try:
        memory = PyMemoryView_FromMemory(PyBytes_AS_STRING(<object>data), most, PyBUF_WRITE)
        try:
            while done < most and (done == 0 or incoming.pending):
                length = calls.read(most - done, memory[done:])
                if length == 0:
                    ended[0] = True
                    break
                done += length
        except _WantRead:
            if done == 0:
                raise
        finally:
            memory.release()
        resize_bytes(&data, done)
        return <bytes>data
    finally:
        Py_XDECREF(data)
