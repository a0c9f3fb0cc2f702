from uvnet._loop.idle cimport IdleEntry
from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport Stream
from uvnet.addresses.sockaddr cimport ip_name, sockaddr_storage
from uvnet.transports.transport_options cimport TransportOptions

cdef enum:
    HIGH_WATER = 65536       # bytes: asyncio's default

cdef enum TransportState:
    TRANSPORT_NEW            # connection_made() is still to come
    TRANSPORT_MADE
    TRANSPORT_CLOSING        # close() was called: what was written goes out first
    TRANSPORT_LOST           # the handle is gone; connection_lost() is due, or has been

cdef class BaseTransport:
    # What every message needs lies together.
    cdef LoopRecord record
    cdef Stream _handle              # None once it is lost
    cdef IdleEntry *_limit           # the time without traffic, or to close; NULL until there is one
    cdef object _protocol
    cdef object _data_received       # of the protocol, while it has it
    cdef bint _is_method             # and of its class: it is to be given the protocol too
    cdef TransportState _state
    cdef bint _ended                 # write_eof() was called
    cdef bint _sends                 # a file: nobody else may write
    cdef TransportOptions _options
    cdef Py_ssize_t _high            # bytes
    cdef Py_ssize_t _low
    cdef readonly object _loop
    cdef object _context             # in which the protocol is called
    cdef BaseTransport _successor    # that TLS has put in its place, or None
    cdef object _server              # the TransportServer that accepted it, or None
    cdef object _given               # the socket.socket that the program gave, or None
    cdef object _socket              # what get_extra_info("socket") gives, made when first asked for
    cdef object __weakref__
    cdef bint _buffered              # the protocol says where each read goes
    cdef bint _reading               # pause_reading() is not in force
    cdef bint _may_read              # connection_made() and what follows it are over
    cdef bint _end_received
    cdef bint _protocol_paused       # pause_writing() was called
    cdef bint _has_more              # writelines() is not through
    cdef bint _unix
    cdef object _empty               # a future that waits for the system to have taken all, or None
    cdef object _lost_with           # what connection_lost() says
    cdef dict _transports            # of the loop, by their descriptors
    cdef int _descriptor
    cdef unsigned int _lost_writes
    cdef tuple _paths                # of a Unix socket that is lost: its own and the other one's
    cdef ip_name _local_name
    cdef ip_name _remote_name
    cdef object _proxy_header        # what came before the connection, as a ProxyHeader, or None

    cdef int set_up(self, LoopRecord record, object protocol, object context, TransportOptions options) except -1
    cdef int made(self) except -1
    cdef int start_reading(self) except -1
    cdef int remember_names(self, const sockaddr_storage *remote, const sockaddr_storage *local) noexcept
    cdef int attached(self) except -1
    cdef int _take_protocol(self, object protocol) except -1
    cdef int _lose(self, object error) except -1
    cdef int _call_soon_lost(self, object error) except -1
    cdef int _give_up(self) except -1
    cdef int _finish_maybe(self) except -1
    cdef int _fail(self, object error, str message) except -1
    cdef int _capture_names(self) noexcept
    cdef int _watch(self, unsigned int milliseconds) except -1
    cdef inline void _touch(self) noexcept:
        """There is traffic."""
        if self._limit is not NULL:
            self._limit.last = self.record.now()

    cdef int _stop_watching(self) noexcept
    cdef int _time_over(self) except -1
    # Of what is built on it.
    cdef bint _asks(self) noexcept
    cdef int _update_reading(self) noexcept
    cdef int _hand_over(self) except -1
    cdef Py_ssize_t _unsent(self) noexcept
    cdef int _wake_if_empty(self) except -1
