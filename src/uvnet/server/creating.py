"""create_server().  Node: "net.createServer()"."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from uvnet.server.server import Server
from uvnet.socket.socket import Socket

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from uvnet.arguments.keywords import ServerKeywords

__all__ = ["create_server"]


@overload
def create_server(
    options: ServerKeywords | None = None,
    connection_listener: Callable[[Socket], object] | None = None,
    **keywords: Unpack[ServerKeywords],
) -> Server: ...
@overload
def create_server(
    options: Callable[[Socket], object], **keywords: Unpack[ServerKeywords]
) -> Server: ...
def create_server(
    options: Any = None, connection_listener: Callable[..., Any] | None = None, **keywords: Any
) -> Server:
    """A new Server; `connection_listener` is called with each accepted Socket.

    Its options, as one mapping or as keywords, are those of Server; the listener may stand in their place.
    Raises TypeError or ValueError for bad arguments.
    Node: "net.createServer([options][, connectionListener])".
    """
    return Server(options, connection_listener, **keywords)
