"""How many workers serve() keeps, and what it puts up with from them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, NamedTuple

from uvnet.arguments.checks import check_integer, check_seconds
from uvnet.errors.codes import invalid_type, out_of_range

__all__ = ["Limits", "number_of_workers"]

MOST_WORKERS = 1024
MOST_FAILURES = 2**31 - 1


class Limits(NamedTuple):
    """Times in seconds, and a number of failures; see serve()."""

    start_timeout: float
    shutdown_timeout: float
    heartbeat_timeout: float
    max_failures: int
    failure_time: float

    def check(self) -> None:
        """Raises TypeError or ValueError."""
        for name in ("start_timeout", "shutdown_timeout", "heartbeat_timeout", "failure_time"):
            check_seconds(getattr(self, name), name)
        check_integer(self.max_failures, "max_failures", MOST_FAILURES)


def number_of_workers(workers: Any) -> int:
    """ "auto" as a number: the CPUs that this process may use, of which a container may have a share only.

    Raises TypeError or ValueError.
    """
    if workers == "auto":
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min(usable, _share_of_container(usable)))
    if isinstance(workers, str):
        raise invalid_type("workers", 'of type int, or "auto"', workers)
    number = check_integer(workers, "workers", MOST_WORKERS)
    if number == 0:
        raise out_of_range("workers", f">= 1 and <= {MOST_WORKERS}", workers)
    return number


def _share_of_container(default: int) -> int:
    """CPUs' worth of time that the control group of the container has, rounded up."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return -(-int(quota) // int(period))
    return default
