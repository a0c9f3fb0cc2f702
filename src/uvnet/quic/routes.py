"""Which session a connection id leads to, and for a while which ids were those of sessions that are over.  Section 3."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

__all__ = ["HostCounts", "Routes"]

MOST_FORMER = 4096
FORMER_TIME = 3.0  # seconds in which what is still on its way arrives
MOST_REPEATS = 3  # of the last word of a session, to one who has not got it


class _Former:
    __slots__ = ("last", "repeats", "until")

    def __init__(self, until: float, last: list[bytes]) -> None:
        self.until = until
        self.last = last
        self.repeats = 0


class Routes:
    """Sessions by the ids that their peers write to."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, Any] = {}
        self._ids: dict[Any, set[bytes]] = {}
        self._former: OrderedDict[bytes, _Former] = OrderedDict()

    def find(self, connection_id: bytes) -> Any | None:
        return self._sessions.get(connection_id)

    def add(self, connection_id: bytes, session: Any) -> None:
        self._sessions[connection_id] = session
        self._ids.setdefault(session, set()).add(connection_id)

    def remove(self, connection_id: bytes) -> None:
        session = self._sessions.pop(connection_id, None)
        if session is not None:
            self._ids[session].discard(connection_id)

    def take(self, session: Any) -> set[bytes]:
        """All ids of a session, which lead nowhere from now on."""
        found = self._ids.pop(session, set())
        for connection_id in found:
            self._sessions.pop(connection_id, None)
        return found

    def remember(self, ids: set[bytes], last: list[bytes], now: float) -> None:
        """These were of a session that has ended; `last` is what it has said in the end."""
        former = _Former(now + FORMER_TIME, last)
        for connection_id in ids:
            self._former[connection_id] = former
        while len(self._former) > MOST_FORMER:
            self._former.popitem(last=False)

    def last_word(self, connection_id: bytes, now: float) -> list[bytes] | None:
        """What to answer to a packet for a session that is over; None where there was none lately."""
        former = self._former.get(connection_id)
        if former is None:
            return None
        if now > former.until:
            del self._former[connection_id]
            return None
        former.repeats += 1
        return former.last if former.repeats <= MOST_REPEATS else []


class HostCounts:
    """A number for each of the last so many hosts."""

    MOST = 4096

    def __init__(self) -> None:
        self._counts: OrderedDict[str, int] = OrderedDict()

    def get(self, host: str) -> int:
        return self._counts.get(host, 0)

    def add(self, host: str, change: int) -> None:
        count = self._counts.pop(host, 0) + change
        if count > 0:
            self._counts[host] = count

    def add_bounded(self, host: str) -> None:
        """Add one, and forget the host that was not seen for the longest time where there are too many."""
        self.add(host, 1)
        if len(self._counts) > self.MOST:
            self._counts.popitem(last=False)
