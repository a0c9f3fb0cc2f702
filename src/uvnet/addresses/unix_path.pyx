"""Paths of Unix sockets: which there can be, and what is said of one that cannot."""

from libc.errno cimport EINVAL

from uvnet.errors.system cimport system_error

cdef extern from "<sys/un.h>" nogil:
    struct sockaddr_un:
        char sun_path[108]


cdef object path_error(int status, str syscall, bytes path, str shown, str why=None):
    """The error for a path; one that is too long says so (decision 11), and one that is in use `why`."""
    cdef object detail = None if why is None else f"({why})"
    cdef Py_ssize_t limit = sizeof((<sockaddr_un *>NULL).sun_path) - 1
    if len(path) > limit:
        detail = f"(the path has {len(path)} bytes, a Unix socket's may have {limit})"
    listening = syscall == "listen"
    return system_error(status, syscall, shown, -1 if listening else None, listening, None, None, detail)


cdef int check_path(bytes path) noexcept:
    """0, or the libuv error for a path that no Unix socket can have."""
    cdef Py_ssize_t length = len(path)
    if length == 0 or length > <Py_ssize_t>(sizeof((<sockaddr_un *>NULL).sun_path) - 1):
        return -EINVAL
    if path[0] != 0 and 0 in path:
        return -EINVAL
    return 0
