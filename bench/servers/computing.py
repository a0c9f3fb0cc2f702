"""What computes beside a server: it takes its core's time only where nobody else wants it."""

import os
from collections.abc import Callable


def give_way(core: str) -> None:
    """Bind the calling thread to a core, or to none for `any`; everybody else's work there goes first."""
    if core == "any":
        return
    os.sched_setaffinity(0, {int(core)})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def compute(goes_on: Callable[[], bool]) -> None:
    number = 0
    while goes_on():
        for _ in range(100_000):
            number = number * 5 % 1_000_003 + 1
