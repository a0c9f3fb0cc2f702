"""create_connection() and its like of an event loop.  asyncio: "Opening network connections"."""

from __future__ import annotations

import asyncio
import builtins
import os
import socket as _socket
import ssl as _ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvloop.loop

from uvnet.transports.secure_transport import SecureTransport
from uvnet.transports.server_options import ConnectionOptions, connection_options
from uvnet.transports.serving import check_stream, check_tls, tls_options_of
from uvnet.transports.taking import begin, secure, take
from uvnet.transports.transport import Transport
from uvnet.transports.transport_options import TransportOptions

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["connect_accepted_socket", "create_connection", "create_unix_connection", "start_tls"]


async def create_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    host: str | None = None,
    port: int | None = None,
    *,
    ssl: Any = None,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    sock: _socket.socket | None = None,
    local_addr: tuple[str, int] | None = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    happy_eyeballs_delay: float | None = None,
    interleave: int | None = None,
    all_errors: bool = False,
    **options: Unpack[ConnectionOptions],
) -> tuple[Any, Any]:
    """(transport, protocol) of a TCP connection; asyncio: "loop.create_connection()".

    options: what asyncio's does not have, those of loop_factory() about connections.
    """
    wanted = connection_options(options, "create_connection()")
    if server_hostname is not None and not ssl:
        raise ValueError("server_hostname is only meaningful with ssl")
    check_tls(ssl or None, ssl_handshake_timeout, ssl_shutdown_timeout)
    if ssl and server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    tls_options = tls_options_of(
        client_context(ssl), ssl_handshake_timeout, ssl_shutdown_timeout, server_side=False
    )
    given = sock is not None
    if host is not None or port is not None:
        if sock is not None:
            raise ValueError("host/port and sock can not be specified at the same time")
        names = await loop.getaddrinfo(
            host, port, family=family, type=_socket.SOCK_STREAM, proto=proto, flags=flags
        )
        local_names = None
        if local_addr is not None:
            local_names = await loop.getaddrinfo(
                *local_addr, family=family, type=_socket.SOCK_STREAM, proto=proto, flags=flags
            )
        if not names or local_names == []:
            raise OSError("getaddrinfo() returned empty list")
        if interleave is None and happy_eyeballs_delay is not None:
            interleave = 1
        sock = await _Attempts(loop, _interleaved(names, interleave), local_names, all_errors).run(
            happy_eyeballs_delay
        )
    elif sock is None:
        raise ValueError("host and port was not specified and no sock specified")
    else:
        check_stream(sock)
    return await _transport(loop, sock, given, protocol_factory, wanted, tls_options, False, server_hostname)


async def create_unix_connection(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    path: Any = None,
    *,
    ssl: Any = None,
    sock: _socket.socket | None = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **options: Unpack[ConnectionOptions],
) -> tuple[Any, Any]:
    """(transport, protocol) of a connection on a Unix socket; asyncio: "loop.create_unix_connection()".

    options: what asyncio's does not have, those of loop_factory() about connections.
    """
    wanted = connection_options(options, "create_unix_connection()")
    if ssl:
        if server_hostname is None:
            raise ValueError("you have to pass server_hostname when using ssl")
    elif server_hostname is not None:
        raise ValueError("server_hostname is only meaningful with ssl")
    check_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    tls_options = tls_options_of(
        client_context(ssl), ssl_handshake_timeout, ssl_shutdown_timeout, server_side=False
    )
    given = sock is not None
    if path is not None:
        if sock is not None:
            raise ValueError("path and sock can not be specified at the same time")
        sock = await _connected(loop, _socket.AF_UNIX, 0, None, os.fspath(path))
    elif sock is None:
        raise ValueError("no path and sock were specified")
    elif sock.family != _socket.AF_UNIX or sock.type != _socket.SOCK_STREAM:
        raise ValueError(f"A UNIX Domain Stream Socket was expected, got {sock!r}")
    return await _transport(loop, sock, given, protocol_factory, wanted, tls_options, False, server_hostname)


async def connect_accepted_socket(
    loop: asyncio.AbstractEventLoop,
    protocol_factory: Callable[[], Any],
    sock: _socket.socket,
    *,
    ssl: Any = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **options: Unpack[ConnectionOptions],
) -> tuple[Any, Any]:
    """(transport, protocol) on a socket that was accepted elsewhere; asyncio: "loop.connect_accepted_socket()".

    options: what asyncio's does not have, those of loop_factory() about connections.
    """
    wanted = connection_options(options, "connect_accepted_socket()")
    if ssl is not None and not isinstance(ssl, _ssl.SSLContext):
        raise TypeError("ssl argument must be an SSLContext or None")
    check_stream(sock)
    check_tls(ssl, ssl_handshake_timeout, ssl_shutdown_timeout)
    tls_options = tls_options_of(ssl, ssl_handshake_timeout, ssl_shutdown_timeout, server_side=True)
    return await _transport(loop, sock, True, protocol_factory, wanted, tls_options, True, None)


def client_context(ssl: Any) -> Any:
    """The context of a client: True stands for the usual one."""
    return _ssl.create_default_context() if ssl is True else ssl or None


