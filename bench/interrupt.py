"""Ends a benchmark on a signal in such a way that no server outlives it."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def exit_on_signals() -> None:
    """Makes these signals an exception, so that every `with Server(...)` ends its process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
