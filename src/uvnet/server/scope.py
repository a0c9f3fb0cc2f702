"""`async with` a server, and what it waits for: listening, closed.

Node: "server[Symbol.asyncDispose]()".
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvnet.events.first import first_of

__all__ = ["LISTEN_FAILED", "closed", "enter_server", "leave_server"]

_log = logging.getLogger("uvnet")

_LOOKED = object()  # an event for a tick that is over
PATIENCE = 5  # seconds to wait in silence
LISTEN_FAILED = object()  # an event of a server that has told of it


def _nothing(*_arguments: Any) -> None:
    pass


async def enter_server(server: Any) -> Any:
    """The body of server.__aenter__(): wait until a listen() under way is over; cancelled, close the server."""
    if not server.listening:
        # Without a look-up the 'error' of a listen() that failed is due on a tick.
        if not server._is_open():
            server._next_tick(server.emit, _LOOKED)
        try:
            await first_of(server, {"listening": _nothing, "error": lambda error: error, _LOOKED: _nothing})
        except asyncio.CancelledError:
            # Nobody will leave what was not entered.
            server.shutdown(0)
            raise
    return server


async def leave_server(server: Any, timeout: float | None) -> None:
    """The body of server.__aexit__(): shut it down in so many seconds; None: no limit."""
    timer: asyncio.TimerHandle | None = None
    if timeout is None:
        timer = server._record.loop.call_later(PATIENCE, _tell_what_is_awaited, server, repr(server))
    try:
        await server.shutdown(timeout)
    except BaseException:
        server.shutdown(0)
        raise
    finally:
        if timer is not None:
            timer.cancel()


def _tell_what_is_awaited(server: Any, name: str) -> None:
    connections, listeners = server._what_is_left()
    _log.warning(
        "leaving %s waits for %d connections to end and for %d async listeners of connections; "
        "the option shutdown_timeout limits that",
        name,
        connections,
        listeners,
    )


async def closed(server: Any) -> None:
    """The body of server.closed()."""
    while not server._is_over():
        await first_of(server, {"close": _nothing, LISTEN_FAILED: _nothing})


# What users have called, for the warning that a coroutine was never awaited.
enter_server.__qualname__ = "Server.__aenter__"
leave_server.__qualname__ = "Server.__aexit__"
closed.__qualname__ = "Server.closed"
