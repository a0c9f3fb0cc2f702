"""TLS as a socket is asked for it: what `uvnet.tls` puts here, which lies above sockets.

Node: "tls.connect()"; asyncio: "StreamWriter.start_tls()".
"""

from __future__ import annotations

from typing import Any

from uvnet.arguments.checks import reject_unknown
from uvnet.arguments.keywords import StartTLSKeywords
from uvnet.errors.codes import stream_destroyed
from uvnet.socket.scope import enter_socket
from uvnet.streams.finishing import outcome

__all__ = ["securing", "start_tls"]

_OPTIONS = frozenset(StartTLSKeywords.__annotations__)


class _Securing:
    """The functions of `uvnet.tls` that are called from here."""

    connect: Any = None
    start: Any = None


securing = _Securing()


async def start_tls(
    socket: Any, context: Any, server_side: bool, server_hostname: Any, options: dict[str, Any]
) -> Any:
    """The body of socket.start_tls()."""
    reject_unknown(options, _OPTIONS, "start_tls()")
    if socket.writable_length:
        # What comes from now on is TLS already.
        socket.pause()
        await _sent(socket)
    return await enter_socket(securing.start(socket, context, server_side, server_hostname, options))


async def _sent(socket: Any) -> None:
    """Wait until all that was written is with the system."""
    future, sent = outcome()
    if socket.destroyed:
        raise stream_destroyed("start_tls")
    socket.write(b"", sent)
    await future


# What users have called, for the warning that a coroutine was never awaited.
start_tls.__qualname__ = "Socket.start_tls"
