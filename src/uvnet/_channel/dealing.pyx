# cython: nonecheck=True
# What is here for plain Python may be called on an object that was not made by its function.
"""Dealing out: one process accepts connections, and others get them in turn, over the channel that each has.

Whoever deals keeps a connection open until it was taken, so that one that comes back, or that a dead process has not
taken, goes to another.  Node: "How it works", cluster.SCHED_RR.
"""

import sys
from collections import deque

from libc.errno cimport EPROTO
from libc.stdint cimport uint32_t
from libc.string cimport memcpy, memset

from uvnet._accept.drops import DropLog, OncePerSecond
from uvnet._accept.listener cimport DropReason, Lease, Listener, ListenerEvents, open_listener
from uvnet._channel.channel cimport Channel
from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.handle cimport Intermediary
from uvnet._loop.tick cimport report
from uvnet.addresses.sockaddr cimport copy_name, ip_name, sockaddr_storage
from uvnet.errors.system cimport descriptor_lost, system_error

from uvnet._loop.loop import running_record

cdef enum:
    MOST_OUTSTANDING = 128       # connections dealt to one process and not taken by it yet; they fit into one frame
    MOST_UNSENT = 16             # of those, the ones that wait for what was sent before to be taken
    LONGEST_NAME = 128

cdef str _byte_order = sys.byteorder
cdef bytes _taken = b"\1"
cdef bytes _back = b"\0"


cdef class Share:
    """What one process gets of the connections of a RoundRobin."""

    cdef bint is_free(self) noexcept:
        if not self.ready or self.leaving or len(self.outstanding) >= MOST_OUTSTANDING:
            return False
        return self.unsent < MOST_UNSENT or not self.is_awaited()

    cdef bint is_awaited(self) noexcept:
        """Whether the process has not taken all that was sent yet."""
        return len(self.outstanding) > self.unsent

    cdef int send(self) except -1:
        """Send what was dealt, in one frame.

        A process that is busy gets it when it has taken what was sent before: so there are as many in a frame as have
        come while it was, and few wait for a process that hangs.
        """
        cdef Py_ssize_t first = len(self.outstanding) - self.unsent
        cdef Py_ssize_t index
        cdef list descriptors = []
        cdef list parts = [_key_of(self.key)]
        if self.unsent == 0 or self.is_awaited():
            return 0
        for index in range(first, len(self.outstanding)):
            descriptor, name = self.outstanding[index]
            descriptors.append(descriptor)
            parts.append(bytes((len(name),)))
            parts.append(name)
        # Where that fails they stay unsent: what is outstanding is what the process knows of, in its order.
        self.channel.put(DEALT, b"".join(parts), descriptors, None)
        self.unsent = 0
        return 0

    cdef int look_whether_idle(self) except -1:
        cdef object idle = self.idle
        if idle is not None and not self.outstanding:
            self.idle = None
            idle()
        return 0

    def leave(self, idle=None):
        """Get no more; idle() is called once what was dealt was taken."""
        self.leaving = True
        self.idle = idle
        while self.unsent:
            self.owner.returned.appendleft(self.outstanding.pop())
            self.unsent -= 1
        self.owner.go_on()
        self.look_whether_idle()

    def gone(self):
        """The process is no more, or does not listen: what it has not taken goes to others."""
        cdef RoundRobin owner = self.owner
        if self not in owner.shares:
            return
        self.leaving = True
        owner.shares.remove(self)
        owner.returned.extend(self.outstanding)
        self.outstanding.clear()
        self.unsent = 0
        self.look_whether_idle()
        owner.go_on()

    def was_taken(self, bytes flags not None):
        """What the process says of connections, in the order in which it got them."""
        cdef RoundRobin owner = self.owner
        cdef int flag
        for flag in flags:
            if not self.outstanding:
                return
            descriptor, name = self.outstanding.popleft()
            if flag:
                close_descriptor(descriptor)
            else:
                # It says when it wants more.
                self.ready = False
                owner.returned.append((descriptor, name))
        owner.go_on()
        self.look_whether_idle()

    def wants(self, bint more):
        """Whether the process wants connections."""
        self.ready = more
        self.owner.go_on()

    @property
    def waiting(self):
        """How many connections it has not taken yet."""
        return len(self.outstanding)


