"""The options of Socket() and connect(), checked before any state changes (decision 6).

Node: "new net.Socket([options])", "socket.connect()"; rules 2.1 and 2.2.
"""

from __future__ import annotations

import socket as _socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from uvnet.addresses.endpoint import check_host
from uvnet.addresses.ip import is_ip, text_of
from uvnet.arguments.checks import check_attempt_timeout, check_path, check_port, parse_keep_alive
from uvnet.arguments.keywords import ConnectKeywords, SocketKeywords
from uvnet.errors.codes import (
    bad_port,
    invalid_callback,
    invalid_ip,
    invalid_type,
    invalid_value,
    missing_arguments,
)
from uvnet.socket.system_options import (
    ACCEPTED_OPTIONS,
    CONNECTING_OPTIONS,
    SystemOption,
    parse_system_options,
)

__all__ = [
    "CONNECT_OPTIONS",
    "SOCKET_OPTIONS",
    "ConnectOptions",
    "TunableOptions",
    "parse_connect_options",
    "parse_tunable_options",
]


class TunableOptions(NamedTuple):
    """What can be set on a connection, checked; None where nothing was said."""

    no_delay: bool | None
    keep_alive: bool | None
    keep_alive_delay: int
    keep_alive_interval: int | None
    keep_alive_count: int | None
    system: dict[str, SystemOption]


class ConnectOptions(NamedTuple):
    """What connect() has been asked to do, checked."""

    path: str | None
    host: str
    port: int
    family: int
    hints: int
    lookup: Callable[..., Any] | None
    local_address: str | None
    local_port: int
    auto_select_family: bool
    attempt_timeout: float


SOCKET_OPTIONS = frozenset(SocketKeywords.__annotations__)
CONNECT_OPTIONS = frozenset(ConnectKeywords.__annotations__)
_HINTS = int(_socket.AI_ADDRCONFIG | _socket.AI_ALL | _socket.AI_V4MAPPED)
_FAMILIES = {None: 0, 0: 0, 4: 4, 6: 6, "IPv4": 4, "IPv6": 6}


def parse_tunable_options(options: Mapping[str, Any]) -> TunableOptions:
    """Check those options of Socket() and connect() that can be set on a connection."""
    return TunableOptions(
        *parse_keep_alive(options), parse_system_options(options, {**ACCEPTED_OPTIONS, **CONNECTING_OPTIONS})
    )


def parse_connect_options(
    options: Mapping[str, Any], default_auto_select: bool, default_attempt_timeout: float
) -> ConnectOptions:
    """Check the options of connect(), in Node's order (rule 2.2.2)."""
    path = options.get("path")
    port = options.get("port")
    if path == "":
        path = None
        port = options.get("port", 0)
    if path is None and port is None:
        if options.get("port", 0) is None:
            raise invalid_type("options.port", "one of type int or str", None)
        raise missing_arguments()
    if path is not None:
        path = check_path(path, "options.path")
        return ConnectOptions(path, "", 0, 0, 0, None, None, 0, False, 0)
    local_address = options.get("local_address")
    if local_address is not None:
        local_address = text_of(local_address)
        if not is_ip(local_address):
            raise invalid_ip(options["local_address"])
    local_port = options.get("local_port")
    if local_port is None:
        local_port = 0
    elif isinstance(local_port, bool) or not isinstance(local_port, int):
        raise invalid_type("options.local_port", "of type int", local_port)
    elif not 0 <= local_port <= 65535:
        raise bad_port("options.local_port", local_port)
    port = check_port(port, "Port", "options.port")
    host = check_host(options.get("host"), "options.host")
    if host is None:
        host = check_host(options.get("address"), "options.address") or "localhost"
    lookup = options.get("lookup")
    if lookup is not None and not callable(lookup):
        raise invalid_callback(lookup, "options.lookup")
    hints = options.get("hints")
    if hints is None:
        hints = 0
    elif isinstance(hints, bool) or not isinstance(hints, int):
        raise invalid_type("options.hints", "of type int", hints)
    elif hints & ~_HINTS and lookup is None:
        raise invalid_value("options.hints", hints)
    family = options.get("family")
    if isinstance(family, bool) or not isinstance(family, int | str | None):
        raise invalid_type("options.family", "0, 4, 6, 'IPv4' or 'IPv6'", family)
    if family not in _FAMILIES:
        raise invalid_value("options.family", family, "must be one of: 0, 4, 6")
    auto_select = options.get("auto_select_family")
    if auto_select is None:
        auto_select = default_auto_select
    elif not isinstance(auto_select, bool):
        raise invalid_type("options.auto_select_family", "of type bool", auto_select)
    attempt_timeout = options.get("auto_select_family_attempt_timeout")
    if attempt_timeout is None:
        attempt_timeout = default_attempt_timeout
    else:
        attempt_timeout = check_attempt_timeout(
            attempt_timeout, "options.auto_select_family_attempt_timeout"
        )
    return ConnectOptions(
        None, host, port, _FAMILIES[family], hints, lookup,
        local_address, local_port, auto_select, attempt_timeout,
    )  # fmt: skip
