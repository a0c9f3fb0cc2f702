"""Every scenario there is."""

from __future__ import annotations

from oracle import (
    accepting,
    arguments,
    attempts,
    buffering,
    closing,
    connecting,
    destroying,
    ending,
    handshaking,
    intobuffers,
    iterating,
    keeping,
    listening,
    lives,
    lookups,
    paths,
    piping,
    pressure,
    properties,
    reading,
    reentering,
    refused,
    relistening,
    resetting,
    securing,
    serving,
    timing,
    writing,
)
from oracle.language import cases

__all__ = ["SERVER_CASES", "SOCKET_CASES", "TLS_CASES"]

SOCKET_CASES = cases(
    lives.SCENARIOS,
    properties.SCENARIOS,
    connecting.SCENARIOS,
    lookups.SCENARIOS,
    attempts.SCENARIOS,
    destroying.SCENARIOS,
    resetting.SCENARIOS,
    writing.SCENARIOS,
    refused.SCENARIOS,
    ending.SCENARIOS,
    pressure.SCENARIOS,
    reading.SCENARIOS,
    buffering.SCENARIOS,
    intobuffers.SCENARIOS,
    iterating.SCENARIOS,
    piping.SCENARIOS,
    timing.SCENARIOS,
)
TLS_CASES = cases(securing.SCENARIOS, handshaking.SCENARIOS)
SERVER_CASES = cases(
    listening.SCENARIOS,
    relistening.SCENARIOS,
    reentering.SCENARIOS,
    paths.SCENARIOS,
    accepting.SCENARIOS,
    keeping.SCENARIOS,
    serving.SCENARIOS,
    closing.SCENARIOS,
    arguments.SCENARIOS,
)
