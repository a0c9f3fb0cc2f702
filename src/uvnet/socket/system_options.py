"""Options of the system's sockets that calls take by name: which there are, and their values, checked.

They are set before a socket connects or listens, as some count only then.  What listens gives its own to what it
accepts: the system does that, so an accepted connection costs no call.
"""

from __future__ import annotations

import math
import socket as _socket
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from uvnet.arguments.checks import check_seconds
from uvnet.errors.codes import feature_unavailable, invalid_type, invalid_value, out_of_range

__all__ = [
    "ACCEPTED_OPTIONS",
    "CONNECTING_OPTIONS",
    "LISTENING_OPTIONS",
    "SystemOption",
    "for_unix_sockets",
    "parse_system_options",
]

MOST_BYTES = 2**30
FAST_OPEN_QUEUE = 256  # connections whose data came with their first packet, waiting to be accepted


class SystemOption(NamedTuple):
    """What to set, and how the call named it."""

    name: str
    level: int
    number: int
    value: int | bytes


class _Kind(NamedTuple):
    level: int
    number: int | None  # None where the system has no such option
    check: Callable[[Any, str], int | bytes | None]  # None: it is to stay as it is


def _bytes(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int", value)
    if not 1 <= value <= MOST_BYTES:
        raise out_of_range(name, f">= 1 and <= {MOST_BYTES}", value)
    return value


def _whole_seconds(value: Any, name: str) -> int:
    return math.ceil(check_seconds(value, name) / 1000)


def _short_name(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise invalid_type(name, "of type str", value)
    encoded = value.encode(errors="surrogateescape")
    if not 1 <= len(encoded) <= 15 or b"\0" in encoded:
        raise invalid_value(name, value, "must have 1 to 15 bytes")
    return encoded


def _switch(value: Any, name: str) -> int | None:
    if not isinstance(value, bool):
        raise invalid_type(name, "of type bool", value)
    return 1 if value else None


def _queue(value: Any, name: str) -> int | None:
    if isinstance(value, bool):
        return FAST_OPEN_QUEUE if value else None
    if not isinstance(value, int):
        raise invalid_type(name, "of type bool or int", value)
    if not 1 <= value <= 65535:
        raise out_of_range(name, ">= 1 and <= 65535", value)
    return value


_TCP = _socket.IPPROTO_TCP
_LINUX = sys.platform == "linux"


def _number(name: str) -> int | None:
    return getattr(_socket, name, None)


# Of every socket: what listens hands them on to what it accepts.
ACCEPTED_OPTIONS = {
    "congestion": _Kind(_TCP, _number("TCP_CONGESTION"), _short_name),
    "not_sent_low_water": _Kind(_TCP, _number("TCP_NOTSENT_LOWAT"), _bytes),
    "receive_buffer": _Kind(_socket.SOL_SOCKET, _socket.SO_RCVBUF, _bytes),
    "send_buffer": _Kind(_socket.SOL_SOCKET, _socket.SO_SNDBUF, _bytes),
    "user_timeout": _Kind(_TCP, _number("TCP_USER_TIMEOUT"), check_seconds),
}
_DEVICE = _Kind(_socket.SOL_SOCKET, _number("SO_BINDTODEVICE"), _short_name)
# Beside them, on the way to a connection.  Python has no name for the last one.
CONNECTING_OPTIONS = {
    "bind_to_device": _DEVICE,
    "fast_open": _Kind(_TCP, 30 if _LINUX else None, _switch),
}
# And of what listens.
LISTENING_OPTIONS = {
    "bind_to_device": _DEVICE,
    "defer_accept": _Kind(_TCP, _number("TCP_DEFER_ACCEPT"), _whole_seconds),
    "fast_open": _Kind(_TCP, _number("TCP_FASTOPEN"), _queue),
}
_OF_UNIX_SOCKETS = frozenset({"receive_buffer", "send_buffer"})


def parse_system_options(options: Mapping[str, Any], kinds: Mapping[str, _Kind]) -> dict[str, SystemOption]:
    """Those of `kinds` that are among the options, by name; raises TypeError or ValueError.

    One that this system does not have raises RuntimeError (ERR_FEATURE_UNAVAILABLE_ON_PLATFORM).
    """
    found = {}
    for name, kind in kinds.items():
        if options.get(name) is None:
            continue
        value = kind.check(options[name], f"options.{name}")
        if value is None:
            continue
        if kind.number is None:
            raise feature_unavailable(name)
        found[name] = SystemOption(name, kind.level, kind.number, value)
    return found


def for_unix_sockets(options: Collection[SystemOption]) -> list[SystemOption]:
    """Those that are not of TCP alone."""
    return [option for option in options if option.name in _OF_UNIX_SOCKETS]
