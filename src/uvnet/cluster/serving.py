"""serve(): one program that is its own supervisor and its own workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from uvnet._loop.running import run
from uvnet.arguments.checks import check_path
from uvnet.cluster.limits import Limits, number_of_workers
from uvnet.cluster.primary import Primary
from uvnet.cluster.runner import run_worker
from uvnet.cluster.supervisor import INTERRUPTED, Supervisor
from uvnet.cluster.upgrade import end_if_checked
from uvnet.errors.codes import invalid_callback

__all__ = ["running_supervisor", "serve_with"]


_supervisor: Supervisor | None = None


def running_supervisor() -> Supervisor:
    """That of serve(), which runs; raises RuntimeError."""
    if _supervisor is None:
        raise RuntimeError("uvnet.cluster.serve() does not run")
    return _supervisor


def serve_with(
    primary: Primary | None,
    main: Callable[[], Any],
    workers: Any,
    limits: Limits,
    status: str | os.PathLike[str] | None,
) -> None:
    """The body of serve(); `primary` is None in a worker."""
    if not callable(main):
        raise invalid_callback(main)
    number = number_of_workers(workers)
    limits.check()
    path = None if status is None else check_path(status, "status")
    if primary is None:
        run_worker(main, limits.shutdown_timeout)
        return
    end_if_checked()
    global _supervisor
    _supervisor = Supervisor(primary, number, limits, path)
    try:
        code = run(_supervisor.run())
    finally:
        _supervisor = None
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise SystemExit(code)
