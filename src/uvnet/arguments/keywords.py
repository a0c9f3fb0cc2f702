"""The options of each call with their types: what may be given as keywords, or as one mapping.

These classes say which options exist; nothing here looks at values.  Where one is None the default counts.
A mapping whose keys a type checker cannot know is handed over as keywords: connect(**options).
Node: "new net.Socket([options])", "net.createServer()", "server.listen(options)", "socket.connect(options)".
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    import socket

    from typing_extensions import Buffer

    from uvnet.addresses.address import Host
    from uvnet.addresses.blocklist import BlockList
    from uvnet.server.server import Server
    from uvnet.socket.socket import Socket

__all__ = [
    "ConnectKeywords",
    "Drop",
    "ForwardingKeywords",
    "LimitKeywords",
    "ListenKeywords",
    "OnRead",
    "OpenKeywords",
    "QuicConnectKeywords",
    "QuicEndpointKeywords",
    "QuicListenKeywords",
    "QuicSocketKeywords",
    "SecureContextKeywords",
    "ServerKeywords",
    "SocketKeywords",
    "StartTLSKeywords",
    "TLSConnectKeywords",
    "TLSKeywords",
    "TLSServerKeywords",
    "TLSSocketKeywords",
    "UpstreamKeywords",
]


class OnRead(TypedDict):
    """The option onread: where to read to, and whom to tell.

    `buffer` is writable, or a function that returns the buffer for the next read; callback(nread, buffer)
    may return False to pause.
    """

    buffer: Buffer | Callable[[], Buffer | None]
    callback: Callable[[int, Any], object]


class _CommonKeywords(TypedDict, total=False):
    block_list: BlockList | None
    congestion: str | None
    high_water_mark: int | None
    keep_alive: bool
    keep_alive_count: int | None
    keep_alive_initial_delay: float
    keep_alive_interval: float | None
    max_buffered: int | None
    no_delay: bool
    not_sent_low_water: int | None
    on_max_buffered: Literal["destroy", "raise"]
    receive_buffer: int | None
    send_buffer: int | None
    user_timeout: float | None


class _ConnectionKeywords(_CommonKeywords, total=False):
    readable_high_water_mark: int | None
    type_of_service: int | None
    writable_high_water_mark: int | None


class SocketKeywords(_ConnectionKeywords, total=False):
    """Options of Socket()."""

    allow_half_open: bool
    encoding: str | None
    fd: int
    handle: int | socket.socket | Socket
    onread: OnRead | None
    readable: bool
    writable: bool


class UpstreamKeywords(_ConnectionKeywords, total=False):
    """Options of the connections that create_proxy() makes.

    Those of connect() that change neither the data nor which connection it is.
    """

    address: Host | None
    auto_select_family: bool | None
    auto_select_family_attempt_timeout: float | None
    bind_to_device: str | None
    family: Literal[0, 4, 6, "IPv4", "IPv6"] | None
    fast_open: bool | None
    hints: int | None
    host: Host | None
    local_address: Host | None
    local_port: int | None
    lookup: Callable[..., Any] | None
    path: str | bytes | os.PathLike[str] | None
    port: int | str


class ConnectKeywords(SocketKeywords, UpstreamKeywords, total=False):
    """Options of connect(), those of Socket() among them."""

    callback: Callable[[], object] | None
    timeout: float | None


# Addresses that have something in common: "10.0.0.0/8", or one address.
Network = str | IPv4Address | IPv4Network | IPv6Address | IPv6Network


class LimitKeywords(TypedDict, total=False):
    """Options of every server about who may connect, and for how long."""

    accept_rate: float | tuple[float, float] | None
    accept_rate_per_host: float | tuple[float, float] | None
    allow_list: BlockList | None
    first_data_timeout: float | None
    host_prefixes: tuple[int, int] | None
    max_connections_per_host: int | None
    max_lifetime: float | None
    max_total_buffered: int | None
    min_receive_rate: int | None
    preset: Literal["internet"] | None


class ForwardingKeywords(_CommonKeywords, LimitKeywords, total=False):
    """Options of create_proxy() that it has from Server()."""

    accept_proxy_protocol: bool | BlockList | Sequence[Network] | None
    allow_half_open: bool
    direct_connections: Literal["accept", "refuse"] | None
    max_proxy_header: int | None
    pause_on_connect: bool
    proxy_header_timeout: float
    shutdown_timeout: float | None


class ServerKeywords(ForwardingKeywords, total=False):
    """Options of Server() and create_server()."""

    idle_timeout: float | None


# As text or bytes, or the path of a file.
PEM = str | bytes | os.PathLike[str]


class _TLSKeywords(TypedDict, total=False):
    alpn_protocols: Iterable[str | bytes] | None
    ca: PEM | Sequence[PEM] | None
    cert: PEM | None
    ciphers: str | None
    key: PEM | None
    max_version: str | ssl.TLSVersion | None
    min_version: str | ssl.TLSVersion | None
    passphrase: str | bytes | None
    reject_unauthorized: bool | None
    request_cert: bool | None


class SecureContextKeywords(_TLSKeywords, total=False):
    """Options of create_secure_context()."""

    server_side: bool


class StartTLSKeywords(_TLSKeywords, total=False):
    """Options of start_tls(), beside its arguments."""

    handshake_timeout: float | None
    session: ssl.SSLSession | None


class TLSKeywords(StartTLSKeywords, total=False):
    """Options of TLS on a connection, whoever makes it."""

    context: ssl.SSLContext | None
    servername: Host | None


class TLSSocketKeywords(TLSKeywords, _ConnectionKeywords, total=False):
    """Options of TLSSocket()."""

    allow_half_open: bool
    encoding: str | None
    is_server: bool
    onread: OnRead | None


class TLSConnectKeywords(TLSKeywords, UpstreamKeywords, total=False):
    """Options of tls.connect()."""

    allow_half_open: bool
    callback: Callable[[], object] | None
    encoding: str | None
    onread: OnRead | None
    socket: Socket | None
    timeout: float | None


class OpenKeywords(ConnectKeywords, TLSKeywords, total=False):
    """Options of open_connection(); those of TLS where `tls` is given."""

    tls: bool | ssl.SSLContext | None


class TLSServerKeywords(_TLSKeywords, ServerKeywords, total=False):
    """Options of tls.Server() and tls.create_server()."""

    context: ssl.SSLContext | None
    handshake_timeout: float | None
    sni_callback: Callable[[str], ssl.SSLContext | None] | None


class ListenKeywords(TypedDict, total=False):
    """Options of listen()."""

    backlog: int | None
    bind_to_device: str | None
    callback: Callable[[], object] | None
    defer_accept: float | None
    exclusive: bool
    fast_open: bool | int | None
    fd: int
    group: int | str | None
    handle: int | socket.socket | Socket | Server
    host: Host | Sequence[Host] | None
    ipv6_only: bool
    mode: int | None
    owner: int | str | None
    path: str | bytes | os.PathLike[str] | None
    port: int | str | None
    readable_all: bool
    replace_stale: bool
    reuse_port: bool
    writable_all: bool


# A look-up of QUIC: (address or None, 4 or 6) to an awaitable of a str or of {"address": str}.
QuicLookup = Callable[[str | None, int], Any]


class QuicEndpointKeywords(TypedDict, total=False):
    """Options of QuicSocket.add_endpoint()."""

    address: str | None
    ipv6_only: bool
    lookup: QuicLookup | None
    port: int
    preferred: bool
    reuse_addr: bool
    type: Literal["udp4", "udp6", "udp6-only"]


class _QuicKeywords(TypedDict, total=False):
    active_connection_id_limit: int
    alpn: str
    ca: PEM | Sequence[PEM] | None
    cert: PEM | Sequence[PEM] | None
    ciphers: str | None
    client_cert_engine: None
    congestion_algorithm: Literal["reno", "cubic"]
    context: Any
    crl: PEM | Sequence[PEM] | None
    default_encoding: str
    dhparam: None
    ecdh_curve: str | None
    groups: str | None
    h3: Mapping[str, int]
    high_water_mark: int
    honor_cipher_order: None
    idle_timeout: float
    key: Any
    lookup: QuicLookup | None
    max_ack_delay: float
    max_data: int
    max_stream_data_bidi_local: int
    max_stream_data_bidi_remote: int
    max_stream_data_uni: int
    max_streams_bidi: int
    max_streams_uni: int
    max_udp_payload_size: int
    ocsp_handler: None
    passphrase: str | bytes | None
    pfx: Any
    reject_unauthorized: bool
    secure_options: None
    session_id_context: None


class QuicConnectKeywords(_QuicKeywords, total=False):
    """Options of QuicSocket.connect()."""

    address: str
    auto_start: bool
    dcid: bytes | str | None
    ipv6_only: bool
    min_dh_size: int
    port: int
    preferred_address_policy: Literal["accept", "reject"]
    qlog: bool
    remote_transport_params: bytes | None
    servername: str | None
    session_ticket: bytes | None
    type: Literal["udp4", "udp6"]
    verify_hostname_identity: bool


class QuicListenKeywords(_QuicKeywords, total=False):
    """Options of QuicSocket.listen()."""

    client_hello_handler: Callable[..., Any] | None
    early_data: bool
    preferred_address: Mapping[str, Any] | None
    request_cert: bool


class QuicSocketKeywords(TypedDict, total=False):
    """Options of create_quic_socket()."""

    client: QuicConnectKeywords
    disable_stateless_reset: bool
    endpoint: QuicEndpointKeywords
    lookup: QuicLookup | None
    max_connections: int | None
    max_connections_per_host: int
    max_stateless_resets_per_host: int
    qlog: bool
    retry_token_timeout: float
    server: QuicListenKeywords
    stateless_reset_secret: Buffer | None
    validate_address: bool


class _Reason(TypedDict):
    reason: Literal[
        "connection limit", "block list", "allow list", "accept rate", "host limit", "host rate", "file descriptors",
        "proxy header", "tls", "idle", "no data", "lifetime", "receive rate", "buffered",
    ]  # fmt: skip


class Drop(_Reason, total=False):
    """What 'drop' tells about a connection that was closed at once; the addresses on TCP only.

    `error` says what was wrong with its PROXY header or its TLS.
    """

    error: Exception
    local_address: str
    local_family: Literal["IPv4", "IPv6"]
    local_port: int
    remote_address: str
    remote_family: Literal["IPv4", "IPv6"]
    remote_port: int
