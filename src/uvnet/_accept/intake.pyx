"""Intake: what every server does with its listening sockets, whatever it makes of a connection.

Accepting, counting, limits, the PROXY header in front of a connection, and telling of what was closed at once or
could not be accepted.  Node: "Class: net.Server"; rules 1.8 to 1.10.
"""

from libc.errno cimport ENOMEM
from libc.string cimport memset

from uvnet._accept.header_stage cimport HeaderStage, await_header
from uvnet._accept.limits cimport Limits, judge
from uvnet._accept.listener cimport (
    ALLOW_LIST,
    BLOCK_LIST,
    CONNECTION_LIMIT,
    FILE_DESCRIPTORS,
    FIRST_DATA,
    HOST_LIMIT,
    HOST_RATE,
    IDLE,
    LIFETIME,
    NOT_DROPPED,
    PROXY_HEADER,
    RECEIVE_RATE,
    SERVER_RATE,
    TLS_FAILURE,
    TOTAL_BUFFERED,
    DropReason,
    Lease,
    Listener,
    ListenerEvents,
    count_drop,
    open_listener,
)
from uvnet._accept.server_socket cimport name_of
from uvnet._loop.adopted cimport add_adopted, reserve_adopted
from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.handle cimport Intermediary
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tally cimport Tally
from uvnet._loop.threads cimport add_to
from uvnet._stream.adopt cimport stream_of
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.blocklist cimport BlockList, blocks
from uvnet.addresses.sockaddr cimport format_sockaddr, sockaddr_storage
from uvnet.errors.system cimport system_error

from uvnet._accept.drops import DropLog, OncePerSecond, describe_drop
from uvnet._accept.proxy_tlvs import ProxyProtocolError

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_UNIX

cdef dict REASONS = {
    CONNECTION_LIMIT: "connection limit",
    BLOCK_LIST: "block list",
    FILE_DESCRIPTORS: "file descriptors",
    PROXY_HEADER: "proxy header",
    TLS_FAILURE: "tls",
    ALLOW_LIST: "allow list",
    SERVER_RATE: "accept rate",
    HOST_LIMIT: "host limit",
    HOST_RATE: "host rate",
    IDLE: "idle",
    FIRST_DATA: "no data",
    LIFETIME: "lifetime",
    RECEIVE_RATE: "receive rate",
    TOTAL_BUFFERED: "buffered",
}
# What nobody would expect, and what to do about it.
cdef dict _LOGGED = {
    FILE_DESCRIPTORS: ("out of file descriptors", "raise the limit (ulimit -n) or set max_connections"),
    PROXY_HEADER: ("no PROXY header", "they must come from a proxy that sends one"),
    TLS_FAILURE: ("TLS failed", "they are not what this server can talk to, or take too long"),
    SERVER_RATE: ("too many at once", "raise accept_rate if this server can take more"),
    HOST_LIMIT: ("too many of one host", "raise max_connections_per_host if that is what a host needs"),
    HOST_RATE: ("too fast for one host", "raise accept_rate_per_host if that is what a host needs"),
    FIRST_DATA: ("nothing was said", "raise first_data_timeout if clients need longer"),
    RECEIVE_RATE: ("too slow", "lower min_receive_rate if clients cannot send faster"),
    TOTAL_BUFFERED: ("too much waits to be sent", "raise max_total_buffered if there is memory for more"),
}


# Of all servers of this process.
cdef Py_ssize_t _accepted = 0
cdef Py_ssize_t _open = 0


def connection_counts():
    """How many connections the servers of this process have now, and how many they have ever had."""
    return _open, _accepted


