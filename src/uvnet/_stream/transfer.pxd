# Receiving and sending without libuv, inline wherever a message passes.
#
# recv(2) and send(2) are a quicker way into the kernel than libuv's read(2) and write(2), and a call from one
# extension module into another is one that the processor cannot foresee right after a system call.

from libc.errno cimport EAGAIN, EBADF, EINTR, ENOBUFS, errno

from uvnet._loop.handle cimport HandleBlock
from uvnet._uv.table cimport UVNET_UV_EOF, uv, uv_buf_t, uv_handle_t, uv_stream_t

cdef extern from "<sys/socket.h>" nogil:
    """
    /* A descriptor that was taken over may be somebody else's by now, who has it block. */
    enum { UVNET_RECEIVE_FLAGS = MSG_DONTWAIT };
    #ifdef MSG_NOSIGNAL
    enum { UVNET_SEND_FLAGS = MSG_NOSIGNAL | MSG_DONTWAIT };
    #else
    enum { UVNET_SEND_FLAGS = MSG_DONTWAIT };     /* libuv sets SO_NOSIGPIPE */
    #endif
    """
    enum:
        RECEIVE_FLAGS "UVNET_RECEIVE_FLAGS"
        SEND_FLAGS "UVNET_SEND_FLAGS"
    ssize_t recv(int descriptor, void *buffer, size_t length, int flags)
    ssize_t send(int descriptor, const void *buffer, size_t length, int flags)


cdef enum:
    NO_DESCRIPTOR = 0x7FFFFFFF     # a number that stands for nothing, of a handle that has lost its descriptor


cdef inline int descriptor_of(HandleBlock *block) noexcept nogil:
    """The descriptor of an open stream's block, or a libuv error."""
    cdef int status
    if block.descriptor < 0:
        status = uv.fileno(<uv_handle_t *>(block + 1), &block.descriptor)
        if status < 0:
            return status
    return block.descriptor


cdef inline ssize_t receive_now(HandleBlock *block, char *buffer, size_t size) noexcept nogil:
    """Bytes read into `buffer`, UV_EOF, or another libuv error."""
    cdef int descriptor = descriptor_of(block)
    cdef ssize_t received
    if descriptor < 0:
        return descriptor
    if size == 0:
        return -ENOBUFS
    while True:
        received = recv(descriptor, buffer, size, RECEIVE_FLAGS)
        if received > 0:
            block.bytes_read += received
            return received
        if received == 0:
            return UVNET_UV_EOF
        if errno != EINTR:
            return -errno


cdef inline ssize_t send_now(HandleBlock *block, const uv_buf_t *buffers, unsigned int count) noexcept nogil:
    """Bytes of the buffers that the system took, or a libuv error; UV_EAGAIN where it takes none now."""
    cdef int descriptor
    cdef ssize_t sent
    if count == 1 and not block.no_socket:
        descriptor = descriptor_of(block)
        if descriptor < 0:
            return descriptor
        while True:
            sent = send(descriptor, buffers.base, buffers.len, SEND_FLAGS)
            if sent >= 0:
                return sent
            if errno != EINTR:
                break
        if errno == ENOBUFS:
            return -EAGAIN
        return -errno
    if block.descriptor == NO_DESCRIPTOR:
        return -EBADF
    return uv.try_write(<uv_stream_t *>(block + 1), buffers, count)
