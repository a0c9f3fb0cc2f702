"""Limits: which connections a server takes, and how long each may stay.

What is asked before a connection is taken costs a look into a table.  How those that were taken behave is looked at a
few times in each period: their own counters tell it, so a message costs nothing.  This is not in Node.
"""

from libc.stdint cimport uint64_t

from uvnet._accept.hosts cimport Host, Hosts, fill, take_token
from uvnet._accept.listener cimport (
    ALLOW_LIST,
    FIRST_DATA,
    HOST_LIMIT,
    HOST_RATE,
    IDLE,
    LIFETIME,
    NOT_DROPPED,
    RECEIVE_RATE,
    SERVER_RATE,
    TOTAL_BUFFERED,
    DropReason,
)
from uvnet._loop.handle cimport HANDLE_OPEN, HandleBlock
from uvnet._loop.idle cimport IdleTimers, idle_timers_of
from uvnet._stream.stream cimport Admission, Stream
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.blocklist cimport BlockList

cdef enum:
    LOOKS = 4                # in the shortest time limit
    SHORTEST_PERIOD = 20     # milliseconds
    LONGEST_PERIOD = 1000
    BUFFER_PERIOD = 100      # for what is queued, which grows fast
    RATE_WINDOW = 5000       # in which a connection that sends has to reach its rate


cdef class Admitted(Admission):
    """What is known of one connection."""

    cdef void over(self) noexcept:
        cdef Limits limits = self.limits
        cdef Host host = self.host
        if self.previous is not NULL:
            (<Admitted>self.previous).next = self.next
        else:
            limits.first = self.next
        if self.next is not NULL:
            (<Admitted>self.next).previous = self.previous
        self.previous = self.next = self.stream = NULL
        if host is not None:
            self.host = None
            try:
                limits.hosts.left(host)
            except MemoryError:
                # It is forgotten later.
                pass
        if limits.first is NULL and limits._entry.index:
            (<IdleTimers>limits.record.idle_timers).stop(&limits._entry)


cdef class Limits:
    """Those of one server, checked already."""

    def __init__(
        self, *, BlockList allow_list, hosts, double rate, double burst, uint64_t idle, uint64_t first_data,
        uint64_t lifetime, uint64_t receive_rate, uint64_t total_buffered,
    ):
        cdef uint64_t shortest = 0
        cdef uint64_t limit
        self.allow_list = allow_list
        if hosts is not None:
            self.hosts = Hosts(*hosts)
        fill(&self.bucket, rate, burst, 0)
        self.idle = idle
        self.first_data = first_data
        self.lifetime = lifetime
        self.receive_rate = receive_rate
        self.total_buffered = total_buffered
        for limit in (idle, first_data, lifetime, RATE_WINDOW if receive_rate else 0):
            if limit and (shortest == 0 or limit < shortest):
                shortest = limit
        if shortest:
            self.period = min(max(shortest // LOOKS, SHORTEST_PERIOD), LONGEST_PERIOD)
        if total_buffered:
            self.period = min(self.period or BUFFER_PERIOD, BUFFER_PERIOD)

    cdef DropReason judge(self, const sockaddr *remote) except *:
        """Whether the server takes a connection from there."""
        cdef DropReason reason = NOT_DROPPED if self.after_header else self.judge_host(remote)
        # Asked last: what one host does too often is not taken from the others.
        if reason == NOT_DROPPED and not take_token(&self.bucket, self.record.now()):
            return SERVER_RATE
        return reason

    cdef DropReason judge_host(self, const sockaddr *remote) except *:
        """Whether that host may connect, and have one more."""
        cdef uint64_t now = self.record.now()
        cdef Host host
        if self.allow_list is not None and not self.allow_list.check_sockaddr(remote):
            return ALLOW_LIST
        if self.hosts is None:
            return NOT_DROPPED
        host = self.hosts.find(remote, now)
        if host is None:
            return NOT_DROPPED
        if self.hosts.most >= 0 and host.connections >= self.hosts.most:
            return HOST_LIMIT
        if not take_token(&host.bucket, now):
            return HOST_RATE
        return NOT_DROPPED

    cdef int admit(self, Stream stream, const sockaddr *remote) except -1:
        """Hold a connection to the limits from now on."""
        cdef Admitted admitted
        cdef uint64_t now = self.record.now()
        if self.hosts is None and self.period == 0:
            return 0
        admitted = Admitted.__new__(Admitted)
        admitted.limits = self
        if self.hosts is not None:
            admitted.host = self.hosts.find(remote, now)
        if self.period and self._entry.index == 0:
            idle_timers_of(self.record).start(&self._entry, self, self.period, _on_look)
        # Nothing after it can fail.
        if admitted.host is not None:
            admitted.host.connections += 1
        admitted.stream = <void *>stream
        admitted.began = admitted.moved_at = admitted.window_began = now
        admitted.next = self.first
        if self.first is not NULL:
            (<Admitted>self.first).previous = <void *>admitted
        self.first = <void *>admitted
        stream.admission = admitted
        return 0

    cdef int look(self) except -1:
        """Close what is beyond a limit."""
        cdef Admitted admitted
        cdef Stream stream
        cdef void *each = self.first
        cdef uint64_t now = self.record.now()
        cdef uint64_t queued = 0
        cdef DropReason reason
        cdef list over = []
        cdef list waiting = []
        while each is not NULL:
            admitted = <Admitted>each
            each = admitted.next
            stream = <Stream>admitted.stream
            if stream.state != HANDLE_OPEN:
                continue
            reason = _look_at(self, admitted, stream.block, now)
            if reason != NOT_DROPPED:
                over.append((stream, <int>reason))
            elif self.total_buffered and stream.block.queued_bytes:
                queued += stream.block.queued_bytes
                waiting.append((stream.block.queued_bytes, id(stream), stream))
        if self.total_buffered and queued > self.total_buffered:
            waiting.sort()
            while queued > self.total_buffered:
                length, _, stream = waiting.pop()
                queued -= length
                over.append((stream, <int>TOTAL_BUFFERED))
        for stream, reason in over:
            # Who was told of one before it may have closed it, or the server.
            if stream.state == HANDLE_OPEN and stream.admission is not None:
                self.cut(self.owner, stream, reason)
        return 0


cdef DropReason judge(object limits, const sockaddr *remote) except *:
    return (<Limits>limits).judge(remote)


cdef DropReason _look_at(Limits limits, Admitted admitted, HandleBlock *block, uint64_t now) noexcept:
    cdef uint64_t moved = block.bytes_read + block.bytes_written
    cdef uint64_t received
    if moved != admitted.moved:
        admitted.moved = moved
        admitted.moved_at = now
    if limits.lifetime and now - admitted.began >= limits.lifetime:
        return LIFETIME
    if limits.first_data and block.bytes_read == 0 and now - admitted.began >= limits.first_data:
        return FIRST_DATA
    if limits.idle and now - admitted.moved_at >= limits.idle:
        return IDLE
    if limits.receive_rate and now - admitted.window_began >= RATE_WINDOW:
        received = block.bytes_read - admitted.window_read
        # One that says nothing is idle, and one that was answered gets on.
        if (received and block.bytes_written == admitted.window_written
                and received * 1000 < limits.receive_rate * (now - admitted.window_began)):
            return RECEIVE_RATE
        admitted.window_began = now
        admitted.window_read = block.bytes_read
        admitted.window_written = block.bytes_written
    return NOT_DROPPED


cdef int _on_look(object owner) except -1:
    cdef Limits self = <Limits>owner
    # Look again after the next period.
    self._entry.last = self.record.now()
    self.look()
    return 1