cdef class RoundRobin(Intermediary):
    """A listening socket whose connections are dealt out; it owns the descriptor."""

    def share(self, Channel channel not None, unsigned int key):
        """A share for the process at the other end of the channel, which is ready when it says so."""
        cdef Share share = Share.__new__(Share)
        share.owner = self
        share.channel = channel
        share.key = key
        share.outstanding = deque()
        self.shares.append(share)
        return share

    def close(self):
        """Accept no more; connections that nobody has taken are closed."""
        cdef Listener listener = self.listener
        cdef Share share
        self.listener = None
        if listener is not None:
            listener.owner = None
            listener.close()
        for share in list(self.shares):
            share.leaving = True
            self.returned.extend(share.outstanding)
            share.outstanding.clear()
            share.unsent = 0
            share.look_whether_idle()
        self.shares = []
        while self.returned:
            close_descriptor(self.returned.popleft()[0])

    def fileno(self):
        """The descriptor of the listening socket; -1 once it is closed."""
        return -1 if self.listener is None else self.listener.descriptor

    def pause(self):
        """Leave connections in the backlog until go_on_accepting()."""
        self.paused = True
        if self.listener is not None:
            self.listener.hold()

    def take_returned(self):
        """The connections that no process has been dealt: a list of (descriptor, name), which are the caller's."""
        cdef list taken = list(self.returned)
        self.returned.clear()
        return taken

    def give_back(self, list connections not None):
        """Deal out what take_returned() gave, by this or by another one."""
        self.returned.extend(connections)
        self.go_on()

    def go_on_accepting(self):
        self.paused = False
        self.go_on()

    @property
    def waiting(self):
        """How many connections were accepted and not taken by any process yet."""
        cdef Py_ssize_t count = len(self.returned)
        cdef Share share
        for share in self.shares:
            count += len(share.outstanding)
        return count

    cdef Share free_share(self):
        """Whose turn it is; None where nobody wants any."""
        cdef Py_ssize_t count = len(self.shares)
        cdef Py_ssize_t turn
        cdef Share share
        if self.paused:
            return None
        for turn in range(count):
            share = self.shares[(self.next_share + turn) % count]
            if share.is_free():
                return share
        return None

    cdef int deal(self, int descriptor, bytes name) except -1:
        cdef Share share = self.free_share()
        if share is None:
            self.returned.append((descriptor, name))
            return 0
        self.next_share = (self.shares.index(share) + 1) % len(self.shares)
        share.outstanding.append((descriptor, name))
        share.unsent += 1
        share.dealt += 1
        return 0

    cdef int go_on(self) except -1:
        """Deal out what came back, and accept if somebody wants more."""
        while self.returned and self.free_share() is not None:
            descriptor, name = self.returned.popleft()
            self.deal(descriptor, name)
        self.send()
        if self.listener is None:
            return 0
        if self.free_share() is None:
            self.listener.hold()
        elif not self.listener.defers:
            self.listener.go_on()
        return 0

    cdef bint defers(self) noexcept:
        """Whether each process that wants connections is busy with those it has got."""
        cdef Share share
        for share in self.shares:
            if share.is_free() and not share.is_awaited():
                return False
        return True

    cdef int send(self) except -1:
        cdef Share share
        for share in list(self.shares):
            try:
                share.send()
            except BaseException as error:
                # Its channel is closed, which will be told.
                report(self.record, error, "connections cannot be dealt out", None)
        if self.listener is not None:
            self.listener.defers = self.defers()
        return 0


def deal_out(int descriptor, int backlog, int family, on_trouble):
    """Listen on a bound socket for others; OSError leaves the descriptor with the caller.

    on_trouble: called with an OSError, once a second at most, where accept(2) fails.
    """
    cdef RoundRobin self = RoundRobin.__new__(RoundRobin)
    cdef Listener listener
    cdef int status = 0
    self.record = running_record()
    self.shares = []
    self.returned = deque()
    self.on_trouble = on_trouble
    self.failures = OncePerSecond()
    memset(&self.filter, 0, sizeof(self.filter))
    self.filter.most = -1
    listener = open_listener(self.record, descriptor, family, &self.filter, &_events, &status)
    if listener is None:
        raise system_error(status, "listen")
    # Nobody wants any yet.
    listener.held = True
    # The workers keep their primary going.
    listener.block.referenced = False
    status = listener.listen(backlog)
    if status < 0:
        listener.release()
        raise system_error(status, "listen")
    listener.owner = self
    listener.on_abandoned = _on_abandoned
    self.listener = listener
    return self


