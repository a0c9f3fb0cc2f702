"""`async with` a socket or a server, and what it waits for: connected, listening, closed.

Node: "server[Symbol.asyncDispose]()".
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

from uvnet.errors import closed_before_connection, timed_out

if TYPE_CHECKING:
    from uvnet.socket import Socket

__all__ = ["LISTEN_FAILED", "closed", "enter_server", "enter_socket", "leave_server", "leave_socket"]

_S = TypeVar("_S", bound="Socket")

_log = logging.getLogger("uvnet")

_LOOKED = object()  # an event for a tick that is over
PATIENCE = 5  # seconds to wait in silence
LISTEN_FAILED = object()  # an event of a server that has told of it


async def _first(emitter: Any, outcomes: dict[Hashable, Callable[..., Any]]) -> Any:
    """Wait for the first of some events; returns what its outcome does with the arguments, or raises it."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def listener(outcome: Callable[..., Any]) -> Callable[..., None]:
        def happened(*arguments: Any) -> None:
            if not future.done():
                result = outcome(*arguments)
                if isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    future.set_result(result)

        return happened

    listeners = {event: listener(outcome) for event, outcome in outcomes.items()}
    for event, function in listeners.items():
        emitter._observe(event, function, first=True)
    try:
        return await future
    finally:
        for event, function in listeners.items():
            emitter._stop_observing(event, function)


def _nothing(*_arguments: Any) -> None:
    pass


async def enter_socket(socket: _S, timeout: float | None = None) -> _S:
    """Wait until a socket that connects is connected; returns it, or destroys it and raises why it is not.

    It has `timeout` seconds; None: no limit.
    """
    timer: asyncio.TimerHandle | None = None

    def failure(*_arguments: Any) -> BaseException:
        return socket.errored or closed_before_connection()

    def expired() -> None:
        if socket.connecting:
            socket.destroy(timed_out(f"not connected within {timeout} seconds"))

    if timeout is not None:
        timer = asyncio.get_running_loop().call_later(timeout, expired)
    try:
        # Where connect() has failed at once the 'error' is on a tick; it is raised here instead of being reported.
        if socket.connecting or (socket.destroyed and not socket.closed):
            await _first(socket, {"connect": _nothing, "error": failure, "close": failure})
        if socket.destroyed:
            raise failure()
    except BaseException:
        socket.destroy()
        raise
    finally:
        if timer is not None:
            timer.cancel()
    return socket


async def leave_socket(socket: Any, failed: bool) -> None:
    """The body of socket.__aexit__()."""
    if failed:
        socket.destroy()
        return
    try:
        await socket.close()
    except BaseException:
        socket.destroy()
        raise
    socket._raise_unheard()


async def enter_server(server: Any) -> Any:
    """The body of server.__aenter__(): wait until a listen() under way is over; cancelled, close the server."""
    if not server.listening:
        # Without a look-up the 'error' of a listen() that failed is due on a tick.
        if not server._is_open():
            server._next_tick(server.emit, _LOOKED)
        try:
            await _first(server, {"listening": _nothing, "error": lambda error: error, _LOOKED: _nothing})
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
        await _first(server, {"close": _nothing, LISTEN_FAILED: _nothing})


# What users have called, for the warning that a coroutine was never awaited.
enter_socket.__qualname__ = "Socket.__aenter__"
leave_socket.__qualname__ = "Socket.__aexit__"
enter_server.__qualname__ = "Server.__aenter__"
leave_server.__qualname__ = "Server.__aexit__"
closed.__qualname__ = "Server.closed"
