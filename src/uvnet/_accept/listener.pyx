"""Listening and accepting.

Accepts by accept(2) on a poll handle, not by uv_listen(): so a connection that is refused costs no handle, the
other end's address comes with it, and running out of descriptors is ours to deal with.  (libuv then closes
connections without telling anybody, and libuv 1.52.1 stops accepting for ever after one failed uv_accept().)
"""

from libc.errno cimport EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, EPROTO, errno

from uvnet._loop.adopted cimport changed, forget_adopted, is_lost
from uvnet._loop.descriptors cimport close_descriptor, open_spare
from uvnet._loop.gil cimport hold_gil
from uvnet._loop.handle cimport HANDLE_OPEN, Handle, block_of, open_handles, user_of
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport enter, leave, report
from uvnet._loop.timer cimport open_timer
from uvnet._uv.table cimport UVNET_UV_POLL, UVNET_UV_READABLE, sockaddr, uv, uv_poll_t
from uvnet.addresses.sockaddr cimport sockaddr_storage, socklen_t

cdef extern from "<sys/socket.h>" nogil:
    """
    #include <fcntl.h>
    #include <unistd.h>

    static int uvnet_accept(int descriptor, struct sockaddr *remote, socklen_t *length)
    {
    #ifdef SOCK_CLOEXEC
        return accept4(descriptor, remote, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    #else
        int accepted = accept(descriptor, remote, length);
        if (accepted >= 0) {
            fcntl(accepted, F_SETFD, FD_CLOEXEC);
            fcntl(accepted, F_SETFL, O_NONBLOCK);
        }
        return accepted;
    #endif
    }
    """
    int accept "uvnet_accept" (int descriptor, sockaddr *remote, socklen_t *length)
    int listen(int descriptor, int backlog)

cdef enum:
    ACCEPTS_AT_ONCE = 16     # at most, before others get their turn
    PAUSE = 50               # milliseconds without accepting when that cannot work


cdef class Lease:
    """Where another process accepts, a listener is there to be dealt its connections, and never asks the system."""

    cdef void ready(self, bint wants_more) noexcept:
        """Whether connections are wanted now; first of all that they are."""

    cdef void over(self) noexcept:
        """Nobody listens here any more.  May be called again."""

    def give_up(self):
        """Nobody will listen."""
        self.over()

    def holder(self):
        """The server that listens; None before it does, and afterwards."""
        return None if self.listener is None else user_of(self.listener)


cdef class Listener(Handle):
    """A socket that accepts connections; it owns the descriptor."""

    def __cinit__(self):
        self.descriptor = self.reserve = -1

    cdef int listen(self, int backlog) noexcept:
        """Start to listen and to accept; 0 or a libuv error."""
        if self.lease is None and listen(self.descriptor, backlog) < 0:
            return -errno
        return self.start()

    cdef int start(self) noexcept:
        """Accept from now on."""
        if self.state != HANDLE_OPEN or self.held:
            return 0
        if self.lease is not None:
            self.lease.ready(True)
            if self.lease.dealt:
                return 0
        if self.reserve < 0:
            self.reserve = open_spare()
        changed(self.block)
        return uv.poll_start(self.uv_poll(), UVNET_UV_READABLE, _on_poll)

    cdef int pause(self) except -1:
        """Accepting cannot work now: leave connections in the backlog, and try again soon."""
        if self.timer is None:
            self.timer = open_timer(self.record, self, _on_pause_over)
        uv.poll_stop(self.uv_poll())
        self.timer.start(PAUSE)
        return 0

    cdef int hold(self) except -1:
        """Leave connections in the backlog until go_on()."""
        if self.held or self.state != HANDLE_OPEN:
            return 0
        self.held = True
        uv.poll_stop(self.uv_poll())
        if self.lease is not None and self.lease.dealt:
            self.lease.ready(False)
        return 0

    cdef int go_on(self) except -1:
        if self.held:
            self.held = False
            self.start()
        return 0

    cdef void descriptor_lost(self) noexcept:
        cdef LoopRecord record = self.record
        cdef object owner = self.owner
        if owner is None or record.closed:
            return
        enter(record)
        try:
            self.events.on_lost(owner, self)
        except BaseException as error:
            report(record, error, "exception in a uvnet connection callback", owner)
        leave(record)

    cdef void close(self, bint reset=False) noexcept:
        cdef bint lost
        if self.state != HANDLE_OPEN:
            return
        lost = is_lost(self.block)
        forget_adopted(self.block)
        Handle.close(self)
        # libuv: a poll handle that was closed does not look at its descriptor any more.
        if self.descriptor >= 0 and not lost:
            close_descriptor(self.descriptor)
        if self.reserve >= 0:
            close_descriptor(self.reserve)
            self.reserve = -1
        if self.timer is not None:
            self.timer.owner = None
            self.timer.close()
            self.timer = None
        if self.lease is not None:
            self.lease.listener = None
            self.lease.over()
            self.lease = None

    cdef bint is_active(self) noexcept:
        if self.state == HANDLE_OPEN and self.lease is not None and self.lease.dealt:
            return True
        return Handle.is_active(self)

    cdef bint deal(self, int descriptor, const sockaddr_storage *remote) noexcept:
        """A connection that another process has accepted; False: none is wanted now, and it stays the caller's."""
        cdef LoopRecord record = self.record
        cdef object owner = self.owner
        if self.state != HANDLE_OPEN or self.held or owner is None or record.closed:
            return False
        enter(record)
        try:
            _take(self, descriptor, remote)
        except BaseException as error:
            report(record, error, "exception in a uvnet connection callback", owner)
        leave(record)
        return True

    cdef void release(self) noexcept:
        """Close the handle and leave the descriptor to the caller."""
        self.descriptor = -1
        self.close()

    cdef int drop_one(self) except -1:
        """Out of descriptors: accept one connection with the reserve, and close it."""
        cdef sockaddr_storage remote
        cdef socklen_t length = sizeof(remote)
        cdef int descriptor
        if self.reserve < 0:
            return 0
        close_descriptor(self.reserve)
        self.reserve = -1
        descriptor = accept(self.descriptor, <sockaddr *>&remote, &length)
        try:
            if descriptor >= 0:
                self.dropped(descriptor, &remote, FILE_DESCRIPTORS)
        finally:
            if self.state == HANDLE_OPEN:
                self.reserve = open_spare()
        return 0

    cdef int dropped(self, int descriptor, const sockaddr_storage *remote, DropReason reason) except -1:
        """Close a connection at once; it is counted, or told where somebody wants to know."""
        try:
            if self.filter.tells_drops or reason >= FILE_DESCRIPTORS:
                self.events.on_dropped(self.owner, descriptor, remote, reason)
            else:
                count_drop(self.record, self.filter, reason)
        finally:
            close_descriptor(descriptor)
        return 0