cdef class Intake(Intermediary):
    """Accepts connections for a server."""

    cdef object on_behalf_of(self):
        return self.owner

    cdef int refuse_from(self, BlockList block_list) except -1:
        """Close connections from these addresses at once; the list may change at any time."""
        self._block_list = block_list
        self.filter.block_list = <void *>block_list if block_list is not None else NULL
        self.filter.is_blocked = blocks
        return 0

    cdef int expect_headers(self, object options) except -1:
        """Expect PROXY headers as HeaderOptions say; None: none."""
        if options is None:
            return 0
        self.header_size = options.size
        self.proxies = options.proxies
        self.takes_direct = options.takes_direct
        self.header_timeout = options.timeout
        return 0

    cdef int limit_by(self, Limits limits) except -1:
        """Hold connections to these limits; the Limits are this intake's from now on."""
        self.limits = limits
        self.filter.limits = <void *>limits if limits is not None else NULL
        self.filter.judge = judge
        if limits is not None:
            limits.owner = self
            limits.cut = _on_cut
        return 0

    cdef int cut(self, object owner, DropReason reason, int descriptor, const sockaddr *remote,
                 const sockaddr *local) except -1:
        """One that was handed on to `owner` is destroyed for going beyond a limit."""
        return self._drop(
            owner, reason, descriptor, <const sockaddr_storage *>remote,
            <const sockaddr_storage *>local if local.sa_family else NULL, None,
        )

    cdef Listener listen(self, object owner, int descriptor, int family, int backlog, bint given, int *status,
                         Lease lease=None):
        """Listen on a bound socket, `given` by somebody who may still close it; None, where `status` says why.

        `lease`: the right to it, where it is another process's.

        The descriptor is the listener's on success, and the caller's where there is none or an exception.
        """
        cdef Listener listener = open_listener(self.record, descriptor, family, &self.filter, &_events, status)
        if listener is None:
            return None
        if lease is not None:
            listener.lease = lease
            lease.listener = listener
        try:
            if given:
                reserve_adopted(self.record)
                add_adopted(listener.block, descriptor)
            status[0] = listener.listen(backlog)
            if status[0] == 0:
                self.listeners.append(listener)
        except BaseException:
            listener.release()
            raise
        if status[0] < 0:
            listener.release()
            return None
        listener.owner = self
        listener.on_abandoned = _on_abandoned
        self.owner = owner
        if self.limits is not None:
            self.limits.record = self.record
            self.limits.after_header = self.header_timeout != 0
        return listener

    cdef int close(self, Listener listener) except -1:
        """Listen no more; connections stay."""
        self._let_go(listener)
        listener.close()
        return self._forget_owner()

    cdef int release(self, Listener listener) except -1:
        """close(), and leave the descriptor to the caller."""
        self._let_go(listener)
        listener.release()
        return self._forget_owner()

    cdef int gone(self) except -1:
        """A connection that was handed on is over."""
        self.filter.connections -= 1
        self.record.connections -= 1
        add_to(_open, -1)
        return 0

    cdef int tls_failed(self, object owner, int descriptor, const sockaddr_storage *remote,
                        const sockaddr_storage *local, object error) except -1:
        """A connection that was handed on to `owner` is closed for what its TLS has come to."""
        return self._drop(owner, TLS_FAILURE, descriptor, remote, local, error)

    cdef int cut_stages(self) except -1:
        """Close the connections that were not handed on yet."""
        cdef HeaderStage stage
        cdef object owner = self.owner
        for stage in list(self.stages):
            self.stages.discard(stage)
            stage.let_go()
            self._uncount(stage.stream, owner)
        return self._forget_owner()

    cdef dict dropped(self):
        """How many connections were dropped, by the reason."""
        return {reason: self.filter.dropped[<int>number] for number, reason in REASONS.items()}

    cdef int _take_in(self, Listener listener, int descriptor, const sockaddr_storage *remote) except -1:
        """A connection was accepted."""
        cdef Stream stream = None
        cdef HeaderStage stage = None
        cdef int status = 0
        cdef bint direct = self.header_timeout == 0
        cdef DropReason reason
        # Who may connect to a Unix socket is said by its file.
        if not direct and self.proxies is not None and listener.family != AF_UNIX and not blocks(
            self.proxies, <const sockaddr *>remote
        ):
            direct = True
            reason = self._judge_direct(remote)
            if reason != NOT_DROPPED:
                error = ProxyProtocolError("it comes from no proxy") if reason == PROXY_HEADER else None
                try:
                    return self._drop(self.owner, reason, descriptor, remote, NULL, error)
                finally:
                    close_descriptor(descriptor)
        try:
            stream = stream_of(self.record, listener.family == AF_UNIX, descriptor, &status)
        except MemoryError:
            status = -ENOMEM
        if stream is None:
            return self._trouble(status)
        stream.tally = self.tally
        self.filter.connections += 1
        self.tally.accepted += 1
        self.record.connections += 1
        self.record.tally.accepted += 1
        add_to(_accepted, 1)
        add_to(_open, 1)
        if direct:
            return self._hand_on(stream, remote, NULL, None)
        try:
            stage = await_header(stream, remote, self.header_timeout, self.header_size, self, _on_header)
            self.stages.add(stage)
        except BaseException:
            if stage is not None:
                stage.let_go()
            self._uncount(stream, self.owner)
            raise
        return 0

    cdef DropReason _judge_direct(self, const sockaddr_storage *remote) except *:
        """Of one that comes from no proxy."""
        if not self.takes_direct:
            return PROXY_HEADER
        return NOT_DROPPED if self.limits is None else self.limits.judge_host(<const sockaddr *>remote)

    cdef int _hand_on(self, Stream stream, const sockaddr_storage *remote, const sockaddr_storage *local,
                      object header) except -1:
        cdef bint no_memory = False
        cdef object owner = self.owner
        try:
            if self.limits is not None:
                self.limits.admit(stream, <const sockaddr *>remote)
            self.events.on_connection(owner, stream, remote, local, header)
        except MemoryError:
            no_memory = True
        except BaseException:
            self._uncount(stream, owner)
            raise
        if no_memory:
            self._uncount(stream, owner)
            self._trouble(-ENOMEM)
        return 0

    cdef int _header_came(self, HeaderStage stage, object error) except -1:
        """A connection has said whose it is, or `error` says why it will not."""
        cdef Stream stream = stage.stream
        cdef const sockaddr_storage *remote = &stage.remote
        cdef const sockaddr_storage *local = &stage.local if stage.named else NULL
        cdef DropReason reason = NOT_DROPPED
        # Who is told may close the server, which forgets its owner then, and waits for this connection all the same.
        cdef object owner = self.owner
        self.stages.discard(stage)
        try:
            if error is not None:
                reason = PROXY_HEADER
            elif stage.named and self.filter.block_list is not NULL and blocks(
                self._block_list, <const sockaddr *>remote
            ):
                reason = BLOCK_LIST
            elif self.limits is not None:
                reason = self.limits.judge_host(<const sockaddr *>remote)
            if reason == NOT_DROPPED:
                return self._hand_on(stream, remote, local, stage.header)
            try:
                # Who says nothing at all only looks whether somebody listens.
                if not stage.silent:
                    self._drop(owner, reason, stream.fileno(), remote, local, error)
            finally:
                self._uncount(stream, owner)
        finally:
            self._forget_owner()
        return 0

    cdef int _drop(self, object owner, DropReason reason, int descriptor, const sockaddr_storage *remote,
                   const sockaddr_storage *local, object detail) except -1:
        """One is closed: count it, log it where nobody would expect it, and tell if somebody wants to know."""
        count_drop(self.record, &self.filter, reason)
        if reason in _LOGGED:
            if self._logs is None:
                self._logs = {}
            if reason not in self._logs:
                self._logs[reason] = DropLog(*_LOGGED[reason])
            self._logs[reason].count(owner, detail)
        if self.filter.tells_drops and owner is not None:
            drop = describe_drop(
                REASONS[reason],
                name_of(descriptor) if local is NULL else format_sockaddr(<const sockaddr *>local),
                format_sockaddr(<const sockaddr *>remote),
            )
            if detail is not None:
                drop["error"] = detail
            self.events.on_drop(owner, drop)
        return 0

    cdef int _trouble(self, int status) except -1:
        cdef int count
        if self._failures is None:
            self._failures = OncePerSecond()
        count = self._failures.count()
        if count and self.owner is not None:
            detail = f"({count} times since this was last told)" if count > 1 else None
            self.events.on_trouble(
                self.owner, system_error(status, "accept", None, None, False, None, None, detail)
            )
        return 0

    cdef int _uncount(self, Stream stream, object owner) except -1:
        """A connection that counts will not be handed on to `owner`."""
        stream.owner = None
        stream.close()
        self.gone()
        return 0 if owner is None else self.events.on_gone(owner)

    cdef int _let_go(self, Listener listener) except -1:
        listener.owner = None
        if listener in self.listeners:
            self.listeners.remove(listener)
        return 0

    cdef int _forget_owner(self) except -1:
        if not self.listeners and not self.stages:
            self.owner = None
        return 0


