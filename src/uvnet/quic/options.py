"""The options of create_quic_socket(), add_endpoint(), listen() and connect(), checked.  Sections 1, 2, 5 and 6.

What a context is made of (certificates, ciphers) is the business of context.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from uvnet.arguments.checks import check_high_water_mark, check_port, merge_options, reject_unknown
from uvnet.arguments.keywords import (
    QuicConnectKeywords,
    QuicEndpointKeywords,
    QuicListenKeywords,
    QuicSocketKeywords,
)
from uvnet.errors.codes import (
    invalid_callback,
    invalid_type,
    invalid_value,
    not_in_quic,
    out_of_range,
    quic_error,
)
from uvnet.streams.encoding import canonical_encoding

__all__ = [
    "ConnectOptions",
    "EndpointOptions",
    "ListenOptions",
    "SessionOptions",
    "SocketOptions",
    "parse_connect_options",
    "parse_endpoint_options",
    "parse_listen_options",
    "parse_socket_options",
]

ENDPOINT_OPTIONS = frozenset(QuicEndpointKeywords.__annotations__)
SOCKET_OPTIONS = frozenset(QuicSocketKeywords.__annotations__)
CONNECT_OPTIONS = frozenset(QuicConnectKeywords.__annotations__)
LISTEN_OPTIONS = frozenset(QuicListenKeywords.__annotations__)

HIGH_WATER_MARK = 16384
LARGEST = 2**62 - 1  # what QUIC can say
HTTP3 = "h3"

_REFUSED = {
    "ocsp_handler": "the engine knows no OCSP",
    "dhparam": "TLS 1.3 has groups of its own: see `groups`",
    "client_cert_engine": "there is no OpenSSL engine to ask",
    "secure_options": "they are OpenSSL's, which does not do this handshake",
    "honor_cipher_order": "the server's order is honoured always",
    "session_id_context": "TLS 1.3 has no session ids",
}


@dataclass(frozen=True)
class EndpointOptions:
    """Of add_endpoint()."""

    address: str | None = None
    port: int = 0
    ipv6: bool = False
    ipv6_only: bool = False
    reuse_address: bool = False
    preferred: bool = False
    lookup: Callable[..., Any] | None = None


@dataclass(frozen=True)
class SocketOptions:
    """Of create_quic_socket()."""

    endpoint: EndpointOptions
    client: dict[str, Any]
    server: dict[str, Any]
    lookup: Callable[..., Any] | None
    max_connections: int | None
    max_connections_per_host: int
    max_resets_per_host: int
    retry_token_timeout: float
    validate_address: bool
    reset_secret: bytes
    disable_reset: bool
    qlog: bool


@dataclass(frozen=True)
class SessionOptions:
    """What a session is made with on either side; sizes in bytes, times in seconds."""

    alpn: str
    high_water_mark: int = HIGH_WATER_MARK
    default_encoding: str = "utf8"
    active_connection_id_limit: int = 2
    max_data: int = 1048576
    max_stream_data_bidi_local: int = 262144
    max_stream_data_bidi_remote: int = 262144
    max_stream_data_uni: int = 262144
    max_streams_bidi: int = 100
    max_streams_uni: int = 3
    idle_timeout: float = 10
    max_ack_delay: float = 0.025
    max_udp_payload_size: int | None = None
    congestion_algorithm: str = "reno"
    h3: Mapping[str, int] | None = None


@dataclass(frozen=True)
class ListenOptions:
    """Of listen()."""

    session: SessionOptions
    given: Mapping[str, Any]  # what a context is made of
    early_data: bool
    request_cert: bool
    reject_unauthorized: bool
    preferred_address: EndpointOptions | None
    client_hello_handler: Callable[..., Any] | None
    lookup: Callable[..., Any] | None


@dataclass(frozen=True)
class ConnectOptions:
    """Of connect()."""

    session: SessionOptions
    given: Mapping[str, Any]  # what a context is made of
    address: str
    port: int
    ipv6: bool
    servername: str | None
    session_ticket: bytes | None
    remote_transport_params: bytes | None
    accept_preferred_address: bool
    qlog: bool
    auto_start: bool
    dcid: bytes | None
    reject_unauthorized: bool
    verify_hostname: bool
    lookup: Callable[..., Any] | None


def parse_endpoint_options(
    options: Any, keywords: Mapping[str, Any], default_lookup: Callable[..., Any] | None, where: str = "add_endpoint()"
) -> EndpointOptions:
    """Raises TypeError or ValueError for bad options."""
    given = merge_options(options, keywords)
    reject_unknown(given, ENDPOINT_OPTIONS, where)
    ipv6, ipv6_only = _family(given, ("udp4", "udp6", "udp6-only"))
    address = given.get("address")
    if address is not None and not isinstance(address, str):
        raise invalid_type("options.address", "of type str", address)
    return EndpointOptions(
        address=address or None,
        port=check_port(given.get("port", 0), "options.port", "options.port"),
        ipv6=ipv6,
        ipv6_only=ipv6_only or _switch(given, "ipv6_only", False),
        reuse_address=_switch(given, "reuse_addr", False),
        preferred=_switch(given, "preferred", False),
        lookup=_function(given, "lookup") or default_lookup,
    )


def parse_socket_options(options: Any, keywords: Mapping[str, Any]) -> SocketOptions:
    """Raises TypeError or ValueError for bad options."""
    given = merge_options(options, keywords)
    reject_unknown(given, SOCKET_OPTIONS, "create_quic_socket()")
    lookup = _function(given, "lookup")
    endpoint = given.get("endpoint")
    secret = given.get("stateless_reset_secret")
    if secret is None:
        secret = os.urandom(16)
    else:
        try:
            secret = bytes(memoryview(secret))
        except TypeError:
            raise invalid_type("options.stateless_reset_secret", "a bytes-like object", secret) from None
        if len(secret) != 16:
            raise invalid_value("options.stateless_reset_secret", secret, "must be exactly 16 bytes in length")
    client = merge_options(given.get("client"), {}, "options.client")
    server = merge_options(given.get("server"), {}, "options.server")
    reject_unknown(client, CONNECT_OPTIONS, "options.client")
    reject_unknown(server, LISTEN_OPTIONS, "options.server")
    most = given.get("max_connections")
    return SocketOptions(
        endpoint=parse_endpoint_options(
            {"port": 0, "type": "udp4"} if endpoint is None else endpoint, {}, lookup, "options.endpoint"
        ),
        client=client,
        server=server,
        lookup=lookup,
        max_connections=None if most is None else _integer(given, "max_connections", 0, 1, LARGEST),
        max_connections_per_host=_integer(given, "max_connections_per_host", 100, 1, LARGEST),
        max_resets_per_host=_integer(given, "max_stateless_resets_per_host", 10, 1, LARGEST),
        retry_token_timeout=_seconds(given, "retry_token_timeout", 10, 1, 60),
        validate_address=_switch(given, "validate_address", False),
        reset_secret=secret,
        disable_reset=_switch(given, "disable_stateless_reset", False),
        qlog=_switch(given, "qlog", False),
    )


def parse_listen_options(options: Any, keywords: Mapping[str, Any], defaults: Mapping[str, Any]) -> ListenOptions:
    """Raises TypeError or ValueError for bad options."""
    given = {**defaults, **merge_options(options, keywords)}
    reject_unknown(given, LISTEN_OPTIONS, "listen()")
    preferred = given.get("preferred_address")
    return ListenOptions(
        session=_session_options(given, HTTP3),
        given=given,
        early_data=_switch(given, "early_data", True),
        request_cert=_switch(given, "request_cert", False),
        reject_unauthorized=_switch(given, "reject_unauthorized", True),
        preferred_address=None
        if preferred is None
        else parse_endpoint_options(preferred, {}, None, "options.preferred_address"),
        client_hello_handler=_function(given, "client_hello_handler"),
        lookup=_function(given, "lookup"),
    )


def parse_connect_options(
    options: Any, keywords: Mapping[str, Any], defaults: Mapping[str, Any], default_lookup: Callable[..., Any] | None
) -> ConnectOptions:
    """Raises TypeError or ValueError for bad options."""
    given = {**defaults, **merge_options(options, keywords)}
    reject_unknown(given, CONNECT_OPTIONS, "connect()")
    address = given.get("address", "localhost")
    if not isinstance(address, str):
        raise invalid_type("options.address", "of type str", address)
    ipv6, _ = _family(given, ("udp4", "udp6"))
    servername = given.get("servername")
    if servername is not None:
        if not isinstance(servername, str):
            raise invalid_type("options.servername", "of type str", servername)
        if _is_ip(servername):
            raise invalid_value("options.servername", servername, "cannot be an IP address")
    elif not _is_ip(address):
        servername = address
    ticket, parameters = given.get("session_ticket"), given.get("remote_transport_params")
    for value, name, code in (
        (ticket, "session_ticket", "INVALID_TLS_SESSION_TICKET"),
        (parameters, "remote_transport_params", "INVALID_REMOTE_TRANSPORT_PARAMS"),
    ):
        if value is not None and not isinstance(value, bytes | bytearray | memoryview):
            raise invalid_type(f"options.{name}", "a bytes-like object", value)
        if value is not None and not bytes(value):
            raise quic_error(code, f"The property 'options.{name}' cannot be used: it is empty")
    return ConnectOptions(
        session=_session_options(given, None),
        given=given,
        address=address,
        port=check_port(given.get("port", 0), "options.port", "options.port"),
        ipv6=ipv6,
        servername=servername,
        session_ticket=None if ticket is None else bytes(ticket),
        remote_transport_params=None if parameters is None else bytes(parameters),
        accept_preferred_address=given.get("preferred_address_policy") == "accept",
        qlog=_switch(given, "qlog", False),
        auto_start=_switch(given, "auto_start", True),
        dcid=_connection_id(given.get("dcid")),
        reject_unauthorized=_switch(given, "reject_unauthorized", True),
        verify_hostname=_switch(given, "verify_hostname_identity", True),
        lookup=_function(given, "lookup") or default_lookup,
    )


def _session_options(given: Mapping[str, Any], default_alpn: str | None) -> SessionOptions:
    for name, reason in _REFUSED.items():
        if given.get(name) is not None:
            raise not_in_quic(name, reason)
    alpn = given.get("alpn", default_alpn)
    if not isinstance(alpn, str):
        raise invalid_type("options.alpn", "of type str", alpn)
    if not alpn or len(alpn) > 255 or not alpn.isascii():
        raise invalid_value("options.alpn", alpn, "must be 1 to 255 ASCII characters")
    algorithm = given.get("congestion_algorithm", "reno")
    if algorithm not in ("reno", "cubic"):
        raise invalid_value("options.congestion_algorithm", algorithm, "must be one of: 'reno', 'cubic'")
    encoding = given.get("default_encoding", "utf8")
    try:
        canonical_encoding(encoding)
    except TypeError:
        raise invalid_value("options.default_encoding", encoding, "is not a known encoding") from None
    payload = given.get("max_udp_payload_size")
    # RFC 9000, section 18.2: what a peer may allow at least, and a datagram has at most.
    if payload is not None:
        payload = _integer(given, "max_udp_payload_size", 0, 1200, 65527)
    return SessionOptions(
        alpn=alpn,
        high_water_mark=check_high_water_mark(
            given.get("high_water_mark", HIGH_WATER_MARK), "options.high_water_mark"
        ),
        default_encoding=encoding,
        active_connection_id_limit=_integer(given, "active_connection_id_limit", 2, 2, 8),
        max_data=_integer(given, "max_data", 1048576, 0, LARGEST),
        max_stream_data_bidi_local=_integer(given, "max_stream_data_bidi_local", 262144, 0, LARGEST),
        max_stream_data_bidi_remote=_integer(given, "max_stream_data_bidi_remote", 262144, 0, LARGEST),
        max_stream_data_uni=_integer(given, "max_stream_data_uni", 262144, 0, LARGEST),
        max_streams_bidi=_integer(given, "max_streams_bidi", 100, 0, 2**60),
        max_streams_uni=_integer(given, "max_streams_uni", 3, 0, 2**60),
        idle_timeout=_seconds(given, "idle_timeout", 10, 0, 2**31),
        max_ack_delay=_seconds(given, "max_ack_delay", 0.025, 0, 16.383),
        max_udp_payload_size=payload,
        congestion_algorithm=algorithm,
        h3=_http3_options(given.get("h3")),
    )


_HTTP3_OPTIONS = frozenset(
    (
        "qpack_max_table_capacity", "qpack_blocked_streams", "max_header_list_size", "max_pushes", "max_header_pairs",
        "max_header_length",
    )
)  # fmt: skip


def _http3_options(given: Any) -> Mapping[str, int]:
    options = merge_options(given, {}, "options.h3")
    reject_unknown(options, _HTTP3_OPTIONS, "options.h3")
    return {name: _integer(options, name, 0, 0, LARGEST, "options.h3") for name in options}


def _family(given: Mapping[str, Any], kinds: tuple[str, ...]) -> tuple[bool, bool]:
    kind = given.get("type", "udp4")
    if kind not in kinds:
        raise invalid_value("options.type", kind, f"must be one of: {', '.join(map(repr, kinds))}")
    return kind != "udp4", kind == "udp6-only"


def _is_ip(text: str) -> bool:
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _connection_id(given: Any) -> bytes | None:
    if given is None:
        return None
    value = given
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            raise invalid_value("options.dcid", given, "must be hexadecimal") from None
    if not isinstance(value, bytes | bytearray):
        raise invalid_type("options.dcid", "of type bytes, or a hexadecimal str", given)
    # RFC 9000, section 7.2.
    if not 8 <= len(value) <= 20:
        raise invalid_value("options.dcid", given, "must be 8 to 20 bytes")
    return bytes(value)


def _function(given: Mapping[str, Any], name: str) -> Callable[..., Any] | None:
    function = given.get(name)
    if function is not None and not callable(function):
        raise invalid_callback(function, f"options.{name}")
    return function


def _switch(given: Mapping[str, Any], name: str, default: bool) -> bool:
    value = given.get(name, default)
    if not isinstance(value, bool):
        raise invalid_type(f"options.{name}", "of type bool", value)
    return value


def _integer(
    given: Mapping[str, Any], name: str, default: int, lowest: int, highest: int, where: str = "options"
) -> int:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(f"{where}.{name}", "of type int", value)
    if not lowest <= value <= highest:
        raise out_of_range(f"{where}.{name}", f">= {lowest} and <= {highest}", value)
    return value


def _seconds(given: Mapping[str, Any], name: str, default: float, lowest: float, highest: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(f"options.{name}", "of type int or float", value)
    if not lowest <= value <= highest:
        raise out_of_range(f"options.{name}", f">= {lowest} and <= {highest}", value)
    return value
