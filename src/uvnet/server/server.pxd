from uvnet.server.acceptor cimport Acceptor

cdef class Server(Acceptor):
    cdef object _lookup                  # a token for the look-up of listen(host) under way
    cdef object _shutdown_timeout        # seconds, or None
    cdef dict _system_options            # SystemOption by name: what accepted sockets inherit
    cdef object _refused                 # the error of an option that the system refuses to the socket, or None
    cdef str _path                       # of the Unix socket that is bound
    cdef object _inode                   # of the socket file, to unlink that one only

    cdef int _set_up(self, list descriptors, options, int *at) except? 1
    cdef object _listen_error(self, int status, object address=*, object port=*)
    cdef int _listen_tcp(self, tuple addresses, options, int *at) except? 1
    cdef int _listen_at(self, tuple addresses, options, int *at) except? 1
    cdef int _listen_on(self, list descriptors, options, list leases, int *at) except? 1
    cdef int _listen_on_file(self, bytes path, options) except? 1
    cdef int _take_from(self, object given) except -1
