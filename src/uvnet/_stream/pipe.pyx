"""Unix-socket handles; libuv calls them pipes.

A path that starts with a NUL byte is an abstract name (Linux), of exactly the length given.
"""

from libc.errno cimport EAFNOSUPPORT

from uvnet._loop.record cimport LoopRecord
from uvnet._stream.connect_request cimport abort_connect, begin_connect, on_connect
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport UVNET_UV_NAMED_PIPE, uv, uv_connect_t
from uvnet.addresses.unix_path cimport check_path

cdef extern from "<sys/socket.h>" nogil:
    """
    #include <sys/un.h>
    #include <unistd.h>

    /* Who was at the other end when it connected; -1 where the system cannot tell. */
    static int uvnet_peer(int descriptor, long *pid, long *uid, long *gid)
    {
    #ifdef SO_PEERCRED
        struct ucred peer;
        socklen_t length = sizeof peer;
        if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid == 0)
            return -1;
        *pid = peer.pid;
        *uid = peer.uid;
        *gid = peer.gid;
    #else
        uid_t peer_uid;
        gid_t peer_gid;
        pid_t peer_pid = 0;
        if (getpeereid(descriptor, &peer_uid, &peer_gid) < 0)
            return -1;
    #ifdef LOCAL_PEERPID
        socklen_t length = sizeof peer_pid;
        getsockopt(descriptor, SOL_LOCAL, LOCAL_PEERPID, &peer_pid, &length);
    #endif
        *pid = peer_pid;
        *uid = peer_uid;
        *gid = peer_gid;
    #endif
        return 0;
    }
    """
    int peer "uvnet_peer" (int descriptor, long *pid, long *uid, long *gid)

cdef enum:
    # uv_pipe_connect2(): an over-long name is an error, not cut off.
    NO_TRUNCATE = 1


cdef class Pipe(Stream):
    """A Unix socket.  Results are 0 or a negative libuv error."""

    cdef int open(self, int descriptor) noexcept:
        """Take over a socket; the handle owns the descriptor on success only."""
        return uv.pipe_open(self.uv_pipe(), descriptor)

    cdef int connect(self, bytes path) except? 1:
        """Begin to connect; on_connected follows where the result is 0."""
        cdef uv_connect_t *request
        cdef int status = check_path(path)
        if status < 0:
            return status
        if uv.pipe_connect2 is NULL and path[0] == 0:
            return -EAFNOSUPPORT
        request = begin_connect(self)
        if uv.pipe_connect2 is NULL:
            uv.pipe_connect(request, self.uv_pipe(), path, on_connect)
            return 0
        status = uv.pipe_connect2(request, self.uv_pipe(), path, len(path), NO_TRUNCATE, on_connect)
        if status < 0:
            abort_connect(request)
        return status

    cdef tuple peer_credentials(self):
        """(pid, uid, gid) of the process at the other end when it connected, or None."""
        cdef int descriptor = self.fileno()
        cdef long pid
        cdef long uid
        cdef long gid
        if descriptor < 0 or peer(descriptor, &pid, &uid, &gid) < 0:
            return None
        return pid, uid, gid


cdef Pipe open_pipe(LoopRecord record):
    """A Unix-socket handle without a socket."""
    cdef Pipe self = Pipe.__new__(Pipe)
    self.allocate(record, UVNET_UV_NAMED_PIPE)
    self.opened(uv.pipe_init(record.uv_loop, self.uv_pipe(), 0), "uv_pipe_init")
    self.block.referenced = True
    return self
