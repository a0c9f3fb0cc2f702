"""`async for socket in server`.

A few connections are accepted ahead, also before an iteration has begun, while nobody listens for 'connection'.
When so many wait to be taken the server stops accepting, and the others wait in the system's backlog.
Node: "server[Symbol.asyncIterator]()".
"""

from collections import deque

cimport cython

from uvnet._loop.tick cimport later
from uvnet.events.waiter cimport Awaitable
from uvnet.socket.socket cimport Socket
from uvnet.socket.socket_parent cimport SocketParent

cdef enum:
    ACCEPTED_AHEAD = 16      # connections


cdef class Arrivals:
    """The connections of one server that nobody has taken yet."""

    def __cinit__(self, SocketParent server not None):
        self.server = server
        self.sockets = deque()

    def __aiter__(self):
        return self

    cdef int begin(self) except -1:
        """Somebody takes them from now on, and hears of errors."""
        if not self.begun:
            self.expect()
            self.begun = True
            self.server._observe(self.server._event_of_arrival(), self._add)
            self.server._observe("error", self._fail)
        return 0

    cdef int expect(self) except -1:
        """Somebody will take those that nobody hears of."""
        cdef Socket socket
        self.expected = True
        for socket in self.sockets:
            if not socket._destroyed:
                socket._awaited = True
        return 0

    cdef int keep(self, Socket socket) except -1:
        """Nobody has heard of this one."""
        # Until somebody is going to take it, an error of its is reported like any other.
        socket._awaited = self.expected
        self.sockets.append(socket)
        return 0

    def __anext__(self):
        cdef ArrivalAwaitable next_one = ArrivalAwaitable.__new__(ArrivalAwaitable)
        next_one.record = self.server._usable_record()
        next_one.arrivals = self
        return next_one

    def _add(self, Socket socket):
        # Nobody can listen yet; whoever takes it hears of an error by awaiting.
        self.keep(socket)
        self._wake()

    def _fail(self, error):
        if self.error is None:
            self.error = error
        self._wake()

    def _wake(self):
        if self.taking is not None:
            self.taking.wake()

    cdef bint is_full(self) except -1:
        """Whether no more should be accepted."""
        cdef Socket socket
        if len(self.sockets) < ACCEPTED_AHEAD:
            return False
        if not self.expected:
            # Nobody asks for what is gone.
            self.sockets = deque([socket for socket in self.sockets if not socket._destroyed])
            if len(self.sockets) < ACCEPTED_AHEAD:
                return False
        # Until it has begun, a listener that comes later is what the server is for.
        return self.begun or not self.server.has_listeners(self.server._event_of_arrival())

    cdef int stopped(self) except -1:
        """The server does not listen any more; what somebody was to take goes the way of the backlog."""
        cdef Socket socket
        while self.sockets:
            socket = self.sockets.popleft()
            if self.expected:
                socket._destroy_stream(None)
        self._wake()
        return 0


@cython.final
cdef class ArrivalAwaitable(Awaitable):
    """The next connection, or StopAsyncIteration when the server does not listen any more."""

    cdef Arrivals arrivals
    cdef bint looked         # after what was due when it began

    cdef str _what_was_called(self):
        return "Arrivals.__anext__"

    cdef int _begin(self) except -1:
        cdef Arrivals arrivals = self.arrivals
        self.record.check()
        if arrivals.taking is not None and arrivals.taking is not self:
            raise RuntimeError("another coroutine is already waiting for a connection of this server")
        arrivals.taking = self
        return 0

    cdef bint _advance(self) except -1:
        cdef Arrivals arrivals = self.arrivals
        cdef Socket socket
        self._begin()
        arrivals.taking = None
        if arrivals.sockets:
            socket = arrivals.sockets.popleft()
            socket._awaited = socket._destroyed
            self.result = socket
            arrivals.server._go_on_accepting()
            return True
        if arrivals.error is not None:
            error, arrivals.error = arrivals.error, None
            raise error
        if not arrivals.server._is_open():
            if self.looked:
                raise StopAsyncIteration
            # A listen() that failed has its 'error' on a tick.
            self.looked = True
            later(self.record, _look_again, self, None, 0)
        arrivals.taking = self
        return False

    cdef int _given_up(self) except -1:
        if self.arrivals.taking is self:
            self.arrivals.taking = None
        return 0


cdef int _look_again(object awaitable, object argument, int step) except -1:
    return (<ArrivalAwaitable>awaitable).wake()
