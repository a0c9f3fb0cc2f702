"""Taking over a descriptor that somebody else opened, as a TCP or a Unix-socket handle."""

from libc.errno cimport ENOMEM

from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.handle cimport Handle
from uvnet._loop.record cimport LoopRecord
from uvnet._stream.pipe cimport Pipe, open_pipe
from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP, open_tcp
from uvnet._uv.table cimport UVNET_UV_NAMED_PIPE, UVNET_UV_POLL, UVNET_UV_TCP, uv, uv_poll_t

cdef extern from "<sys/socket.h>" nogil:
    enum:
        SO_TYPE
        SOL_SOCKET
    int getsockopt(int descriptor, int level, int option, void *value, unsigned int *length)


cdef class Probe(Handle):
    """Asks libuv about a descriptor."""


cdef Stream open_for(LoopRecord record, int descriptor, int *kind):
    """A handle of the kind that the descriptor asks for, to take() it with; None for one that is no stream.

    `kind` is set to libuv's handle type of the descriptor.
    """
    kind[0] = uv.guess_handle(descriptor)
    if kind[0] == UVNET_UV_TCP:
        return open_tcp(record)
    if kind[0] == UVNET_UV_NAMED_PIPE:
        return open_pipe(record)
    return None


cdef int may_be_taken(LoopRecord record, int descriptor) except? 1:
    """0, or the libuv error that take() would give: a handle of the loop has it, or it is closed.

    libuv: a poll handle is refused for the same reasons, and leaves the descriptor alone when it is closed.
    """
    cdef Probe probe = Probe.__new__(Probe)
    cdef int status
    probe.allocate(record, UVNET_UV_POLL)
    status = uv.poll_init(record.uv_loop, <uv_poll_t *>probe.uv_handle, descriptor)
    if status == 0:
        probe.opened(status, "uv_poll_init")
        probe.close()
    return status


cdef int take(Stream handle, int descriptor) noexcept:
    """Give the handle a descriptor, which it owns from now on; or a libuv error, and it stays the caller's."""
    cdef int type
    cdef unsigned int length = sizeof(type)
    if isinstance(handle, TCP):
        return (<TCP>handle).open(descriptor)
    handle.block.no_socket = getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0
    return (<Pipe>handle).open(descriptor)


cdef Stream stream_of(LoopRecord record, bint is_unix, int descriptor, int *status, bint closing=True):
    """A handle that has the descriptor; None, where `status` says why.

    Where there is none, or an exception, a descriptor that nobody else has is closed (`closing`).
    """
    cdef Stream handle = None
    try:
        handle = open_pipe(record) if is_unix else open_tcp(record)
        status[0] = take(handle, descriptor)
        if status[0] == 0:
            return handle
    except BaseException:
        status[0] = -ENOMEM
        raise
    finally:
        if status[0] < 0:
            if handle is not None:
                handle.close()
            if closing:
                close_descriptor(descriptor)
    return None
