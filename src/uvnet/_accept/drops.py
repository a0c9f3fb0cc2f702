"""Telling of connections that were closed at once or could not be accepted: the argument of 'drop', and how often.

Node: "Event: 'drop'"; rule 1.8.2.
"""

from __future__ import annotations

import logging
import time
from typing import Any

__all__ = ["DropLog", "OncePerSecond", "describe_drop"]

_log = logging.getLogger("uvnet")

Name = tuple[str, str, int]


def describe_drop(reason: str, local: Name | None, remote: Name | None) -> dict[str, Any]:
    """The argument of 'drop': the reason, and on TCP both addresses."""
    described: dict[str, Any] = {"reason": reason}
    if local is not None and remote is not None:
        for end, name in (("local", local), ("remote", remote)):
            described[f"{end}_address"], described[f"{end}_family"], described[f"{end}_port"] = name
    return described


class OncePerSecond:
    """Counts what may come in masses, so that it is told of once a second at most."""

    def __init__(self) -> None:
        self.untold = 0
        self.silent_until = 0.0

    def count(self) -> int:
        """Count one more; how many to tell of now, or 0 where it is too early."""
        self.untold += 1
        now = time.monotonic()
        if now < self.silent_until:
            return 0
        self.silent_until = now + 1
        due, self.untold = self.untold, 0
        return due


class DropLog:
    """Says in the log how many connections were closed for one reason, and what to do."""

    def __init__(self, reason: str, advice: str) -> None:
        self.reason = reason
        self.advice = advice
        self.dropped = OncePerSecond()

    def count(self, server: object, error: object = None) -> None:
        """Count one more, which was closed for that `error`."""
        due = self.dropped.count()
        if due:
            advice = self.advice if error is None else f"the last one: {error}; {self.advice}"
            _log.warning("%s: %d connections to %r closed at once; %s", self.reason, due, server, advice)
