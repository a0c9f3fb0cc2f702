"""What a network workload counts, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """How what the load generator counted is shown."""

    counted: str  # "messages" or "bytes", in the load generator's report
    rate_title: str
    rate_factor: float
    cost_title: str
    cost_factor: float  # from nanoseconds for one counted thing
    cost_digits: int


def _each(thing: str, things: str, digits: int = 2) -> Unit:
    return Unit("messages", f"{things}/s", 1.0, f"us/{thing}", 1e-3, digits)


MESSAGE = _each("message", "messages")
CONNECTION = _each("connection", "connections", 1)
REQUEST = _each("request", "requests")
DELIVERY = _each("delivery", "deliveries")
ROUND_TRIP = _each("round trip", "round trips")
MEBIBYTE = 2**20
GIBIBYTE = Unit("bytes", "MiB/s", 1 / MEBIBYTE, "ms/GiB", 2**30 / 1e6, 0)


def size_text(size: int) -> str:
    return f"{size // 1024} KiB" if size % 1024 == 0 else f"{size:,} B"
