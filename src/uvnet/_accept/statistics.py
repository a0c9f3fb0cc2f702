"""What can be counted of servers: the types of statistics(), and the view of their connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

__all__ = ["Connections", "LoopStatistics", "ServerStatistics"]


class ServerStatistics(NamedTuple):
    """What a server has had to do with, from its beginning to now: counters that only grow, and what is there now.

    accepted: connections that it has taken; open: how many there are now; dropped: how many were closed for a limit,
    by the reason of 'drop'; handshakes: of TLS, that succeeded.
    bytes_read, bytes_written: of all its connections, open or not, as they go over the network: with TLS encrypted, and
    what a pipe has passed on included; bytes_queued: that wait to be sent now.
    This is not in Node.
    """

    accepted: int
    open: int
    dropped: dict[str, int]
    handshakes: int
    bytes_read: int
    bytes_written: int
    bytes_queued: int


class LoopStatistics(NamedTuple):
    """What everything of uvnet's on one event loop has had to do with: see ServerStatistics.

    accepted, open, dropped are those of its servers; handshakes and bytes of clients count too.
    turns: how often the loop has looked for I/O since statistics() was first called for it; longest_turn: the longest
    time in seconds from one look to the next since then, without the waiting: what one callback has held up.
    This is not in Node; "performance.eventLoopUtilization()" is near.
    """

    accepted: int
    open: int
    dropped: dict[str, int]
    handshakes: int
    bytes_read: int
    bytes_written: int
    bytes_queued: int
    turns: int
    longest_turn: float


_C = TypeVar("_C")


class _Server(Protocol[_C]):
    def _connection_count(self) -> int: ...
    def _open_connections(self) -> list[_C]: ...


class Connections(Generic[_C]):
    """A view of the connections that a server has at the moment, whenever it is looked at.

    len() is how many are open, with those whose PROXY header is still to come, and those that another process was
    given; iterating begins with what there is then, and is not disturbed by what comes and goes.
    This is not in Node.
    """

    __slots__ = ("_server",)

    def __init__(self, server: _Server[_C]) -> None:
        self._server = server

    def __len__(self) -> int:
        return self._server._connection_count()

    def __iter__(self) -> Iterator[_C]:
        return iter(self._server._open_connections())

    def __repr__(self) -> str:
        return f"<{len(self)} connections of {self._server!r}>"
