"""The options that make up the Limits of a server."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from uvnet._accept.limits import Limits
from uvnet.addresses.blocklist import check_block_list
from uvnet.arguments.checks import check_integer, check_max_buffered, check_seconds
from uvnet.arguments.keywords import LimitKeywords
from uvnet.errors.codes import invalid_type, invalid_value, out_of_range

__all__ = ["LIMIT_OPTIONS", "PRESETS", "limits_of", "with_preset"]

LIMIT_OPTIONS = frozenset(LimitKeywords.__annotations__)
HOST_PREFIXES = (32, 64)  # bits: an IPv4 address, and the IPv6 network that a host usually has
# What a server should have to whom anybody may connect; options that are given win.
PRESETS: dict[str, dict[str, Any]] = {
    "internet": {
        "accept_rate_per_host": (50, 200),
        "first_data_timeout": 15,
        "handshake_timeout": 15,
        "idle_timeout": 120,
        "max_buffered": 4 * 2**20,
        "max_connections_per_host": 200,
        "max_total_buffered": 256 * 2**20,
        "min_receive_rate": 50,
        "proxy_header_timeout": 5,
    },
}
MOST = 2**31 - 1


def with_preset(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options, and below them those of the preset that they name; raises ValueError.

    Among these are some for the one kind of server or the other.
    """
    preset = options.get("preset")
    if preset is None:
        return dict(options)
    if preset not in PRESETS:
        raise invalid_value(name, preset, f"must be one of: {', '.join(map(repr, PRESETS))}")
    said = {key: value for key, value in options.items() if value is not None}
    return {**options, **PRESETS[preset], **said}


def limits_of(options: Mapping[str, Any], prefix: str = "", idle_timeout: Any = None) -> Limits | None:
    """The limits that the options ask for, None where they ask for none; the others among them are left alone.

    prefix: what stands before an option's name in an error.  Raises TypeError or ValueError.
    """
    given = {name: options.get(name) for name in LIMIT_OPTIONS}
    allow_list = check_block_list(given["allow_list"], f"{prefix}allow_list")
    rate, burst = _check_rate(given["accept_rate"], f"{prefix}accept_rate")
    host_rate, host_burst = _check_rate(given["accept_rate_per_host"], f"{prefix}accept_rate_per_host")
    most = given["max_connections_per_host"]
    if most is not None:
        most = check_integer(most, f"{prefix}max_connections_per_host", MOST)
    prefixes = _check_prefixes(given["host_prefixes"], f"{prefix}host_prefixes")
    if given["host_prefixes"] is not None and most is None and not host_rate:
        raise invalid_value(
            f"{prefix}host_prefixes", given["host_prefixes"],
            "needs max_connections_per_host or accept_rate_per_host beside it",
        )  # fmt: skip
    times = {
        name: 0 if value is None else check_seconds(value, f"{prefix}{name}")
        for name, value in (
            ("idle_timeout", idle_timeout),
            ("first_data_timeout", given["first_data_timeout"]),
            ("max_lifetime", given["max_lifetime"]),
        )
    }
    receive_rate = check_max_buffered(given["min_receive_rate"], f"{prefix}min_receive_rate")
    total_buffered = check_max_buffered(given["max_total_buffered"], f"{prefix}max_total_buffered")
    hosts = (most, host_rate, host_burst, *prefixes) if most is not None or host_rate else None
    if not (allow_list is not None or hosts or rate or any(times.values()) or receive_rate or total_buffered):
        return None
    return Limits(
        allow_list=allow_list,
        hosts=hosts,
        rate=rate,
        burst=burst,
        idle=times["idle_timeout"],
        first_data=times["first_data_timeout"],
        lifetime=times["max_lifetime"],
        receive_rate=receive_rate,
        total_buffered=total_buffered,
    )


def _check_rate(value: Any, name: str) -> tuple[float, float]:
    """A number a second and how many may come at once, which is one second's unless it is told; 0 for no limit."""
    if value is None:
        return 0.0, 0.0
    pair: tuple[Any, Any] = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
    for number in pair:
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float)):
            raise invalid_type(name, "a number, or a tuple of two", value)
    rate, burst = pair
    if rate is None or not 0 < rate < math.inf:
        raise out_of_range(name, "> 0 connections a second", value)
    burst = max(rate, 1) if burst is None else burst
    if not 1 <= burst < math.inf:
        raise out_of_range(name, ">= 1 connection at once", value)
    return float(rate), float(burst)


def _check_prefixes(value: Any, name: str) -> tuple[int, int]:
    if value is None:
        return HOST_PREFIXES
    if not isinstance(value, tuple) or len(value) != 2:
        raise invalid_type(name, "a tuple of two int: bits for IPv4 and for IPv6", value)
    return check_integer(value[0], name, 32), check_integer(value[1], name, 128)
