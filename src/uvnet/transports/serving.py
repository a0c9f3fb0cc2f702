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
from typing import Any

from uvnet.addresses.blocklist import BlockList
from uvnet.arguments.checks import check_integer
from uvnet.errors.codes import invalid_type
from uvnet.transports.server import Server

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


def limits_of(loop: Any, max_connections: int | None, block_list: Any) -> dict[str, Any]:
    """Those of a server, with what the loop has for all of its servers in the place of None."""
    max_connections = check_limits(max_connections, block_list)
    usual = getattr(loop, "_server_options", {})
    return {
        "max_connections": usual.get("max_connections") if max_connections is None else max_connections,
        "block_list": usual.get("block_list") if block_list is None else block_list,
    }


def check_backlog(backlog: Any) -> None:
    """Raise TypeError for a backlog that is no int."""
    if not isinstance(backlog, int):
        raise TypeError(f"backlog must be an integer, not {type(backlog).__name__}")


def check_limits(most: Any, block_list: Any) -> int | None:
    """max_connections as an int or None; raises for one that is none, and for a block_list that is none."""
    if block_list is not None and not isinstance(block_list, BlockList):
        raise invalid_type("block_list", "a BlockList", block_list)
    return None if most is None else check_integer(most, "max_connections", 2**31 - 1)


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
    keep_alive: bool | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    start_serving: bool = True,
    max_connections: int | None = None,
    block_list: Any = None,
) -> Any:
    """A server on TCP; asyncio: "loop.create_server()".

    max_connections: int, beyond which connections are closed at once; block_list: a BlockList of addresses whose
    connections are.  These are not in asyncio.
    """
    if isinstance(ssl, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    check_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    check_backlog(backlog)
    limits = limits_of(loop, max_connections, block_list)
    tls_options = tls_options_of(ssl, ssl_handshake_timeout, ssl_shutdown_timeout, server_side=True)
    if host is not None or port is not None:
        if sock is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        sockets = await _bound(loop, host, port, family, flags, reuse_address, reuse_port, keep_alive)
    elif sock is None:
        raise ValueError("Neither host/port nor sock were specified")
    else:
        check_stream(sock)
        sockets = [sock]
    for each in sockets:
        each.setblocking(False)
    server = Server(
        loop, sockets, protocol_factory, backlog, sock is not None,
        tls_options=tls_options, **limits,
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
    keep_alive: bool | None,
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
            if keep_alive:
                made.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, True)
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
    max_connections: int | None = None,
) -> Any:
    """A server on a Unix socket; asyncio: "loop.create_unix_server()"."""
    if isinstance(ssl, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    check_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    check_backlog(backlog)
    limits = limits_of(loop, max_connections, None)
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
        max_connections=limits["max_connections"], tls_options=tls_options, on_closed=unlink,
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
