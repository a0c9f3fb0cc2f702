"""Telling of connections that were closed at once: the argument of 'drop', and a warning in the log.

Node: "Event: 'drop'"; rule 1.8.2.
"""

from __future__ import annotations

import logging
import time
from typing import Any

__all__ = ["OutOfDescriptors", "describe_drop"]

_log = logging.getLogger("uvnet")

Name = tuple[str, str, int]


def describe_drop(reason: str, local: Name | None, remote: Name | None) -> dict[str, Any]:
    """The argument of 'drop': the reason, and on TCP both addresses."""
    described: dict[str, Any] = {"reason": reason}
    if local is not None and remote is not None:
        for end, name in (("local", local), ("remote", remote)):
            described[f"{end}_address"], described[f"{end}_family"], described[f"{end}_port"] = name
    return described


class OutOfDescriptors:
    """Counts connections that were closed for lack of descriptors, and says so once a second at most."""

    def __init__(self) -> None:
        self.dropped = 0
        self.silent_until = 0.0

    def count(self, server: object) -> None:
        self.dropped += 1
        now = time.monotonic()
        if now >= self.silent_until:
            _log.warning(
                "out of file descriptors: %d connections to %r closed at once; "
                "raise the limit (ulimit -n) or set max_connections",
                self.dropped,
                server,
            )
            self.dropped = 0
            self.silent_until = now + 1
