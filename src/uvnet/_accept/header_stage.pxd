from uvnet._loop.handle cimport Intermediary
from uvnet._loop.idle cimport IdleEntry
from uvnet._stream.stream cimport Stream
from uvnet.addresses.sockaddr cimport sockaddr_storage

cdef class HeaderStage

# The header is there, or `error` says why it will not come; the stream has no owner any more.
ctypedef int (*header_event)(object owner, HeaderStage stage, object error) except -1

cdef class HeaderStage(Intermediary):
    cdef Stream stream
    cdef object owner
    cdef header_event on_header
    cdef sockaddr_storage remote     # of the connection; once the header is there, what that says
    cdef sockaddr_storage local      # what the header says
    cdef bint named                  # it says both
    cdef int _failure                # a libuv error that was met by looking, or 0
    cdef bint silent                 # the other end has gone without a word
    cdef IdleEntry _limit
    cdef Py_ssize_t _length          # bytes of the header that have come
    cdef Py_ssize_t _size            # bytes that it may have
    cdef char *_header
    cdef object header               # once it is there: a ProxyHeader

    cdef int let_go(self) noexcept
    cdef int _wanted(self, char **base, size_t *size) except -1
    cdef int _received(self, ssize_t nread) except -1
    cdef int _over(self, object error) except -1

cdef HeaderStage await_header(Stream stream, const sockaddr_storage *remote, unsigned int timeout, Py_ssize_t size,
                              object owner, header_event on_header)
