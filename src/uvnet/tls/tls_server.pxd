from uvnet.server.server cimport Server as PlainServer
from uvnet.socket.socket cimport Socket
from uvnet.tls.tls_socket cimport TLSSocket

cdef class Server(PlainServer):
    cdef object _secure_context
    cdef object _names               # contexts by the names that clients ask for
    cdef object _handshake_seconds

    cdef int _secure(self, TLSSocket socket) except -1
    cdef int _not_secure(self, TLSSocket socket, object error) except -1