async def _transport(
    loop: asyncio.AbstractEventLoop,
    sock: _socket.socket,
    given: bool,
    protocol_factory: Callable[[], Any],
    options: TransportOptions,
    tls_options: Any,
    server_side: bool,
    server_hostname: str | None,
) -> tuple[Any, Any]:
    sock.setblocking(False)
    is_unix = sock.family == _socket.AF_UNIX
    try:
        protocol = protocol_factory()
        transport = take(loop, sock, given, is_unix, protocol, options, tls_options, server_side, server_hostname)
    except BaseException:
        if not given:
            sock.close()
        raise
    waiter: asyncio.Future[None] = loop.create_future()
    if tls_options is None:
        loop.call_soon(_begin, loop, transport, waiter)
    else:
        loop.call_soon(begin, transport, waiter)
    try:
        await waiter
    except BaseException:
        _close(loop, transport)
        raise
    return transport, protocol


def _close(loop: asyncio.AbstractEventLoop, transport: Any) -> None:
    # Whoever awaits may be collected after the loop is closed, which has taken the transport with it.
    if not loop.is_closed():
        transport.close()


def _begin(loop: asyncio.AbstractEventLoop, transport: Any, waiter: asyncio.Future[None]) -> None:
    try:
        transport._made()
    finally:
        if not waiter.done():
            waiter.set_result(None)
        # After whoever awaits the waiter, so that no data comes before it has its transport.
        loop.call_soon(transport._start_reading)


async def start_tls(
    loop: Any,
    transport: Any,
    protocol: Any,
    sslcontext: Any,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
) -> Any:
    """A transport with TLS in the place of `transport`; asyncio: "loop.start_tls()"."""
    if not isinstance(sslcontext, _ssl.SSLContext):
        raise TypeError(f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}")
    tls_options = tls_options_of(
        sslcontext, ssl_handshake_timeout, ssl_shutdown_timeout, server_side=server_side
    )
    assert tls_options is not None
    if type(transport) not in (Transport, SecureTransport):
        # One of uvloop's.
        return await uvloop.loop.Loop.start_tls(
            loop, transport, protocol, sslcontext, server_side=server_side, server_hostname=server_hostname,
            ssl_handshake_timeout=ssl_handshake_timeout, ssl_shutdown_timeout=ssl_shutdown_timeout,
        )  # fmt: skip
    waiter: asyncio.Future[None] = loop.create_future()
    secured = secure(transport, protocol, tls_options, server_side, server_hostname, waiter)
    try:
        await waiter
    except BaseException:
        _close(loop, secured)
        raise
    return secured


def _interleaved(names: list[Any], first: int | None) -> list[Any]:
    """Addresses with the families taking turns, after `first` of the family that comes first."""
    if not first:
        return names
    by_family: dict[int, list[Any]] = {}
    for name in names:
        by_family.setdefault(name[0], []).append(name)
    groups = list(by_family.values())
    ordered = groups[0][: first - 1]
    del groups[0][: first - 1]
    for index in range(max(map(len, groups))):
        ordered += [group[index] for group in groups if index < len(group)]
    return ordered


async def _connected(
    loop: asyncio.AbstractEventLoop, family: int, proto: int, local_names: Any, address: Any
) -> _socket.socket:
    """A new socket that is connected."""
    made = _socket.socket(family, _socket.SOCK_STREAM, proto)
    try:
        made.setblocking(False)
        if local_names is not None:
            _bind(made, [name[4] for name in local_names if name[0] == family])
        await loop.sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def _bind(made: _socket.socket, addresses: list[Any]) -> None:
    """Bind to the first address that will do."""
    failure = OSError(f"no matching local address with family={made.family!r} found")
    for address in addresses:
        try:
            made.bind(address)
        except OSError as error:
            failure = OSError(
                error.errno,
                f"error while attempting to bind on address {address!r}: {str(error.strerror).lower()}",
            )
        else:
            return
    raise failure


class _Attempts:
    """Attempts to connect to the addresses of a host, one after the other or, with a delay, side by side."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, names: list[Any], local_names: Any, all_errors: bool
    ) -> None:
        self.loop = loop
        self.names = names
        self.local_names = local_names
        self.all_errors = all_errors
        self.errors: list[OSError] = []

    async def run(self, delay: float | None) -> _socket.socket:
        """The socket of the first that succeeds; the errors of all where none does."""
        running: set[asyncio.Task[_socket.socket]] = set()
        waiting = list(self.names)
        winner: _socket.socket | None = None
        try:
            while waiting or running:
                if waiting:
                    family, _, proto, _, address = waiting.pop(0)
                    running.add(
                        self.loop.create_task(
                            _connected(self.loop, family, proto, self.local_names, address)
                        )
                    )
                done, running = await asyncio.wait(
                    running,
                    timeout=delay if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    try:
                        found = task.result()
                    except OSError as error:
                        self.errors.append(error)
                    else:
                        if winner is None:
                            winner = found
                        else:
                            found.close()
                if winner is not None:
                    return winner
        finally:
            for task in running:
                task.cancel()
                task.add_done_callback(_close_late)
        raise self.failure()

    def failure(self) -> BaseException:
        if self.all_errors:
            # CPython 3.11 and newer.
            group: BaseException = builtins.__dict__["ExceptionGroup"]("create_connection failed", self.errors)
            return group
        if len(self.errors) == 1 or len({str(error) for error in self.errors}) == 1:
            return self.errors[0]
        return OSError(f"Multiple exceptions: {', '.join(str(error) for error in self.errors)}")


def _close_late(task: asyncio.Task[_socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
