from uvnet._tls.engine cimport TLSEngine
from uvnet.socket.socket cimport Socket
from uvnet.streams.readable cimport flag

cdef class Negotiated(Socket):
    cdef TLSEngine _engine           # of the connection that is or was there; None before the first
    cdef object _authorization_error
    cdef flag _is_server
    cdef flag _secure_connecting
    cdef flag _secure                # the handshake is over
    cdef flag _authorized
