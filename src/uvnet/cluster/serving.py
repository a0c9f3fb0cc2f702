"""serve(): one program that is its own supervisor and its own workers."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from uvnet._loop.running import run
from uvnet.arguments.checks import check_integer, check_seconds
from uvnet.cluster.primary import Primary
from uvnet.cluster.runner import run_worker
from uvnet.cluster.supervisor import INTERRUPTED, Limits, Supervisor
from uvnet.errors.codes import invalid_callback, invalid_type, out_of_range

__all__ = ["number_of_workers", "running_supervisor", "serve_with"]

MOST_WORKERS = 1024


_supervisor: Supervisor | None = None


def running_supervisor() -> Supervisor:
    """That of serve(), which runs; raises RuntimeError."""
    if _supervisor is None:
        raise RuntimeError("uvnet.cluster.serve() does not run")
    return _supervisor


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


def serve_with(
    primary: Primary | None,
    main: Callable[[], Any],
    workers: Any,
    limits: Limits,
) -> None:
    """The body of serve(); `primary` is None in a worker."""
    if not callable(main):
        raise invalid_callback(main)
    number = number_of_workers(workers)
    for name in ("start_timeout", "shutdown_timeout", "heartbeat_timeout", "failure_time"):
        check_seconds(getattr(limits, name), name)
    check_integer(limits.max_failures, "max_failures", 2**31 - 1)
    if primary is None:
        run_worker(main, limits.shutdown_timeout)
        return
    global _supervisor
    _supervisor = Supervisor(primary, number, limits)
    try:
        status = run(_supervisor.run())
    finally:
        _supervisor = None
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise SystemExit(status)