cdef Intake new_intake(LoopRecord record, const IntakeEvents *events):
    cdef Intake self = Intake.__new__(Intake)
    self.record = record
    self.events = events
    self.listeners = []
    self.stages = set()
    self.tally = Tally.__new__(Tally)
    memset(&self.filter, 0, sizeof(self.filter))
    self.filter.most = -1
    return self


cdef int _on_accepted(object owner, Listener listener, int descriptor, const sockaddr_storage *remote) except -1:
    return (<Intake>owner)._take_in(listener, descriptor, remote)


cdef int _on_dropped(object owner, int descriptor, const sockaddr_storage *remote, DropReason reason) except -1:
    cdef Intake self = <Intake>owner
    return self._drop(self.owner, reason, descriptor, remote, NULL, None)


cdef int _on_trouble(object owner, int status) except -1:
    return (<Intake>owner)._trouble(status)


cdef int _on_lost(object owner, Listener listener) except -1:
    cdef Intake self = <Intake>owner
    return self.events.on_lost(self.owner, listener)


cdef int _on_abandoned(object owner) except -1:
    cdef Intake self = <Intake>owner
    self.stages = set()
    try:
        return 0 if self.owner is None else self.events.on_abandoned(self.owner)
    finally:
        self.listeners = []
        self.owner = None


cdef int _on_cut(object owner, Stream stream, DropReason reason) except -1:
    cdef Intake self = <Intake>owner
    return self.events.on_cut(self, stream, reason)


cdef int _on_header(object owner, HeaderStage stage, object error) except -1:
    return (<Intake>owner)._header_came(stage, error)


cdef ListenerEvents _events
_events.on_accepted = _on_accepted
_events.on_dropped = _on_dropped
_events.on_trouble = _on_trouble
_events.on_lost = _on_lost
