"""Where servers get listening sockets that they share with other processes.

Whoever knows of such processes lies above, and says at import how it is done.  Servers ask for a socket by what they
would have bound, and get one, or the error that binding came to.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from uvnet._accept.listener import Lease
from uvnet._accept.socket_files import SocketFile

__all__ = [
    "ListeningSource",
    "Wanted",
    "ask_for_all",
    "give_back",
    "listening_source",
    "share_listening_sockets",
    "wanted_of",
]


class Wanted(NamedTuple):
    """What a server would listen on: an IP address (None for any) and a port, or a path."""

    address: str | None
    port: int
    path: str | None
    backlog: int
    ipv6_only: bool
    file: SocketFile = SocketFile()
    replaces: bool = False  # any socket file that is in the way, as asyncio


def wanted_of(told: Mapping[str, Any]) -> Wanted:
    """What _asdict() has said of one, whatever it came through: not every serialization knows what a list was."""
    return Wanted(**{**told, "file": SocketFile(*told["file"])})


class ListeningSource(Protocol):
    """Who has the sockets."""

    def request(
        self, wanted: Wanted, answered: Callable[[OSError | None, int, Lease | None], Any]
    ) -> None:
        """Have answered(error, descriptor, lease) called on the loop of this thread, once, and not before it returns.

        The descriptor is the server's from then on, which ends the lease when it listens no more.
        """


def ask_for_all(
    source: ListeningSource,
    wanted: Sequence[Wanted],
    answered: Callable[[BaseException | None, list[int], list[Lease]], Any],
) -> None:
    """Have answered(error, descriptors, leases) called with all that is wanted, or none and the first error.

    Of several a port that is any is one for all.  Raises what asking for the first raises.
    """
    descriptors: list[int] = []
    leases: list[Lease] = []

    def ask() -> None:
        next_one = wanted[len(descriptors)]
        if descriptors and next_one.port == 0:
            next_one = next_one._replace(port=_port_of(descriptors[0]))
        source.request(next_one, came)

    def came(error: BaseException | None, descriptor: int, lease: Lease | None) -> None:
        if error is None and lease is not None:
            descriptors.append(descriptor)
            leases.append(lease)
            if len(descriptors) == len(wanted):
                answered(None, descriptors, leases)
                return
            try:
                ask()
                return
            except Exception as raised:  # noqa: BLE001
                error = raised
        give_back(descriptors, leases)
        answered(error, [], [])

    ask()


def _port_of(descriptor: int) -> int:
    with socket.socket(fileno=os.dup(descriptor)) as bound:
        port: int = bound.getsockname()[1]
        return port


def give_back(descriptors: Sequence[int], leases: Sequence[Lease]) -> None:
    """Nobody will listen on these."""
    for lease in leases:
        lease.give_up()
    for descriptor in descriptors:
        os.close(descriptor)


_source: ListeningSource | None = None


def share_listening_sockets(source: ListeningSource | None) -> None:
    """Have the servers of this process ask `source`; None: they bind themselves."""
    global _source
    _source = source


def listening_source() -> ListeningSource | None:
    """Whom to ask, or None."""
    return _source
