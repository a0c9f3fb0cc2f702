"""create_server() and create_unix_server() of an event loop.  asyncio: "Creating network servers"."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import socket as _socket
import ssl as _ssl
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from uvnet._accept.listener import Lease
from uvnet._accept.sharing import ListeningSource, Wanted, listening_source
from uvnet._accept.socket_files import SocketFile, bound_inode, check_socket_file, unlink_if_same
from uvnet._accept.stale_files import PathInUse, bind_to_path, who_is_there
from uvnet.transports.server import Server
from uvnet.transports.server_options import (
    FILE_OPTIONS,
    ServerOptions,
    UnixServerOptions,
    server_options,
)

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
        sockets, leases = await _bound(
            loop, host, port, family, flags, reuse_address, reuse_port, backlog
        )
    elif sock is None:
        raise ValueError("Neither host/port nor sock were specified")
    else:
        check_stream(sock)
        sockets, leases = [sock], []
    for each in sockets:
        each.setblocking(False)
    server = Server(
        loop, sockets, protocol_factory, backlog, sock is not None,
        tls_options=tls_options, leases=leases, **wanted,
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
    backlog: int,
) -> tuple[list[_socket.socket], list[Lease]]:
    """A socket for each address of the hosts; all of them, or the error of the first that cannot be.

    Their leases, where they are another process's.
    """
    hosts: Iterable[Any] = [None] if host == "" else [host] if isinstance(host, str) or host is None else host
    found = await asyncio.gather(
        *[
            loop.getaddrinfo(each, port, family=family, type=_socket.SOCK_STREAM, flags=flags)
            for each in hosts
        ]
    )
    names = dict.fromkeys(itertools.chain.from_iterable(found))
    source = None if reuse_port else listening_source()
    if source is not None:
        wanted = [
            Wanted(str(name[4][0]), int(name[4][1]), None, backlog, ipv6_only=True)
            for name in names
            if name[0] in (_socket.AF_INET, _socket.AF_INET6)
        ]
        return await _granted(loop, source, wanted)
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
                raise cannot_bind(error, address) from None
        if not sockets:
            raise OSError(f"could not bind on any address out of {[name[4] for name in names]!r}")
        undo.pop_all()
    return sockets, []


def cannot_bind(error: OSError, address: Any) -> OSError:
    """What asyncio says of it."""
    reason = os.strerror(error.errno or 0).lower()
    return OSError(error.errno, f"error while attempting to bind on address {address!r}: {reason}")


async def _granted(
    loop: asyncio.AbstractEventLoop, source: ListeningSource, wanted: Iterable[Wanted]
) -> tuple[list[_socket.socket], list[Lease]]:
    """Sockets that another process has, and the leases of them; all, or the error of the first that cannot be."""
    sockets: list[_socket.socket] = []
    leases: list[Lease] = []
    with contextlib.ExitStack() as undo:
        for each in wanted:
            error, descriptor, lease = await ask(loop, source, each)
            if error is not None or lease is None:
                if each.path is not None and error is not None and error.errno == errno.EADDRINUSE:
                    raise _path_in_use(each.path, who_is_there(each.path))
                place = each.path if each.path is not None else (each.address, each.port)
                raise cannot_bind(error or OSError(), place)
            undo.callback(lease.give_up)
            sockets.append(undo.enter_context(_socket.socket(fileno=descriptor)))
            leases.append(lease)
        undo.pop_all()
    return sockets, leases


async def ask(
    loop: asyncio.AbstractEventLoop, source: ListeningSource, wanted: Wanted
) -> tuple[OSError | None, int, Lease | None]:
    """What the source answers; cancelled, whatever comes is given back."""
    answer: asyncio.Future[tuple[OSError | None, int, Lease | None]] = loop.create_future()

    def answered(error: OSError | None, descriptor: int, lease: Lease | None) -> None:
        if not answer.done():
            answer.set_result((error, descriptor, lease))
        elif lease is not None:
            lease.give_up()
            os.close(descriptor)

    source.request(wanted, answered)
    return await answer


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
    **options: Unpack[UnixServerOptions],
) -> Any:
    """A server on a Unix socket; asyncio: "loop.create_unix_server()".

    options: what asyncio's does not have, see loop_factory(); mode, owner and group of the socket file, see
    Server.listen(); replace_stale: True to replace a socket file on which nobody listens, and False to replace none,
    not any as asyncio does.
    """
    if isinstance(ssl, bool):
        raise TypeError("ssl argument must be an SSLContext or None")
    check_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    check_backlog(backlog)
    given_file = {name: options.pop(name) for name in FILE_OPTIONS if name in options}  # type: ignore[misc]
    wanted = server_options(usual_options(loop), options, "create_unix_server()")
    tls_options = tls_options_of(ssl, ssl_handshake_timeout, ssl_shutdown_timeout, server_side=True)
    given = sock is not None
    file = check_socket_file(given_file, None if path is None else os.fsdecode(path), "")
    unlink = None
    leases: list[Lease] = []
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        path = os.fspath(path)
        # asyncio: what another server has left there is no hindrance.
        replaces = given_file.get("replace_stale") is None
        source = listening_source()
        if source is not None:
            wanted_path = Wanted(None, 0, os.fsdecode(path), backlog, False, file, replaces)
            (sock,), leases = await _granted(loop, source, [wanted_path])
        else:
            sock = _bound_to_path(path, file, replaces)
        if source is None and cleanup_socket and path[0] not in (0, "\0"):
            unlink = _unlinker(path)
    elif sock is None:
        raise ValueError("path was not specified, and no sock specified")
    elif sock.family != _socket.AF_UNIX or sock.type != _socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    sock.setblocking(False)
    server = Server(
        loop, [sock], protocol_factory, backlog, given,
        tls_options=tls_options, on_closed=unlink, leases=leases, **wanted,
    )  # fmt: skip
    return await _served(server, start_serving)


def _bound_to_path(path: Any, file: SocketFile, replaces: bool) -> _socket.socket:
    def bind() -> _socket.socket:
        made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            made.bind(path)
        except BaseException:
            made.close()
            raise
        return made

    try:
        return bind_to_path(bind, os.fsdecode(path), file, replaces)
    except PathInUse as error:
        raise _path_in_use(path, error.detail) from None


def _path_in_use(path: Any, detail: str | None) -> OSError:
    """What asyncio says of it, and who is there."""
    why = "" if detail is None else f" ({detail})"
    return OSError(errno.EADDRINUSE, f"Address {path!r} is already in use{why}")


def _unlinker(path: Any) -> Callable[[], None]:
    """Removes the socket file, unless it is another one by then."""
    name = os.fsdecode(path)
    inode = bound_inode(name)

    def unlink() -> None:
        unlink_if_same(name, inode)

    return unlink
