"""Credit: how much the peer may send over all streams, raised only as what came is taken.

aioquic doubles that limit as it is used up, whoever reads.  It keeps it as an object of three numbers, so it is given this
one in its place, which it cannot raise.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Credit"]


class Credit:
    """A limit in the place of aioquic's: `value` is what the peer is told, `used` what it has used, `sent` what it was."""

    __slots__ = ("_granted", "_step", "_value", "frame_type", "name", "sent", "used")

    def __init__(self, limit: Any, value: int) -> None:
        self.frame_type = limit.frame_type
        self.name = limit.name
        self.sent = value
        self.used = 0
        self._value = self._granted = value
        self._step = max(value // 2, 1)

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, _value: int) -> None:
        # aioquic would double it here.
        pass

    def grant(self, count: int) -> bool:
        """Let the peer have so much more; whether it has to be told, which it is not of every bit."""
        self._granted += count
        if self._granted - self._value < self._step:
            return False
        self._value = self._granted
        return True
