"""Connect requests, for TCP and Unix sockets alike."""

from libc.stdlib cimport free, malloc

from uvnet._loop.counters cimport counters
from uvnet._loop.threads cimport add_to
from uvnet._stream.stream cimport Stream
from uvnet._stream.writer cimport Writer, tell_owner
from uvnet._uv.table cimport UVNET_UV_CONNECT, uv, uv_connect_t


cdef uv_connect_t *begin_connect(Stream stream) except NULL:
    """A connect request for the stream; give it to uv_*_connect with on_connect, or to abort_connect()."""
    cdef uv_connect_t *request = <uv_connect_t *>malloc(uv.req_size(UVNET_UV_CONNECT))
    if request is NULL:
        raise MemoryError
    request.data = <void *>stream
    stream.block.connecting = True
    add_to(counters.requests, 1)
    return request


cdef void abort_connect(uv_connect_t *request) noexcept:
    """Take back a request that libuv refused."""
    (<Stream>request.data).block.connecting = False
    add_to(counters.requests, -1)
    free(request)


cdef void on_connect(uv_connect_t *request, int status) noexcept nogil:
    """The callback for the requests of begin_connect()."""
    _connected(request, status)


cdef void _connected(uv_connect_t *request, int status) noexcept with gil:
    cdef Stream self = <Stream>request.data
    abort_connect(request)
    tell_owner(self, _tell_connected, NULL, status)


cdef int _tell_connected(Writer self, object owner, void *what, ssize_t status) except -1:
    return self.events.on_connected(owner, self, <int>status)
