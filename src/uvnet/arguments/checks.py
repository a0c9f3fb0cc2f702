"""Arguments of connect(), listen() and the constructors: Node's overloads, turned into options and checked.

Everything is validated here, before any state changes (decision 6).  Nothing here touches a socket.
Node: "server.listen()", "socket.connect()"; rules 1.2, 1.3, 2.1 and 2.2.
"""

from __future__ import annotations

import inspect
import math
import os
import socket as _socket
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from uvnet.address import Address
from uvnet.errors import (
    bad_port,
    invalid_callback,
    invalid_ip,
    invalid_type,
    invalid_value,
    missing_arguments,
    out_of_range,
)
from uvnet.host_port import port_comes_first
from uvnet.ip import is_ip, text_of
from uvnet.keywords import ConnectKeywords, SocketKeywords

__all__ = ["ConnectOptions", "merge_options", "normalize", "parse_connect_options"]

MAX_TIMEOUT = 2**31 - 1  # milliseconds, Node's TIMEOUT_MAX (rule 2.12.2)


def to_number(text: str) -> float:
    """The number a str stands for where Node takes numeric strings for ports, or NaN."""
    stripped = text.strip()
    if not stripped:
        return 0
    prefix = stripped[:2].lower()
    try:
        if prefix in ("0x", "0o", "0b"):
            # int() takes signs, spaces, underscores and other digits as well.
            digits = stripped[2:] if stripped.isascii() and stripped.isalnum() else ""
            return int(digits, {"0x": 16, "0o": 8, "0b": 2}[prefix])
        if "_" in stripped or not stripped.isascii() or stripped.lower().lstrip("+-")[:3] in ("nan", "inf"):
            return math.nan
        return float(stripped)
    except ValueError:
        return math.nan


def is_pipe_name(value: object) -> bool:
    """A str (or path object) that is a path rather than a port (rule 1.2.2)."""
    if isinstance(value, os.PathLike):
        return True
    return isinstance(value, str) and not to_number(value) >= 0


def merge_options(options: Any, keywords: Mapping[str, Any], name: str = "options") -> dict[str, Any]:
    """One mapping of options and keyword arguments together; the keywords win."""
    if options is None:
        return dict(keywords)
    if not isinstance(options, Mapping):
        raise invalid_type(name, "a mapping", options)
    return {**options, **keywords}


