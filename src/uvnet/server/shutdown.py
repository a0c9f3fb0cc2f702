"""shutdown() of a server: an end that always comes, with a deadline.

It begins at once and returns a future; whoever gives up waiting does not stop it.
Node: "server.close()".
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any

from uvnet.arguments.checks import check_seconds

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Cut", "shut_down"]

AFTERWARDS = 1  # seconds for what a cancelled listener, and one of a last 'close', still does


class Cut(int):
    """What shutdown() has cut: the sum of two numbers, as an int.

    `connections`: that were destroyed; `listeners`: async listeners of connections that were cancelled.
    This is not in Node.
    """

    connections: int
    listeners: int

    def __new__(cls, connections: int, listeners: int) -> Self:
        self = super().__new__(cls, connections + listeners)
        self.connections = connections
        self.listeners = listeners
        return self


def shut_down(server: Any, timeout: float | None) -> asyncio.Future[Cut]:
    """The body of server.shutdown()."""
    shutdown = _Shutdown(server, timeout)
    shutdown.start()
    return shutdown.future


# The tasks that have called shutdown() and not been answered: no two may wait for each other.
_callers: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()


class _Shutdown:
    """One call of shutdown(): the server's 'close', that of each connection, and the end of their async listeners."""

    def __init__(self, server: Any, timeout: float | None) -> None:
        self.server = server
        self.milliseconds = None if timeout is None else check_seconds(timeout, "timeout")
        self.loop = server._record.loop
        self.future: asyncio.Future[Cut] = self.loop.create_future()
        self.timer: asyncio.TimerHandle | None = None
        self.over = False
        self.awaited = 0  # connections that close, and listeners that run
        self.cut_connections = 0
        self.cancelled: set[asyncio.Task[Any]] = set()
        self.spared: set[asyncio.Task[Any]] = set()
        self.caller = asyncio.current_task() if asyncio._get_running_loop() is self.loop else None

    def start(self) -> None:
        server = self.server
        if self.caller is not None:
            if self.caller in server._listener_tasks():
                # It waits for those that do not wait for it.
                self.spared = {self.caller, *_callers}
            _callers.add(self.caller)
        if server._is_over():
            self.look()
        else:
            server._observe("close", self.closed, once=True, first=True)
            # Where close() was called before, its 'close' will do.
            if server._is_open():
                server.close()
        if self.over:
            return
        if self.milliseconds == 0:
            self.expired()
        elif self.milliseconds is not None:
            self.timer = self.loop.call_later(self.milliseconds / 1000, self.expired)

    def closed(self) -> None:
        # After the listeners of this event.
        self.server._next_tick(self.look)

    def look(self) -> None:
        """See what is still to be waited for; nothing, and it is over."""
        if self.over:
            return
        unclosed = self.server._unclosed()
        running = self.server._listener_tasks() - self.spared
        self.awaited = len(unclosed) + len(running)
        for socket in unclosed:
            # Listeners of this event that come behind are called before that tick.
            socket._observe("close", lambda _: self.server._next_tick(self.one_is_over), once=True)
        for task in running:
            task.add_done_callback(self.one_is_over)
        if self.awaited == 0:
            self.complete()

    def one_is_over(self, _task: Any = None) -> None:
        self.awaited -= 1
        if self.awaited == 0:
            self.look()

    def expired(self) -> None:
        """The time is over: destroy and cancel what is left; what that begins gets a little more."""
        self.cut_connections = self.server._cut()
        self.cancel()
        self.timer = self.loop.call_later(AFTERWARDS, self.give_up)

    def cancel(self) -> None:
        for task in self.server._listener_tasks() - self.spared - self.cancelled:
            self.cancelled.add(task)
            task.cancel()

    def give_up(self) -> None:
        self.cancel()
        # Once round the loop, for those that end by it.
        self.loop.call_soon(self.loop.call_soon, self.complete)

    def complete(self) -> None:
        self.over = True
        if self.timer is not None:
            self.timer.cancel()
        if self.caller is not None:
            _callers.discard(self.caller)
        if not self.future.done():
            self.future.set_result(Cut(self.cut_connections, len(self.cancelled)))
