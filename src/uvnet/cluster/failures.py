"""Failures: how long to wait before a worker is started again, and when it is no use any more."""

from __future__ import annotations

import time
from collections import deque

__all__ = ["Failures"]

FIRST_DELAY = 0.1  # seconds, which double
LONGEST_DELAY = 10.0


class Failures:
    """Workers that did not come to listen or ended soon after: at most so many in so many seconds."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self._times: deque[float] = deque()

    def count(self) -> bool:
        """One more; whether those are too many."""
        self._times.append(time.monotonic())
        return self._recent() > self.most

    def delay(self) -> float:
        """Seconds before the next try."""
        recent = self._recent()
        return min(FIRST_DELAY * 2.0 ** min(recent - 1, 30), LONGEST_DELAY) if recent else 0.0

    def _recent(self) -> int:
        while self._times and time.monotonic() - self._times[0] > self.seconds:
            self._times.popleft()
        return len(self._times)
