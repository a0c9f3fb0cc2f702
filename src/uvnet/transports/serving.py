"""create_server() and create_unix_server() of an event loop.  asyncio: "Creating network servers"."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import socket as _socket
import ssl as _ssl
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from uvnet.transports.server import Server
from uvnet.transports.server_options import ServerOptions, server_options

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["create_server", "create_unix_server"]


HANDSHAKE_TIMEOUT = 60.0  # seconds, as asyncio
SHUTDOWN_TIMEOUT = 30.0


def check_tls(ssl: Any, handshake_timeout: float | None, shutdown_timeout: float | None) -> None:
    """Raise what asyncio raises for options about TLS where there is none."""
    if not ssl:
        if handshake_timeout is not None:
            raise ValueError("ssl_handshake_timeout is only meaningful with ssl")
        if shutdown_timeout is not None:
            raise ValueError("ssl_shutdown_timeout is only meaningful with ssl")


def tls_options_of(
    context: Any,
    handshake_timeout: float | None,
    shutdown_timeout: float | None,
    *,
    server_side: bool,
) -> tuple[_ssl.SSLContext, float, float] | None:
    """What a secure transport needs, checked; None without a context.

    A server's context refuses renegotiation from now on: with it a client makes the server work for nothing.
    """
    if context is None:
        return None
    if not isinstance(context, _ssl.SSLContext):
        raise TypeError(f"ssl must be an SSLContext, not {type(context).__name__}")
    for name, value in (("handshake", handshake_timeout), ("shutdown", shutdown_timeout)):
        if value is not None and value <= 0:
            raise ValueError(f"ssl_{name}_timeout should be a positive number, got {value}")
    if server_side:
        context.options |= _ssl.OP_NO_RENEGOTIATION
    return (
        context,
        HANDSHAKE_TIMEOUT if handshake_timeout is None else handshake_timeout,
        SHUTDOWN_TIMEOUT if shutdown_timeout is None else shutdown_timeout,
    )


def check_stream(sock: _socket.socket) -> None:
    """Raise ValueError for a socket that is no stream."""
    if sock.type != _socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")


def usual_options(loop: Any) -> dict[str, Any]:
    """Those that the loop has for all of its servers; a patched loop has none."""
    found: dict[str, Any] = getattr(loop, "_server_options", {})
    return found


def check_backlog(backlog: Any) -> None:
    """Raise TypeError for a backlog that is no int."""
    if not isinstance(backlog, int):
        raise TypeError(f"backlog must be an integer, not {type(backlog).__name__}")


async def create_server(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    host: str | Sequence[str] | None = None,
    port: int | None = None,
    *,
    family: int = _socket.AF_UNSPEC,
    flags: int = _socket.AI_PASSIVE,
    sock: _socket.socket | None = None,
    backlog: int = 100,
    ssl: Any = None,
    reuse_address: bool | None = None,
    reuse_port: bool | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    start_serving: bool = True,
    **options: Unpack[ServerOptions],
) -> Any:
    """A server on TCP; asyncio: "loop.create_server()".

    options: what asyncio's does not have, see loop_factory(); keep_alive is asyncio's from CPython 3.13 on.
    """
    if isinstance(ssl, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    check_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    check_backlog(backlog)
    wanted = server_options(usual_options(loop), options, "create_server()")
    tls_options = tls_options_of(ssl, ssl_handshake_timeout, ssl_shutdown_timeout, server_side=True)
    if host is not None or port is not None:
        if sock is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        sockets = await _bound(loop, host, port, family, flags, reuse_address, reuse_port)
    elif sock is None:
        raise ValueError("Neither host/port nor sock were specified")
    else:
        check_stream(sock)
        sockets = [sock]
    for each in sockets:
        each.setblocking(False)
    server = Server(
        loop, sockets, protocol_factory, backlog, sock is not None,
        tls_options=tls_options, **wanted,
    )  # fmt: skip
    return await _served(server, start_serving)


async def _served(server: Server, start_serving: bool) -> Server:
    if start_serving:
        try:
            server._start_serving()
        except BaseException:
            server.close()
            raise
        await asyncio.sleep(0)
    return server


async def _bound(
    loop: asyncio.AbstractEventLoop,
    host: Any,
    port: int | None,
    family: int,
    flags: int,
    reuse_address: bool | None,
    reuse_port: bool | None,
) -> list[_socket.socket]:
    """A socket for each address of the hosts; all of them, or the error of the first that cannot be."""
    hosts: Iterable[Any] = [None] if host == "" else [host] if isinstance(host, str) or host is None else host
    found = await asyncio.gather(
        *[
            loop.getaddrinfo(each, port, family=family, type=_socket.SOCK_STREAM, flags=flags)
            for each in hosts
        ]
    )
    names = dict.fromkeys(itertools.chain.from_iterable(found))
    with contextlib.ExitStack() as undo:
        sockets = []
        for kind, type_, proto, _, address in names:
            try:
                made = _socket.socket(kind, type_, proto)
            except OSError:
                # A family that the system does not have.
                continue
            sockets.append(undo.enter_context(made))
            if reuse_address is None or reuse_address:
                made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, True)
            if reuse_port:
                _set_reuse_port(made)
            if kind == _socket.AF_INET6:
                made.setsockopt(_socket.IPPROTO_IPV6, _socket.IPV6_V6ONLY, True)
            try:
                made.bind(address)
            except OSError as error:
                raise OSError(
                    error.errno,
                    f"error while attempting to bind on address {address!r}: {str(error.strerror).lower()}",
                ) from None
        if not sockets:
            raise OSError(f"could not bind on any address out of {[name[4] for name in names]!r}")
        undo.pop_all()
    return sockets


def _set_reuse_port(made: _socket.socket) -> None:
    try:
        made.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEPORT, 1)
    except (AttributeError, OSError):
        raise ValueError("reuse_port not supported by socket module") from None


async def create_unix_server(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    path: Any = None,
    *,
    sock: _socket.socket | None = None,
    backlog: int = 100,
    ssl: Any = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    start_serving: bool = True,
    cleanup_socket: bool = sys.version_info >= (3, 13),
    **options: Unpack[ServerOptions],
) -> Any:
    """A server on a Unix socket; asyncio: "loop.create_unix_server()".

    options: what asyncio's does not have, see loop_factory().
    """
    if isinstance(ssl, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    check_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    check_backlog(backlog)
    wanted = server_options(usual_options(loop), options, "create_unix_server()")
    tls_options = tls_options_of(ssl, ssl_handshake_timeout, ssl_shutdown_timeout, server_side=True)
    given = sock is not None
    unlink = None
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        path = os.fspath(path)
        sock = _bound_to_path(path)
        if cleanup_socket and path[0] not in (0, "\0"):
            unlink = _unlinker(path)
    elif sock is None:
        raise ValueError("path was not specified, and no sock specified")
    elif sock.family != _socket.AF_UNIX or sock.type != _socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    sock.setblocking(False)
    server = Server(
        loop, [sock], protocol_factory, backlog, given,
        tls_options=tls_options, on_closed=unlink, **wanted,
    )  # fmt: skip
    return await _served(server, start_serving)


def _bound_to_path(path: Any) -> _socket.socket:
    made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    # asyncio: what another server has left there is no hindrance.
    if path[0] not in (0, "\0"):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.remove(path)
    try:
        made.bind(path)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(errno.EADDRINUSE, f"Address {path!r} is already in use") from None
        raise
    except BaseException:
        made.close()
        raise
    return made


def _unlinker(path: Any) -> Callable[[], None]:
    """Removes the socket file, unless it is another one by then."""
    inode = os.stat(path).st_ino

    def unlink() -> None:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_ino == inode:
                os.unlink(path)

    return unlink
