from uvnet._loop.idle cimport IdleEntry
from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP
from uvnet.addresses.sockaddr cimport ip_name
from uvnet.socket.onread cimport BufferReader
from uvnet.socket.socket_parent cimport SocketParent
from uvnet.streams.duplex cimport Duplex
from uvnet.streams.readable cimport flag

cdef class Connection(Duplex):
    cdef Stream _handle                  # None while there is no connection, nor one to come
    cdef SocketParent _server            # the server that accepted it, or None
    cdef BufferReader _reader            # of the option onread, or None
    cdef IdleEntry *_idle                # NULL until set_timeout() is first used
    cdef unsigned int _parked_timeout    # milliseconds; fired without a handle, connect() starts it anew
    cdef ip_name _local_name             # once known
    cdef ip_name _remote_name
    cdef object _proxy_header            # what came before it, as a ProxyHeader, or None
    cdef unsigned long long _old_bytes_read       # of a handle that is gone
    cdef unsigned long long _old_bytes_written
    cdef unsigned int _closing           # handles whose 'close' is to come: of earlier lives, too
    cdef flag _connecting
    cdef flag _read_wanted               # data was asked for before there was a connection
    cdef flag _resetting                 # the handle is to be closed with RST
    cdef flag _unreferenced
    cdef flag _counted                   # in its server's number of connections

    # For Relaying, Socket and TLSSocket.
    cdef int _relay_ended(self, ssize_t nread) except -1
    cdef int _connect_done(self, Stream handle, int status) except -1
    cdef int _stop_connecting(self) except -1
    cdef int _secured(self, object error) except -1
    cdef int _ticket_came(self) except -1

    cdef int _emit_close(self, bint had_error, unsigned int life) except -1
    cdef int _let_go(self) except -1
    cdef int _shutdown_done(self, int status) except -1
    cdef int _capture_names(self) except -1
    cdef tuple _name(self, bint remote)
    cdef TCP _tcp(self)
    cdef inline void _touch(self) noexcept:
        if self._idle is not NULL:
            self._store_activity()
    cdef void _store_activity(self) noexcept
    cdef int _received_in_buffer(self, ssize_t nread) except -1
    cdef int _received(self, bytes chunk, ssize_t nread) except -1
