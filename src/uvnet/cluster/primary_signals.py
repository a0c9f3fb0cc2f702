"""Signals that are meant for the primary, by whoever sends them to every process of a program.

A worker takes no notice of them, not even before it has come to say so: it is started with them held back.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Generator

__all__ = ["held_back", "take_no_notice"]

SIGNALS = (signal.SIGHUP, signal.SIGUSR2)


@contextlib.contextmanager
def held_back() -> Generator[None, None, None]:
    """In the primary: until this is over they wait, and in a process that is started meanwhile until it lets them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def take_no_notice() -> None:
    """In the worker.  Processes that it starts can be sent them again."""
    for number in SIGNALS:
        # Not SIG_IGN, which they would inherit.
        signal.signal(number, _nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _nothing(_number: int, _frame: object) -> None:
    pass