cdef int _on_accepted(object owner, Listener listener, int descriptor, const sockaddr_storage *remote) except -1:
    cdef RoundRobin self = <RoundRobin>owner
    cdef ip_name name
    try:
        self.deal(descriptor, (<const char *>&name)[:sizeof(name)] if copy_name(remote, &name) else b"")
    except BaseException:
        close_descriptor(descriptor)
        raise
    if self.free_share() is None and self.listener is not None:
        self.listener.hold()
    return 0


cdef int _on_dropped(object owner, int descriptor, const sockaddr_storage *remote, DropReason reason) except -1:
    cdef RoundRobin self = <RoundRobin>owner
    if self.log is None:
        self.log = DropLog("out of file descriptors", "raise the limit (ulimit -n) of the primary")
    self.log.count(self, None)
    return 0


cdef int _on_trouble(object owner, int status) except -1:
    cdef RoundRobin self = <RoundRobin>owner
    if self.failures.count():
        self.on_trouble(system_error(status, "accept"))
    return 0


cdef int _on_lost(object owner, Listener listener) except -1:
    cdef RoundRobin self = <RoundRobin>owner
    self.listener = None
    self.on_trouble(descriptor_lost("accept"))
    return 0


cdef int _on_turn_over(object owner) except -1:
    return (<RoundRobin>owner).send()


cdef int _on_abandoned(object owner) except -1:
    """The loop is gone."""
    (<RoundRobin>owner).close()
    return 0


cdef ListenerEvents _events
_events.on_accepted = _on_accepted
_events.on_dropped = _on_dropped
_events.on_trouble = _on_trouble
_events.on_lost = _on_lost
_events.on_turn_over = _on_turn_over


# === In the process that gets them ===

cdef class DealtLease(Lease):
    """The right to a listening socket of the process at the other end of a channel."""

    cdef void ready(self, bint wants_more) noexcept:
        _tell(self, READY, _taken if wants_more else _back)

    cdef void over(self) noexcept:
        cdef object leases = self.leases
        if leases is not None:
            self.leases = None
            leases.pop(self.key, None)
            _tell(self, OVER, b"")
            try:
                self.ended(self.key)
            except BaseException as error:
                report(self.channel.record, error, "exception in a uvnet channel callback", None)


def new_lease(Channel channel not None, dict leases not None, unsigned int key, bint dealt, ended):
    """The lease of that key; receive_dealt() finds it in `leases`.  ended(key) is called once it is over."""
    cdef DealtLease self = DealtLease.__new__(DealtLease)
    self.channel = channel
    self.leases = leases
    self.key = key
    self.dealt = dealt
    self.ended = ended
    leases[key] = self
    return self


cdef void _tell(DealtLease self, int kind, bytes text) noexcept:
    if not self.channel.is_open:
        return
    try:
        self.channel.put(kind, _key_of(self.key) + text, [], None)
    except BaseException as error:
        report(self.channel.record, error, "exception in a uvnet channel callback", None)


cdef bytes _key_of(unsigned int key):
    cdef uint32_t number = key
    return (<char *>&number)[:sizeof(number)]


def key_in(bytes payload not None):
    """The key that a frame begins with, and the rest."""
    return int.from_bytes(payload[:4], _byte_order), payload[4:]


def receive_dealt(Channel channel not None, dict leases not None, bytes payload not None, list descriptors not None):
    """Give connections to the listener of their lease, and say which were taken."""
    cdef const char *text = payload
    cdef Py_ssize_t position = 4
    cdef Py_ssize_t length
    cdef uint32_t key
    cdef DealtLease lease
    cdef sockaddr_storage remote
    cdef bytearray flags = bytearray()
    cdef int descriptor
    cdef bint taken
    cdef Py_ssize_t index
    if len(payload) < <Py_ssize_t>sizeof(key):
        raise system_error(-EPROTO, "recvmsg")
    memcpy(&key, text, sizeof(key))
    for index, descriptor in enumerate(descriptors):
        length = <unsigned char>text[position] if position < len(payload) else 0
        memset(&remote, 0, sizeof(remote))
        if length <= LONGEST_NAME and position + 1 + length <= len(payload):
            memcpy(&remote, text + position + 1, length)
        position += 1 + length
        # A listener may end the lease.
        lease = leases.get(key)
        taken = (descriptor >= 0 and lease is not None and lease.listener is not None
                 and lease.listener.deal(descriptor, &remote))
        if taken:
            descriptors[index] = -1
        elif descriptor < 0 and lease is not None and lease.listener is not None:
            # Out of descriptors: some may be free soon, and it says then that it wants more.
            lease.listener.pause()
        flags.append(taken)
    if channel.is_open:
        channel.put(TAKEN, payload[:4] + bytes(flags), [], None)
