"""Every scenario there is."""

from __future__ import annotations

from oracle import (
    arguments,
    connecting,
    destroying,
    listening,
    lives,
    piping,
    pressure,
    reading,
    serving,
    timing,
    writing,
)
from oracle.language import cases

__all__ = ["SERVER_CASES", "SOCKET_CASES"]

SOCKET_CASES = cases(
    lives.SCENARIOS,
    destroying.SCENARIOS,
    connecting.SCENARIOS,
    writing.SCENARIOS,
    pressure.SCENARIOS,
    timing.SCENARIOS,
    reading.SCENARIOS,
    piping.SCENARIOS,
)
SERVER_CASES = cases(listening.SCENARIOS, serving.SCENARIOS, arguments.SCENARIOS)
