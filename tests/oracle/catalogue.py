"""Every scenario there is."""

from __future__ import annotations

from oracle import (
    arguments,
    buffering,
    closing,
    connecting,
    destroying,
    ending,
    intobuffers,
    listening,
    lives,
    lookups,
    piping,
    pressure,
    properties,
    reading,
    refused,
    relistening,
    resetting,
    serving,
    timing,
    writing,
)
from oracle.language import cases

__all__ = ["SERVER_CASES", "SOCKET_CASES"]

SOCKET_CASES = cases(
    lives.SCENARIOS,
    properties.SCENARIOS,
    connecting.SCENARIOS,
    lookups.SCENARIOS,
    destroying.SCENARIOS,
    resetting.SCENARIOS,
    writing.SCENARIOS,
    refused.SCENARIOS,
    ending.SCENARIOS,
    pressure.SCENARIOS,
    reading.SCENARIOS,
    buffering.SCENARIOS,
    intobuffers.SCENARIOS,
    piping.SCENARIOS,
    timing.SCENARIOS,
)
SERVER_CASES = cases(
    listening.SCENARIOS,
    relistening.SCENARIOS,
    serving.SCENARIOS,
    closing.SCENARIOS,
    arguments.SCENARIOS,
)
