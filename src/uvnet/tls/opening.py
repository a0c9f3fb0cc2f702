"""The functions that make sockets and servers with TLS.  Node: "tls.connect()", "tls.createServer()"."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

from uvnet.addresses.endpoint import normalize
from uvnet.arguments.checks import check_seconds, reject_unknown
from uvnet.arguments.keywords import ConnectKeywords, TLSConnectKeywords, TLSSocketKeywords
from uvnet.errors.codes import invalid_type
from uvnet.socket.securing import securing
from uvnet.tls.tls_server import Server
from uvnet.tls.tls_socket import TLSSocket

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from uvnet.addresses.address import Address, Host
    from uvnet.arguments.keywords import TLSServerKeywords
    from uvnet.socket.socket import Socket

__all__ = ["connect", "create_server"]

_CONNECT_OPTIONS = frozenset(TLSConnectKeywords.__annotations__)
_SOCKET_OPTIONS = frozenset(TLSSocketKeywords.__annotations__) - {"is_server"}
_PLAIN_CONNECT_OPTIONS = frozenset(ConnectKeywords.__annotations__)


@overload
def connect(
    port: int | str,
    host: Host | None,
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[TLSConnectKeywords],
) -> TLSSocket: ...
@overload
def connect(
    port_or_path: int | str | os.PathLike[str],
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[TLSConnectKeywords],
) -> TLSSocket: ...
@overload
def connect(
    options: TLSConnectKeywords | Address,
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[TLSConnectKeywords],
) -> TLSSocket: ...
@overload
def connect(**keywords: Unpack[TLSConnectKeywords]) -> TLSSocket: ...
def connect(*arguments: Any, **keywords: Any) -> TLSSocket:
    """A new TLSSocket that connects.  Forms: connect(port[, host][, listener]), connect(path[, listener]),
    connect(mapping[, listener]), connect(port=..., host=..., ...).

    The options are those of TLSSocket and of Socket.connect(); `socket`: a Socket that is connected, whose connection
    is taken over instead.  The listener is called once at 'secureConnect'.
    Raises what they raise; then no socket is left behind.  Node: "tls.connect()".
    """
    options, listener = normalize("connect", arguments, keywords, ("host",))
    reject_unknown(options, _CONNECT_OPTIONS, "tls.connect()")
    existing = options.pop("socket", None)
    own = {name: value for name, value in options.items() if name in _SOCKET_OPTIONS}
    timeout = options.get("timeout")
    if timeout is not None:
        check_seconds(timeout, "options.timeout")
    socket = TLSSocket(existing, **own)
    if listener is not None:
        socket.once("secureConnect", listener)
    if existing is None:
        socket.connect(**{name: value for name, value in options.items() if name in _PLAIN_CONNECT_OPTIONS})
    elif timeout is not None:
        socket.set_timeout(timeout)
    return socket


@overload
def create_server(
    options: TLSServerKeywords | None = None,
    connection_listener: Callable[[TLSSocket], object] | None = None,
    **keywords: Unpack[TLSServerKeywords],
) -> Server: ...
@overload
def create_server(
    options: Callable[[TLSSocket], object], **keywords: Unpack[TLSServerKeywords]
) -> Server: ...
def create_server(
    options: Any = None, connection_listener: Callable[..., Any] | None = None, **keywords: Any
) -> Server:
    """A new tls.Server; `connection_listener` is called with each TLSSocket whose handshake is over.

    Its options, as one mapping or as keywords, are those of tls.Server; the listener may stand in their place.
    Raises TypeError or ValueError for bad arguments, OSError for a file that cannot be read.
    Node: "tls.createServer([options][, secureConnectionListener])".
    """
    return Server(options, connection_listener, **keywords)


def _connect_by(tls: bool | ssl.SSLContext, options: Mapping[str, Any]) -> TLSSocket:
    """connect() for open_connection(tls=...)."""
    given: dict[str, Any] = dict(options)
    if tls is not True:
        if not isinstance(tls, ssl.SSLContext):
            raise invalid_type("options.tls", "of type bool or an ssl.SSLContext", tls)
        given.setdefault("context", tls)
    return connect(**given)


def _start(
    socket: Socket, context: Any, server_side: bool, server_hostname: Any, options: dict[str, Any]
) -> TLSSocket:
    """The TLSSocket of socket.start_tls()."""
    return TLSSocket(socket, context=context, is_server=server_side, servername=server_hostname, **options)


securing.connect = _connect_by
securing.start = _start
