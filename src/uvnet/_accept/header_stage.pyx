"""HeaderStage: what owns an accepted connection until its PROXY header has come.

It looks before it takes: no byte behind the header is received, so the stream is handed on as if nothing had been
there.  The protocol is that of HAProxy's document "The PROXY protocol".
"""

from libc.errno cimport EAGAIN, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memchr, memcmp, memset

from uvnet._loop.handle cimport Handle, Intermediary
from uvnet._loop.idle cimport IdleTimers, idle_timers_of
from uvnet._stream.stream cimport Stream
from uvnet._stream.stream_events cimport StreamEvents, nothing_told
from uvnet._uv.table cimport UVNET_UV_EOF
from uvnet.addresses.sockaddr cimport parse_sockaddr, sockaddr_storage
from uvnet.errors.system cimport descriptor_lost, system_error

from uvnet._accept.proxy_protocol import SIGNATURE, ProxyProtocolError, parse_header
from uvnet.errors.codes import timed_out

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_DONTWAIT
        MSG_PEEK
    ssize_t recv(int descriptor, void *buffer, size_t length, int flags)

cdef enum:
    SIGNATURE_LENGTH = 12
    FIXED_LENGTH = 16        # of a binary header, in front of what it says the length of

cdef bytes _signature = SIGNATURE
assert len(SIGNATURE) == SIGNATURE_LENGTH


cdef class HeaderStage(Intermediary):
    """The owner of one such connection."""

    def __dealloc__(self):
        free(self._header)

    cdef object on_behalf_of(self):
        return self.owner

    cdef int let_go(self) noexcept:
        """Leave the stream to somebody else, without what was received; nothing is told."""
        cdef IdleTimers timers = <IdleTimers>self.stream.record.idle_timers
        self.owner = None
        if timers is not None:
            timers.stop(&self._limit)
        self.stream.renew()
        # Not the program's.
        self.stream.block.bytes_read = 0
        return 0

    cdef int _wanted(self, char **base, size_t *size) except -1:
        """Where the next piece of the header goes, and how long it is; an end or an error is met by reading."""
        cdef ssize_t seen = recv(
            self.stream.fileno(), self._header + self._length, self._size - self._length,
            MSG_PEEK | MSG_DONTWAIT,
        )
        if seen < 0 and errno != EAGAIN:
            # To be told once is all that the system does.
            self._failure = -errno
        base[0] = self._header + self._length
        size[0] = 1 if seen <= 0 else _belonging(self._header, self._length, self._length + seen)
        return 0

    cdef int _received(self, ssize_t nread) except -1:
        if nread == 0:
            return 0
        if nread < 0:
            self.silent = self._length == 0
            if self._failure:
                nread = self._failure
            return self._over(
                ProxyProtocolError("the PROXY header was cut short") if nread == UVNET_UV_EOF
                else system_error(<int>nread, "read")
            )
        self._length += nread
        if _is_binary(self._header, self._length) and self._length < min(_whole(self._header), self._size):
            # One by one its bytes are not worth a look.
            return 0
        header = failure = None
        try:
            header = parse_header(self._header[:self._length], self._size)
        except ProxyProtocolError as error:
            failure = error
        if failure is not None:
            return self._over(failure)
        if header is None:
            return 0
        self.header = header
        if header.source is not None and header.destination is not None:
            self.named = True
            parse_sockaddr(header.source[0], header.source[1], &self.remote)
            parse_sockaddr(header.destination[0], header.destination[1], &self.local)
        return self._over(None)

    cdef int _over(self, object error) except -1:
        """Hand the connection on, with an error that says why it is no good."""
        cdef object owner = self.owner
        if owner is None:
            return 0
        self.let_go()
        return self.on_header(owner, self, error)


cdef bint _is_binary(const char *header, Py_ssize_t length) noexcept:
    """The fixed part of a binary header is there."""
    return length >= FIXED_LENGTH and memcmp(header, <const char *>_signature, SIGNATURE_LENGTH) == 0


cdef Py_ssize_t _whole(const char *header) noexcept:
    return FIXED_LENGTH + (<unsigned char>header[14] << 8 | <unsigned char>header[15])


cdef size_t _belonging(const char *header, Py_ssize_t known, Py_ssize_t length) noexcept:
    """How many of the bytes behind those that are `known` belong to the header, by what is there of it."""
    cdef Py_ssize_t whole = length
    cdef const char *end
    if _is_binary(header, length):
        whole = _whole(header)
    elif memcmp(header, <const char *>_signature, min(length, SIGNATURE_LENGTH)) != 0:
        end = <const char *>memchr(header + known, b"\n", length - known)
        if end is not NULL:
            whole = end + 1 - header
    return min(length, whole) - known


cdef int _on_read(object owner, bytes chunk, ssize_t nread) except -1:
    return (<HeaderStage>owner)._received(nread)


cdef int _on_wanted(object owner, char **base, size_t *size) except -1:
    return (<HeaderStage>owner)._wanted(base, size)


cdef int _on_lost(object owner, Handle stream) except -1:
    return (<HeaderStage>owner)._over(descriptor_lost("read"))


cdef int _on_failed(object owner, Handle stream, object error) except -1:
    return (<HeaderStage>owner)._over(error)


cdef int _on_late(object owner) except -1:
    (<HeaderStage>owner)._over(timed_out("no PROXY header came in time"))
    return 0


cdef int _on_abandoned(object owner) except -1:
    """The loop is gone: no event will come."""
    (<HeaderStage>owner).owner = None
    return 0


# It neither writes nor relays, so nothing else is told.
cdef StreamEvents _events = nothing_told
_events.on_read = _on_read
_events.on_wanted = _on_wanted
_events.on_lost = _on_lost
_events.on_failed = _on_failed


cdef HeaderStage await_header(Stream stream, const sockaddr_storage *remote, unsigned int timeout, Py_ssize_t size,
                              object owner, header_event on_header):
    """Own a fresh stream until its header, of so many bytes at most, is there, for so many milliseconds at most."""
    cdef HeaderStage self = HeaderStage.__new__(HeaderStage)
    self._header = <char *>malloc(size)
    if self._header is NULL:
        raise MemoryError
    self._size = size
    memset(&self._limit, 0, sizeof(self._limit))
    self.stream = stream
    self.remote = remote[0]
    self.owner = owner
    self.on_header = on_header
    idle_timers_of(stream.record).start(&self._limit, self, timeout, _on_late)
    stream.owner = self
    stream.events = &_events
    stream.on_abandoned = _on_abandoned
    stream.block.referenced = True
    stream.ask_where(True)
    stream.read_start()
    return self
