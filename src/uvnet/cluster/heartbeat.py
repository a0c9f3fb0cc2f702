"""Heartbeat: the primary asks every worker how it is; one whose loop does not answer is made to tell where it hangs."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterable
from typing import Any

from uvnet.cluster.member import Member

__all__ = ["Heartbeat"]

_log = logging.getLogger("uvnet")

LONGEST_INTERVAL = 1.0  # seconds; what status shows is as old as that
PER_TIMEOUT = 8  # questions within the time that a worker has to answer
MOST_UNANSWERED = 3600  # then it is asked no more: what it was asked waits in memory


class Heartbeat:
    """A timer that asks.  timeout: seconds until a worker is aborted; 0: never."""

    def __init__(self, members: Iterable[Member], timeout: float) -> None:
        self._members = members
        self._timeout = timeout
        self._interval = min(LONGEST_INTERVAL, timeout / PER_TIMEOUT) if timeout else LONGEST_INTERVAL
        # Counted, not timed: where this process was stopped for long, so were its questions.
        self._most = math.ceil(timeout / self._interval) if timeout else 0
        self._beats = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._beat)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        self.start()
        self._beats += 1
        for member in list(self._members):
            if member.worker.state in ("none", "dead") or not member.worker.is_connected():
                continue
            if member.unanswered >= self._most > 0 and member.state == "serving" and not member.is_aborted:
                _log.error("%s has not answered for %g s, and has to tell where it hangs", member, self._timeout)
                member.abort()
            member.unanswered += 1
            if member.unanswered <= MOST_UNANSWERED:
                self._ask(member)

    def _ask(self, member: Member) -> None:
        def answered(message: dict[str, Any]) -> None:
            member.unanswered = 0
            member.vital_signs = message

        process = member.worker.process
        process._acts["heartbeat"] = answered
        process._say("heartbeat", beat=self._beats)
