"""Where servers get listening sockets that they share with other processes.

Whoever knows of such processes lies above, and says at import how it is done.  Servers ask for a socket by what they
would have bound, and get one, or the error that binding came to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from uvnet._accept.listener import Lease

__all__ = ["ListeningSource", "Wanted", "listening_source", "share_listening_sockets"]


class Wanted(NamedTuple):
    """What a server would listen on: an IP address (None for any) and a port, or a path."""

    address: str | None
    port: int
    path: str | None
    backlog: int
    ipv6_only: bool
    readable_all: bool = False
    writable_all: bool = False
    replaces: bool = False  # a socket file that is in the way, as asyncio


class ListeningSource(Protocol):
    """Who has the sockets."""

    def request(
        self, wanted: Wanted, answered: Callable[[OSError | None, int, Lease | None], Any]
    ) -> None:
        """Have answered(error, descriptor, lease) called on the loop of this thread, once, and not before it returns.

        The descriptor is the server's from then on, which ends the lease when it listens no more.
        """


_source: ListeningSource | None = None


def share_listening_sockets(source: ListeningSource | None) -> None:
    """Have the servers of this process ask `source`; None: they bind themselves."""
    global _source
    _source = source


def listening_source() -> ListeningSource | None:
    """Whom to ask, or None."""
    return _source
