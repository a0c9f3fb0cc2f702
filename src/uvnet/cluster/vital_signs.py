"""What a process can tell of itself: connections, CPU time, memory."""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

from uvnet._accept.intake import connection_counts

__all__ = ["vital_signs"]


def vital_signs() -> dict[str, Any]:
    """connections: open now; accepted: so far; cpu: seconds; memory: resident bytes."""
    connections, accepted = connection_counts()
    times = os.times()
    return {
        "connections": connections,
        "accepted": accepted,
        "cpu": round(times.user + times.system, 3),
        "memory": _resident(),
    }


def _resident() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        # Where there is no such file, the most that it has ever been: in bytes on macOS, else in KiB.
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