def reject_unknown(options: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Raise TypeError for options that do not exist: a typing error must not be ignored."""
    unknown = sorted(str(key) for key in options if key not in known)
    if unknown:
        raise TypeError(f"{where} got unknown options: {', '.join(unknown)}")


def normalize(
    call: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[dict[str, Any], Callable[..., Any] | None]:
    """Options and callback from (options[, callback]), (path[, ...]) or (port[, ...]) (rule 1.2.1).

    `call` is the name of what was called, and `names` are what the positional arguments after a port are called.
    Text that is an address is no path here; Node takes it for one.
    """
    callback = None
    rest = list(arguments)
    while rest and rest[-1] is None and len(rest) > 1:
        rest.pop()
    if rest and callable(rest[-1]) and not isinstance(rest[-1], Mapping):
        callback = rest.pop()
    options: dict[str, Any] = {}
    if rest:
        first, rest = rest[0], rest[1:]
        if isinstance(first, Mapping | Address):
            options.update(first._asdict() if isinstance(first, Address) else first)
            names = ()
        elif is_pipe_name(first):
            options["path"] = first
            names = tuple(name for name in names if name != "host")
            if isinstance(first, str):
                # Where nothing may follow a path, a number is a port in the wrong place.
                mistake = port_comes_first(call, first, rest[0] if rest else None, bool(names))
                if mistake is not None:
                    raise mistake
        else:
            options["port"] = first
        if len(rest) > len(names):
            raise TypeError(f"too many arguments, or a callback that cannot be called: {rest[-1]!r}")
        for name, value in zip(names, rest, strict=False):
            if value is not None:
                options[name] = value
    options.update(keywords)
    given = options.pop("callback", None)
    if given is not None:
        callback = given
    if callback is not None and not callable(callback):
        raise invalid_callback(callback)
    return options, callback


def check_port(value: Any, name: str, type_name: str) -> int:
    """A port as an int; raises TypeError or ValueError (ERR_SOCKET_BAD_PORT)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise invalid_type(type_name, "one of type int or str", value)
    if isinstance(value, str):
        number = to_number(value) if value.strip() else math.nan
    else:
        number = value
    if not 0 <= number <= 65535 or number != int(number):
        raise bad_port(name, value)
    return int(number)


def check_integer(value: Any, name: str, highest: int) -> int:
    """A whole number from 0 to `highest`; raises TypeError or ValueError (ERR_OUT_OF_RANGE)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int", value)
    if isinstance(value, float) and not value.is_integer():
        raise out_of_range(name, "an integer", value)
    if not 0 <= value <= highest:
        raise out_of_range(name, f">= 0 and <= {highest}", value)
    return int(value)


def check_host(value: Any, name: str) -> str | None:
    """A host name, or an address as text or of `ipaddress`; None where there is none.  Raises TypeError or ValueError."""
    if value is None:
        return None
    host = text_of(value)
    if host is None:
        raise invalid_type(name, "of type str, IPv4Address or IPv6Address", value)
    if "\0" in host:
        raise invalid_value(name, host, "must not contain a null character")
    return host or None


def check_path(value: Any, name: str) -> str:
    """A path as str; raises TypeError."""
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, bytes):
        value = os.fsdecode(value)
    if not isinstance(value, str):
        raise invalid_type(name, "of type str", value)
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise invalid_value(name, value, "has characters that no path can have") from None
    return value


def check_seconds(value: Any, name: str) -> int:
    """A time in seconds as milliseconds, at most MAX_TIMEOUT; raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int or float", value)
    if not 0 <= value < math.inf:
        raise out_of_range(name, "a non-negative finite number", value)
    return min(math.ceil(min(value, MAX_TIMEOUT) * 1000), MAX_TIMEOUT)


def check_high_water_mark(value: Any, name: str) -> int:
    """A high-water mark in bytes; raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int", value)
    if value < 0 or value > 2**40:
        raise out_of_range(name, ">= 0", value)
    return value


def check_max_buffered(value: Any, name: str) -> int:
    """A cap on queued bytes, 0 for None; raises TypeError or ValueError."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid_type(name, "of type int or None", value)
    if not 1 <= value <= 2**40:
        raise out_of_range(name, ">= 1", value)
    return value


def check_on_max_buffered(value: Any, name: str) -> bool:
    """Whether a write beyond the cap raises ("raise") or destroys the socket ("destroy")."""
    if value not in ("destroy", "raise"):
        raise invalid_value(name, value, "must be one of: 'destroy', 'raise'")
    return bool(value == "raise")


def check_delay(value: Any, name: str) -> int:
    """A keep-alive time in whole seconds, rounded down; negative is 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int or float", value)
    if not -math.inf < value <= 32767:
        raise out_of_range(name, "<= 32767 seconds", value)
    return max(int(value), 0)


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


def parse_connect_options(
    options: Mapping[str, Any], default_auto_select: bool, default_attempt_timeout: float
) -> ConnectOptions:
    """Check the options of connect(), in Node's order (rule 2.2.2)."""
    path = options.get("path")
    port = options.get("port")
    if path == "":
        path = None
        port = 0 if port is None and "port" not in options else port
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


def check_attempt_timeout(value: Any, name: str) -> float:
    """Seconds between connection attempts that get no answer, at least 0.01."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid_type(name, "of type int or float", value)
    if not 0 < value <= MAX_TIMEOUT / 1000:
        raise out_of_range(name, f"> 0 and <= {MAX_TIMEOUT / 1000}", value)
    return max(float(value), 0.01)


def is_async_callable(function: Callable[..., Any]) -> bool:
    """Whether calling `function` makes a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004
    )
