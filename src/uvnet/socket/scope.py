"""`async with` a socket, and what it waits for: connected, closed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from uvnet.errors.codes import closed_before_connection, timed_out
from uvnet.events.first import first_of

if TYPE_CHECKING:
    from uvnet.socket.socket import Socket

__all__ = ["enter_socket", "leave_socket"]

_S = TypeVar("_S", bound="Socket")


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
        if socket._awaited_first() is not None:
            socket.destroy(timed_out(f"not connected within {timeout} seconds"))

    if timeout is not None:
        timer = asyncio.get_running_loop().call_later(timeout, expired)
    try:
        # Where connect() has failed at once the 'error' is on a tick; it is raised here instead of being reported.
        event = socket._awaited_first()
        if event is not None or (socket.destroyed and not socket.closed):
            await first_of(socket, {event or "connect": _nothing, "error": failure, "close": failure})
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


# What users have called, for the warning that a coroutine was never awaited.
enter_socket.__qualname__ = "Socket.__aenter__"
leave_socket.__qualname__ = "Socket.__aexit__"