cdef Listener open_listener(LoopRecord record, int descriptor, int family, AcceptFilter *filter,
                            const ListenerEvents *events, int *status):
    """A listener that does not listen yet, or None; then the descriptor stays the caller's."""
    cdef Listener self = Listener.__new__(Listener)
    self.allocate(record, UVNET_UV_POLL)
    status[0] = uv.poll_init(record.uv_loop, self.uv_poll(), descriptor)
    if status[0] < 0:
        return None
    self.opened(status[0], "uv_poll_init")
    self.descriptor = descriptor
    self.family = family
    self.filter = filter
    self.events = events
    self.block.referenced = True
    return self


def listening_owners(LoopRecord record not None):
    """The servers that listen on the loop, each once."""
    cdef Handle handle
    cdef list owners = []
    for handle in open_handles(record):
        if isinstance(handle, Listener) and (owner := user_of(handle)) is not None:
            owners.append(owner)
    return list({id(owner): owner for owner in owners}.values())


cdef int _on_pause_over(object owner) except -1:
    (<Listener>owner).start()
    return 0


cdef DropReason _judge(const AcceptFilter *filter, const sockaddr *remote) except *:
    if filter.block_list is not NULL and filter.is_blocked(<object>filter.block_list, remote):
        return BLOCK_LIST
    if filter.most >= 0 and filter.connections >= filter.most:
        return CONNECTION_LIMIT
    return NOT_DROPPED if filter.limits is NULL else filter.judge(<object>filter.limits, remote)


cdef void _on_poll(uv_poll_t *uv_poll, int status, int events) noexcept nogil:
    hold_gil(block_of(uv_poll).hold)
    (<accept_function>_accept_waiting)(uv_poll)


# The GIL is held already.
ctypedef void (*accept_function)(uv_poll_t *) noexcept nogil


cdef int _share(Listener self) noexcept:
    """How many connections to accept in this turn of the loop.

    One, as libuv does: to ask once more in vain costs more than to be told in the next turn.  Where turns are long,
    as many as milliseconds have passed, so that who is served already does not keep out those who come.
    """
    cdef uint64_t now = self.record.now()
    cdef uint64_t passed = now - self.had_turn
    self.had_turn = now
    if self.events.on_turn_over is not NULL:
        # Whoever asks for the end of a turn hands them on together.
        return ACCEPTS_AT_ONCE
    return <int>min(max(passed, 1), <uint64_t>ACCEPTS_AT_ONCE)


cdef void _accept_waiting(uv_poll_t *uv_poll) noexcept:
    cdef Listener self = <Listener>block_of(uv_poll).owner
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    cdef int _turn
    if self.defers and self.owner is not None:
        self.hold()
        return
    for _turn in range(_share(self)):
        # A listener of the owner's may have closed it.
        if self.state != HANDLE_OPEN or self.held or self.owner is None or record.closed:
            break
        enter(record)
        try:
            more = _accept_one(self)
        except BaseException as error:
            more = True
            report(record, error, "exception in a uvnet connection callback", owner)
        leave(record)
        if not more:
            break
    if self.events.on_turn_over is not NULL and self.owner is not None and not record.closed:
        enter(record)
        try:
            self.events.on_turn_over(self.owner)
        except BaseException as error:
            report(record, error, "exception in a uvnet connection callback", owner)
        leave(record)


cdef int _take(Listener self, int descriptor, const sockaddr_storage *remote) except -1:
    cdef DropReason reason
    try:
        reason = _judge(self.filter, <const sockaddr *>remote)
    except BaseException:
        close_descriptor(descriptor)
        raise
    if reason == NOT_DROPPED:
        self.events.on_accepted(self.owner, self, descriptor, remote)
    else:
        self.dropped(descriptor, remote, reason)
    return 0


cdef bint _accept_one(Listener self) except -1:
    """Accept one connection; False where no more can be had now."""
    cdef sockaddr_storage remote
    cdef socklen_t length = sizeof(remote)
    cdef int status
    cdef int descriptor
    remote.ss_family = 0
    descriptor = accept(self.descriptor, <sockaddr *>&remote, &length)
    if descriptor >= 0:
        self.has_waited = False
        _take(self, descriptor, &remote)
        return True
    status = -errno
    if status == -EAGAIN:
        return False
    if status == -EINTR or status == -ECONNABORTED or status == -EPROTO:
        # The last two: a connection that was over before it was accepted.
        return True
    if status == -EMFILE or status == -ENFILE:
        # Some may be free soon: whoever waits has waited for that before it is dropped.
        if self.has_waited:
            self.drop_one()
        self.has_waited = True
        self.pause()
        return False
    self.pause()
    self.events.on_trouble(self.owner, status)
    return False
