"""Which core serves and which one makes the load."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cores:
    """Core numbers, or None where processes cannot be pinned; `statement` says so in the report.

    `spare` is a core that neither serves nor makes the load, None when there is none.
    """

    server: int | None
    load: int | None
    statement: str
    spare: int | None = None


def _threads_of_same_core(core: int) -> set[int]:
    siblings = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    threads = {core}
    try:
        text = siblings.read_text()
    except OSError:
        return threads
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        threads.update(range(int(first), int(last or first) + 1))
    return threads


def choose_cores() -> Cores:
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None, "not pinned: this system cannot bind a process to a core")
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        return Cores(None, None, "not pinned: only one core, shared by the server and the load")
    server = available[0]
    siblings = _threads_of_same_core(server)
    elsewhere = [core for core in available if core not in siblings]
    if elsewhere:
        load = elsewhere[0]
        taken = siblings | _threads_of_same_core(load)
        spare = next((core for core in available if core not in taken), None)
        return Cores(server, load, f"server on core {server}, load on core {load}", spare)
    load = available[1]
    return Cores(server, load, f"server on {server}, load on {load}: two threads of ONE core")


def pinning_to(core: int | None) -> Callable[[], None]:
    """What a child process must call before it becomes its program."""

    def pin() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    return pin
