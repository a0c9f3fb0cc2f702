"""close() of a socket: an end that always comes, with a deadline.

It begins at once and returns a future; whoever gives up waiting does not stop it.
Node: "socket.destroySoon()".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvnet.arguments.checks import check_seconds

__all__ = ["close_socket"]


class _Deadline:
    """A future for the end of `emitter`, and the timer that forces it."""

    def __init__(self, emitter: Any, timeout: float | None, expired: Callable[[], None]) -> None:
        self.emitter = emitter
        self.expired = expired
        self.loop = emitter._record.loop
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.timer: asyncio.TimerHandle | None = None
        self.milliseconds = None if timeout is None else check_seconds(timeout, "timeout")

    def start(self, end: Callable[[], Any], result: Callable[[], Any]) -> None:
        """Call end(), and complete the future with result() at 'close'."""

        def closed(*_arguments: Any) -> None:
            if self.timer is not None:
                self.timer.cancel()
            self.complete(result())

        self.emitter._observe("close", closed, once=True, first=True)
        end()
        if self.milliseconds == 0:
            self.expired()
        elif self.milliseconds is not None:
            self.timer = self.loop.call_later(self.milliseconds / 1000, self.expired)

    def complete(self, result: Any) -> None:
        if not self.future.done():
            self.future.set_result(result)


def close_socket(socket: Any, timeout: float | None) -> asyncio.Future[bool]:
    """The body of socket.close()."""
    all_sent = False

    def expired() -> None:
        nonlocal all_sent
        # The system sends on what it has taken, and then FIN.
        all_sent = socket._everything_is_sent() and socket.errored is None and not socket.destroyed
        socket.destroy()

    def end() -> None:
        if socket.writable or socket.writable_ended:
            socket.destroy_soon()

    deadline = _Deadline(socket, timeout, expired)
    if socket.closed:
        deadline.complete(socket.writable_finished)
    else:
        deadline.start(end, lambda: all_sent or socket.writable_finished)
    return deadline.future
