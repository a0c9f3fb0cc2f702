"""Taking over a descriptor that somebody else opened, as a TCP or a Unix-socket handle."""

from libc.errno cimport EINVAL

from uvnet._core.pipe cimport Pipe, open_pipe
from uvnet._core.record cimport LoopRecord
from uvnet._core.stream cimport Stream
from uvnet._core.tcp cimport TCP, open_tcp
from uvnet._uv.table cimport UVNET_UV_NAMED_PIPE, UVNET_UV_TCP, uv

cdef extern from "<sys/socket.h>" nogil:
    enum:
        SO_TYPE
        SOL_SOCKET
    int getsockopt(int descriptor, int level, int option, void *value, unsigned int *length)


cdef Stream adopt(LoopRecord record, int descriptor, int *kind, int *status):
    """The handle that owns `descriptor` from now on, or None; then the descriptor stays the caller's.

    `kind` is set to libuv's handle type of the descriptor, `status` to 0 or a libuv error (UV_EINVAL for
    a descriptor that is neither).
    """
    cdef Stream handle
    cdef int type
    cdef unsigned int length = sizeof(type)
    kind[0] = uv.guess_handle(descriptor)
    if kind[0] == UVNET_UV_TCP:
        handle = open_tcp(record)
        status[0] = (<TCP>handle).open(descriptor)
    elif kind[0] == UVNET_UV_NAMED_PIPE:
        handle = open_pipe(record)
        status[0] = (<Pipe>handle).open(descriptor)
        handle.block.no_socket = getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) < 0
    else:
        status[0] = -EINVAL
        return None
    if status[0] < 0:
        handle.close()
        return None
    return handle
