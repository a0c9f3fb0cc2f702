from uvnet._core.stream cimport Stream

# A connection waits to be accepted (status 0), or accepting failed.
ctypedef int (*connection_event)(object owner, int status) except -1

cdef class Listener:
    cdef Stream stream
    cdef connection_event on_connection
    cdef int backlog

    cdef int listen(self, int backlog) noexcept
    cdef int accept(self, Stream client) noexcept

cdef Listener new_listener(Stream stream, connection_event on_connection)
