"""create_proxy(): a server that passes every connection on to another address.

The data goes through pipe(), and so as a rule through relays (see relaying.pyx): Python hears of a connection's
beginning and end.  Where one side has TLS each chunk goes through Python.  This is not in Node.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from uvnet._accept.proxy_protocol import build_header
from uvnet.addresses.address import Address
from uvnet.addresses.host_port import is_number, parse_host_port
from uvnet.addresses.ip import is_ip
from uvnet.arguments.checks import check_seconds, reject_unknown
from uvnet.arguments.keywords import (
    ForwardingKeywords,
    ServerKeywords,
    TLSKeywords,
    TLSServerKeywords,
    UpstreamKeywords,
)
from uvnet.errors.codes import invalid_type, invalid_value, out_of_range, timed_out
from uvnet.server.creating import create_server
from uvnet.server.server import Server
from uvnet.socket.connecting import defaults
from uvnet.socket.opening import connect
from uvnet.socket.options import SOCKET_OPTIONS, parse_connect_options
from uvnet.socket.socket import Socket
from uvnet.tls.opening import connect as connect_secure
from uvnet.tls.opening import create_server as create_secure_server
from uvnet.tls.security import parse_security, peer_name
from uvnet.tls.tls_socket import TLSSocket

if TYPE_CHECKING:
    import os

    from typing_extensions import Unpack

    from uvnet.addresses.address import Host

__all__ = ["create_proxy"]

_log = logging.getLogger("uvnet")

_UPSTREAM_OPTIONS = frozenset(UpstreamKeywords.__annotations__)
_UPSTREAM_SECURITY = frozenset(TLSKeywords.__annotations__)
_SERVER_SECURITY = frozenset(TLSServerKeywords.__annotations__) - frozenset(ServerKeywords.__annotations__)


def create_proxy(
    upstream: int | str | os.PathLike[str] | tuple[Host, int | str] | Address | UpstreamKeywords,
    *,
    connect_timeout: float = 10,
    idle_timeout: float | None = None,
    send_proxy_protocol: Literal[1, 2] | None = None,
    max_connections: int | None = None,
    tls: ssl.SSLContext | TLSServerKeywords | None = None,
    upstream_tls: bool | ssl.SSLContext | TLSKeywords | None = None,
    **options: Unpack[ForwardingKeywords],
) -> Server:
    """A Server that forwards: listen() as usual, then each connection is passed on to `upstream`.

    `upstream` is a port, "host:port" ("[::1]:port"), (host, port), an Address, the path of a Unix socket ("./name:1"
    where it looks like the others), or a mapping of options of connect(), without those that would change the data or
    which connection it is.
    Both directions are independent: an end (FIN) is carried over, a reset or an error cuts the other side too.

    connect_timeout: seconds, more than 0, to reach `upstream`, and what proxy_header_timeout is unless told otherwise;
    idle_timeout: seconds without traffic in either direction after which both sides are cut (None or 0: never);
    send_proxy_protocol: 1 or 2 to begin each connection to `upstream` with such a header;
    max_connections: clients at the same time, see Server.max_connections;
    tls: a server's ssl.SSLContext, or a mapping of the options of tls.create_server() about TLS: clients speak TLS,
    which ends here, and what is returned is a tls.Server;
    upstream_tls: True, a client's ssl.SSLContext, or a mapping of the options of tls.connect() about TLS: TLS is spoken
    to `upstream`, whose certificate must name its host or `servername`;
    no_delay, keep_alive: True unless told otherwise, on both sides;
    options: every other option of Server, such as accept_proxy_protocol.

    Events, beside those of Server: 'upstream' (client, socket) when a connection is about to be passed on,
    'upstreamError' (error, client) when that fails; without a listener the error is logged.
    Raises TypeError or ValueError for bad arguments, OSError for a key or certificate that cannot be read.
    This is not in Node.
    """
    target = _target(upstream)
    reject_unknown(target, _UPSTREAM_OPTIONS, "upstream")
    parse_connect_options(target, defaults.auto_select_family, defaults.attempt_timeout)
    Socket(**{name: value for name, value in target.items() if name in SOCKET_OPTIONS})
    if check_seconds(connect_timeout, "connect_timeout") == 0:
        raise out_of_range("connect_timeout", "> 0", connect_timeout)
    if idle_timeout is not None:
        check_seconds(idle_timeout, "idle_timeout")
    if send_proxy_protocol not in (None, 1, 2) or isinstance(send_proxy_protocol, bool):
        raise invalid_value("send_proxy_protocol", send_proxy_protocol, "must be 1, 2 or None")
    accepting: dict[str, Any] = {"no_delay": True, "keep_alive": True, **options, "allow_half_open": True}
    accepting.setdefault("proxy_header_timeout", connect_timeout)
    target["allow_half_open"] = True
    security = _upstream_security(upstream_tls, target)
    server: Server
    if tls is None:
        server = create_server(None, None, **accepting)
    else:
        server = create_secure_server(**_server_security(tls), **accepting)
    server.max_connections = max_connections
    for name in (
        "no_delay", "keep_alive", "keep_alive_initial_delay", "keep_alive_interval", "keep_alive_count",
    ):  # fmt: skip
        if name in accepting:
            target.setdefault(name, accepting[name])
    proxy = _Proxy(server, target, security, connect_timeout, idle_timeout, send_proxy_protocol)
    server._observe("connection" if tls is None else "secureConnection", proxy.pass_on)
    return server


def _server_security(tls: Any) -> dict[str, Any]:
    """The options of tls.create_server() that `tls` stands for."""
    if isinstance(tls, ssl.SSLContext):
        return {"context": tls}
    if not isinstance(tls, Mapping):
        raise invalid_type("tls", "an ssl.SSLContext or a mapping", tls)
    reject_unknown(tls, _SERVER_SECURITY, "tls")
    return dict(tls)


def _upstream_security(tls: Any, target: Mapping[str, Any]) -> dict[str, Any] | None:
    """The options of tls.connect() that `upstream_tls` stands for; None: no TLS."""
    if tls is None or tls is False:
        return None
    if tls is True:
        options: dict[str, Any] = {}
    elif isinstance(tls, ssl.SSLContext):
        options = {"context": tls}
    elif isinstance(tls, Mapping):
        options = dict(tls)
    else:
        raise invalid_type("upstream_tls", "of type bool, an ssl.SSLContext or a mapping", tls)
    reject_unknown(options, _UPSTREAM_SECURITY, "upstream_tls")
    host = None if target.get("path") else target.get("host") or target.get("address") or "localhost"
    # One context for all connections.
    security = parse_security(options, False)
    return {
        "context": security.context,
        "servername": peer_name(security, None if host is None else str(host)),
        "session": security.session,
        "handshake_timeout": security.handshake_timeout,
    }


def _target(upstream: Any) -> dict[str, Any]:
    """The options of connect() for where to go."""
    if isinstance(upstream, Mapping):
        return dict(upstream)
    if isinstance(upstream, Address):
        return upstream._asdict()
    if isinstance(upstream, tuple) and len(upstream) == 2:
        return {"host": upstream[0], "port": upstream[1]}
    if isinstance(upstream, int) and not isinstance(upstream, bool):
        return {"port": upstream}
    if isinstance(upstream, str) and upstream:
        return _parse_target(upstream)
    if hasattr(upstream, "__fspath__"):
        return {"path": upstream}
    raise invalid_type("upstream", "a port, an address, a path or a mapping", upstream)


def _parse_target(text: str) -> dict[str, Any]:
    """"port", "host:port" or a path."""
    if text.isdecimal():
        return {"port": text}
    found = parse_host_port(text)
    if found is None:
        return {"path": text}
    host, port, bracketed = found
    if port is None or (is_ip(host) == 6 and not bracketed):
        raise invalid_value("upstream", text, "must have a port, and an IPv6 address brackets")
    if not is_number(port):
        raise invalid_value(
            "upstream", text, f"is taken for a host and a port, which {port!r} cannot be; "
            f"the Unix socket of that name is {f'./{text}'!r}",
        )  # fmt: skip
    return {"host": host, "port": port}


class _Proxy:
    """What the connections of one proxy have in common."""

    def __init__(
        self,
        server: Server,
        target: dict[str, Any],
        security: dict[str, Any] | None,
        connect_timeout: float,
        idle_timeout: float | None,
        send_version: int | None,
    ) -> None:
        self.server = server
        self.target = target
        self.security = security
        self.connect_timeout = connect_timeout
        self.idle_timeout = idle_timeout
        self.send_version = send_version

    def pass_on(self, client: Socket) -> None:
        """Connect, and pipe both ways."""
        client._observe("error", _ignore)
        upstream = connect(**self.target) if self.security is None else connect_secure(**self.target, **self.security)
        try:
            self.join(client, upstream)
        except BaseException:
            # The client is destroyed by whom the exception reaches.
            upstream.destroy()
            raise

    def join(self, client: Socket, upstream: Socket) -> None:
        """Pass on what comes from either side to the other, and see to it that both end together."""

        def expired() -> None:
            upstream.destroy(timed_out("the connection was not made in time"))

        def connected() -> None:
            timer.cancel()
            upstream._stop_observing("error", refused)
            upstream._observe("error", _ignore)
            if self.idle_timeout is not None:
                for socket in (client, upstream):
                    socket.set_timeout(self.idle_timeout)
                    socket._observe("timeout", socket.destroy)

        def refused(error: BaseException) -> None:
            self.failed(error, client)

        def closed(had_error: bool) -> None:
            timer.cancel()
            _cut(client, had_error)

        timer = asyncio.get_running_loop().call_later(self.connect_timeout, expired)
        upstream._observe("error", refused)
        upstream._observe("connect" if self.security is None else "secureConnect", connected, once=True)
        upstream._observe("close", closed, once=True)
        client._observe("close", lambda had_error: _cut(upstream, had_error), once=True)
        if self.send_version is not None:
            header = build_header(self.send_version, _remote(client), _local(client))
            if isinstance(upstream, TLSSocket):
                upstream._say_first(header)
            else:
                upstream.write(header)
        self.server.emit("upstream", client, upstream)
        client.pipe(upstream)
        upstream.pipe(client)

    def failed(self, error: BaseException, client: Socket) -> None:
        if not self.server.emit("upstreamError", error, client):
            _log.warning("a connection to %r was not passed on: %s; it was %r", self.server, error, client)


def _ignore(_error: BaseException) -> None:
    """The other side hears of it: 'close' cuts it."""


def _cut(socket: Socket, had_error: bool) -> None:
    """The other side is gone: end this one too, with a reset where data may be missing."""
    if socket.destroyed or (not had_error and socket.writable_ended and socket.readable_ended):
        return
    if had_error:
        # A Unix socket, whose names may be those of a header, has no reset.
        with contextlib.suppress(TypeError):
            socket.reset_and_destroy()
    socket.destroy()


def _remote(socket: Socket) -> tuple[str, int] | None:
    address, port = socket.remote_address, socket.remote_port
    return None if address is None or port is None else (address, port)


def _local(socket: Socket) -> tuple[str, int] | None:
    address, port = socket.local_address, socket.local_port
    return None if address is None or port is None else (address, port)
