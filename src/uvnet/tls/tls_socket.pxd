from uvnet._loop.idle cimport IdleEntry
from uvnet._stream.stream cimport Stream
from uvnet._tls.engine cimport TLSEngine
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.socket.adopting cimport Adopting
from uvnet.socket.socket_parent cimport SocketParent
from uvnet.streams.readable cimport flag
from uvnet.tls.negotiated cimport Negotiated

cdef class TLSSocket(Negotiated):
    cdef object _security            # a Security; None of an accepted socket
    cdef object _handshake_seconds
    cdef object _peer                # (host, port) as connect() was given them, or None
    cdef IdleEntry _handshake        # the limit of its time
    cdef bytes _preface              # what is sent in front of the handshake, or None
    cdef object _session_told        # the id of the session that 'session' told last
    cdef flag _begun                 # the handshake
    cdef flag _parent_told           # that there will be no handshake

    cdef int _begin_handshake(self) except -1
    cdef int _set_engine(self, TLSEngine engine) except -1
    cdef int _stop_limit(self) except -1
    cdef int _judge(self) except -1
    cdef int _wrap(self, Adopting other, TLSEngine engine) except -1
    cdef bint _is_servers(self) noexcept
    cdef int _tell_parent(self, object error) except -1
    cdef int _tell_session(self) except -1
    cdef int _tls_failed(self, object error) except -1

cdef TLSSocket new_accepted_tls_socket(Stream stream, SocketParent server, const sockaddr_storage *remote,
                                       object context, object handshake_seconds)
