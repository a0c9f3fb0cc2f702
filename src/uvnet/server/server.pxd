from uvnet._accept.listener cimport Lease
from uvnet.server.acceptor cimport Acceptor

cdef class Server(Acceptor):
    cdef object _lookup                  # a token for the look-up of listen(host) under way
    cdef object _shutdown_timeout        # seconds, or None
    cdef dict _system_options            # SystemOption by name: what accepted sockets inherit
    cdef object _refused                 # the error of an option that the system refuses to the socket, or None
    cdef str _path                       # of the Unix socket that is bound
    cdef object _inode                   # of the socket file, to unlink that one only

    cdef int _set_up(self, int descriptor, int family, options) except? 1
    cdef object _listen_error(self, int status, object address=*, object port=*)
    cdef int _listen_tcp(self, str address, options) except? 1
    cdef int _listen_on(self, int descriptor, int family, options, Lease lease=*) except? 1
