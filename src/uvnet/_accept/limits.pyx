"""Limits: which connections a server takes, and how long each may stay.

What is asked before a connection is taken costs a look into a table.  How those that were taken behave is looked at a
few times in each period: their own counters tell it, so a message costs nothing.  This is not in Node.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc, qsort

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
from uvnet._loop.idle cimport idle_timers_of
from uvnet._loop.timer cimport open_timer
from uvnet._stream.stream cimport Admission, Stream
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.blocklist cimport BlockList

cdef enum:
    LOOKS = 4                # in the shortest time limit
    SHORTEST_PERIOD = 20     # milliseconds
    LONGEST_PERIOD = 1000
    BUFFER_PERIOD = 100      # for what is queued, which grows fast
    RATE_WINDOW = 5000       # in which a connection that sends has to reach its rate
    MOST_SPARES = 64
    SWEPT_AT_ONCE = 256      # slots of the table of hosts, in each look
    CUTS_AT_ONCE = 4         # before others get their turn: each may run a listener, and end a task

# What waits to be sent on one connection.
cdef struct Queue:
    size_t length
    void *admitted


cdef class Admitted(Admission):
    """What is known of one connection."""

    cdef void over(self) noexcept:
        cdef Limits limits = self.limits
        _unlink(self, &limits.cutting if limits.cutting is <void *>self else &limits.first)
        self.stream = NULL
        if self.host is not NULL:
            limits.hosts.left(self.host)
            self.host = NULL
        self.limits = None
        if limits.spares < MOST_SPARES:
            Py_INCREF(self)
            self.next = limits.spare
            limits.spare = <void *>self
            limits.spares += 1


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
        self.rate.rate = rate
        self.rate.burst = burst
        fill(&self.bucket, &self.rate, 0)
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

    def __dealloc__(self):
        while self.spare is not NULL:
            _take_spare(self)

    cdef DropReason judge(self, const sockaddr *remote) except *:
        """Whether the server takes a connection from there."""
        cdef DropReason reason = NOT_DROPPED if self.after_header else self.judge_host(remote)
        # Asked last: what one host does too often is not taken from the others.
        if reason == NOT_DROPPED and not take_token(&self.bucket, &self.rate, self.record.now()):
            return SERVER_RATE
        return reason

    cdef DropReason judge_host(self, const sockaddr *remote) except *:
        """Whether that host may connect, and have one more."""
        cdef uint64_t now = self.record.now()
        cdef Host *host
        if self.allow_list is not None and not self.allow_list.check_sockaddr(remote):
            return ALLOW_LIST
        if self.hosts is None:
            return NOT_DROPPED
        host = self.hosts.find(remote, now)
        if host is NULL:
            return NOT_DROPPED
        if self.hosts.most >= 0 and host.connections >= self.hosts.most:
            return HOST_LIMIT
        if not take_token(&host.bucket, &self.hosts.rate, now):
            return HOST_RATE
        return NOT_DROPPED

    cdef int admit(self, Stream stream, const sockaddr *remote) except -1:
        """Hold a connection to the limits from now on."""
        cdef Admitted admitted
        cdef Host *host = NULL
        cdef uint64_t now = self.record.now()
        if self.hosts is None and self.period == 0:
            return 0
        admitted = Admitted.__new__(Admitted) if self.spare is NULL else _take_spare(self)
        if self.period and self._entry.index == 0:
            idle_timers_of(self.record).start(&self._entry, self, self.period, _on_look)
        if self.hosts is not None:
            host = self.hosts.find(remote, now)
        # Nothing after it can fail.
        if host is not NULL:
            host.connections += 1
        admitted.limits = self
        admitted.host = host
        admitted.moved = 0
        admitted.window_read = admitted.window_written = 0
        admitted.stream = <void *>stream
        admitted.began = admitted.moved_at = admitted.window_began = now
        _link(admitted, &self.first)
        stream.admission = admitted
        return 0

    cdef int look(self) except -1:
        """Close what is beyond a limit: a few at once, the others in the next turns of the loop."""
        cdef uint64_t now = self.record.now()
        if self.hosts is not None:
            self.hosts.sweep(SWEPT_AT_ONCE, now)
        self._choose(now)
        return self._cut_some()

    cdef int _cut_some(self) except -1:
        cdef Admitted admitted
        cdef Stream stream
        cdef DropReason reason
        cdef int _each
        try:
            for _each in range(CUTS_AT_ONCE):
                if self.cutting is NULL:
                    break
                admitted = <Admitted>self.cutting
                stream = <Stream>admitted.stream
                reason = admitted.reason
                # Who is told may close it, the others, or the server: each is on its list no longer then.
                _move(admitted, &self.cutting, &self.first)
                if _is_beyond(self, admitted, stream, reason):
                    self.cut(self.owner, stream, reason)
        finally:
            # Also where who was told of one has raised.
            self._go_on()
        return 0

    cdef int _go_on(self) except -1:
        if self.cutting is not NULL:
            if self._turn is None:
                self._turn = open_timer(self.record, self, _on_turn)
            self._turn.start(0)
        elif self._turn is not None:
            self._turn.owner = None
            self._turn.close()
            self._turn = None
        return 0

    cdef void _choose(self, uint64_t now) noexcept:
        # Nothing here makes an object: garbage that is collected may close connections.
        cdef Admitted admitted
        cdef Stream stream
        cdef void *each
        cdef uint64_t queued = 0
        cdef size_t waiting = 0
        cdef size_t length
        cdef DropReason reason
        while self.cutting is not NULL:
            # Those whose turn has not come yet are chosen anew.
            _move(<Admitted>self.cutting, &self.cutting, &self.first)
        each = self.first
        while each is not NULL:
            admitted = <Admitted>each
            each = admitted.next
            stream = <Stream>admitted.stream
            if stream.state != HANDLE_OPEN:
                continue
            reason = _look_at(self, admitted, stream.block, now)
            if reason != NOT_DROPPED:
                self._to_be_cut(admitted, reason)
            elif self.total_buffered:
                length = stream.queued()
                queued += length
                waiting += length > 0
        if self.total_buffered and queued > self.total_buffered:
            self._choose_largest(waiting, queued)

    cdef void _choose_largest(self, size_t waiting, uint64_t queued) noexcept:
        cdef Queue *queues = <Queue *>malloc(waiting * sizeof(Queue))
        cdef Admitted admitted
        cdef void *each = self.first
        cdef size_t count = 0
        cdef size_t kept, place
        if queues is NULL:
            # Those who wait are asked again soon.
            return
        while each is not NULL:
            admitted = <Admitted>each
            each = admitted.next
            queues[count].length = (<Stream>admitted.stream).queued()
            if queues[count].length:
                queues[count].admitted = <void *>admitted
                count += 1
                if count == waiting:
                    break
        qsort(queues, count, sizeof(Queue), _compare)
        kept = count
        while queued > self.total_buffered and kept:
            kept -= 1
            queued -= queues[kept].length
        # The largest one comes to be the first.
        for place in range(kept, count):
            self._to_be_cut(<Admitted>queues[place].admitted, TOTAL_BUFFERED)
        free(queues)

    cdef void _to_be_cut(self, Admitted admitted, DropReason reason) noexcept:
        admitted.reason = reason
        _move(admitted, &self.first, &self.cutting)


cdef void _unlink(Admitted admitted, void **first) noexcept:
    if admitted.previous is not NULL:
        (<Admitted>admitted.previous).next = admitted.next
    else:
        first[0] = admitted.next
    if admitted.next is not NULL:
        (<Admitted>admitted.next).previous = admitted.previous
    admitted.previous = admitted.next = NULL


cdef void _link(Admitted admitted, void **first) noexcept:
    admitted.next = first[0]
    if admitted.next is not NULL:
        (<Admitted>admitted.next).previous = <void *>admitted
    first[0] = <void *>admitted


cdef void _move(Admitted admitted, void **source, void **sink) noexcept:
    _unlink(admitted, source)
    _link(admitted, sink)


cdef int _compare(const void *a, const void *b) noexcept nogil:
    cdef size_t left = (<const Queue *>a).length
    cdef size_t right = (<const Queue *>b).length
    return (left > right) - (left < right)


cdef Admitted _take_spare(Limits limits):
    cdef Admitted admitted = <Admitted>limits.spare
    limits.spare = admitted.next
    limits.spares -= 1
    admitted.next = NULL
    Py_DECREF(admitted)
    return admitted


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


cdef bint _is_beyond(Limits limits, Admitted admitted, Stream stream, DropReason reason) noexcept:
    """Whether one that was chosen in an earlier turn is beyond its limit still."""
    if stream.state != HANDLE_OPEN:
        return False
    if reason == TOTAL_BUFFERED:
        return stream.queued() > 0
    return _look_at(limits, admitted, stream.block, limits.record.now()) != NOT_DROPPED


cdef int _on_turn(object owner) except -1:
    return (<Limits>owner)._cut_some()


cdef int _on_look(object owner) except -1:
    cdef Limits self = <Limits>owner
    if self.first is NULL:
        # Until the next connection: it costs more to stop and to start than to look once in vain.
        return 0
    # Look again after the next period.
    self._entry.last = self.record.now()
    self.look()
    return 1
