"""The functions that make sockets.  Node: "net.connect()"."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, overload

from uvnet.addresses.endpoint import normalize
from uvnet.arguments.checks import check_attempt_timeout, check_seconds
from uvnet.errors.codes import invalid_type, invalid_value, out_of_range
from uvnet.socket.connecting import defaults
from uvnet.socket.options import SOCKET_OPTIONS
from uvnet.socket.scope import enter_socket
from uvnet.socket.securing import securing
from uvnet.socket.socket import Socket

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Unpack

    from uvnet.addresses.address import Address, Host
    from uvnet.arguments.keywords import ConnectKeywords, OpenKeywords, TLSConnectKeywords
    from uvnet.tls.tls_socket import TLSSocket

__all__ = [
    "connect",
    "create_connection",
    "get_default_auto_select_family",
    "get_default_auto_select_family_attempt_timeout",
    "open_connection",
    "set_default_auto_select_family",
    "set_default_auto_select_family_attempt_timeout",
]


@overload
def connect(
    port: int | str,
    host: Host | None,
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[ConnectKeywords],
) -> Socket: ...
@overload
def connect(
    port_or_path: int | str | os.PathLike[str],
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[ConnectKeywords],
) -> Socket: ...
@overload
def connect(
    options: ConnectKeywords | Address,
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[ConnectKeywords],
) -> Socket: ...
@overload
def connect(**keywords: Unpack[ConnectKeywords]) -> Socket: ...
def connect(*arguments: Any, **keywords: Any) -> Socket:
    """A new Socket that connects.  Forms: connect(port[, host][, listener]), connect(path[, listener]),
    connect(mapping[, listener]), connect(port=..., host=..., ...).

    The options are those of Socket.connect() and of Socket; the listener is called once at 'connect'.
    Raises what they raise; then no socket is left behind.  Node: "net.connect()".
    """
    options, listener = normalize("connect", arguments, keywords, ("host",))
    for name in ("fd", "handle"):
        if options.get(name) is not None:
            # The socket would be connected already.
            raise invalid_value(f"options.{name}", options[name], "is of no use to connect()")
    socket = Socket(**{name: value for name, value in options.items() if name in SOCKET_OPTIONS})
    return socket.connect(**options, callback=listener)


create_connection = connect


@overload
async def open_connection(
    port: int | str,
    host: Host | None,
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[ConnectKeywords],
) -> Socket: ...
@overload
async def open_connection(
    port_or_path: int | str | os.PathLike[str],
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[ConnectKeywords],
) -> Socket: ...
@overload
async def open_connection(
    options: OpenKeywords | ConnectKeywords | Address,
    listener: Callable[[], object] | None = None,
    /,
    **keywords: Unpack[ConnectKeywords],
) -> Socket: ...
@overload
async def open_connection(**keywords: Unpack[ConnectKeywords]) -> Socket: ...
@overload
async def open_connection(
    port: int | str,
    host: Host | None,
    listener: Callable[[], object] | None = None,
    /,
    *,
    tls: Literal[True] | ssl.SSLContext,
    **keywords: Unpack[TLSConnectKeywords],
) -> TLSSocket: ...
@overload
async def open_connection(
    port_or_path: int | str | os.PathLike[str],
    listener: Callable[[], object] | None = None,
    /,
    *,
    tls: Literal[True] | ssl.SSLContext,
    **keywords: Unpack[TLSConnectKeywords],
) -> TLSSocket: ...
@overload
async def open_connection(
    *, tls: Literal[True] | ssl.SSLContext, **keywords: Unpack[TLSConnectKeywords]
) -> TLSSocket: ...
async def open_connection(*arguments: Any, **keywords: Any) -> Socket:
    """A new Socket that is connected; the arguments are those of connect().

    tls: True, or a client's ssl.SSLContext, for TLS: it returns a tls.TLSSocket once the handshake is over, and takes
    the options of tls.connect() too.
    timeout: seconds, more than 0, for all of it, the look-up of a name too; TimeoutError after that.  Of connect()
    the same option is another thing, which set_timeout() is for: once connected, the socket has no timeout.
    Raises what connect() raises, and the error of a connection that does not come about (an OSError).
    Failed or cancelled, it leaves no socket behind.  asyncio: "open_connection()", "open_unix_connection()".
    """
    options, listener = normalize("connect", arguments, keywords, ("host",))
    timeout = options.pop("timeout", None)
    if timeout is not None and check_seconds(timeout, "options.timeout") == 0:
        raise out_of_range("options.timeout", "> 0", timeout)
    tls = options.pop("tls", None)
    socket: Socket
    if tls is None or tls is False:
        socket = connect(**options, callback=listener)
    else:
        socket = securing.connect(tls, options)
        if listener is not None:
            socket.once("secureConnect", listener)
    return await enter_socket(socket, timeout)


def get_default_auto_select_family() -> bool:
    """Whether connect() tries all addresses of a name.  Node: "net.getDefaultAutoSelectFamily()"."""
    return defaults.auto_select_family


def set_default_auto_select_family(value: bool) -> None:
    """Set it; raises TypeError.  Node: "net.setDefaultAutoSelectFamily(value)"."""
    if not isinstance(value, bool):
        raise invalid_type("value", "of type bool", value)
    defaults.auto_select_family = value


def get_default_auto_select_family_attempt_timeout() -> float:
    """Seconds without an answer after which the next of several addresses is tried beside the others.

    Node: "net.getDefaultAutoSelectFamilyAttemptTimeout()".
    """
    return defaults.attempt_timeout


def set_default_auto_select_family_attempt_timeout(value: float) -> None:
    """Set it, in seconds, at least 0.01; raises TypeError or ValueError.

    Node: "net.setDefaultAutoSelectFamilyAttemptTimeout(value)".
    """
    defaults.attempt_timeout = check_attempt_timeout(value, "value")
