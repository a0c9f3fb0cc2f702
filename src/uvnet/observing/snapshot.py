"""Snapshots: what the servers and connections of one event loop do at a moment, as plain values.

This is not in Node.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import time
from collections.abc import Collection, Iterator
from typing import Any

from uvnet._accept.counting import statistics
from uvnet._accept.listener import listening_owners
from uvnet._loop.loop import record_of
from uvnet._stream.traffic import open_streams
from uvnet.addresses.address import Address, bracketed
from uvnet.socket.socket import Socket
from uvnet.socket.tcp_info import read_tcp_info
from uvnet.transports.base_transport import BaseTransport

__all__ = ["Snapshots", "describe_server", "servers_of"]

Counts = tuple[int, int]  # bytes read, written
Stream = tuple[int, int, int, int, object]  # see open_streams()


class Snapshots:
    """Makes snapshots for one who looks again and again, and is told what has changed since the last one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._record = record_of(loop)
        self._counts: dict[int, Counts] = {}
        self._taken: float | None = None

    def take(self, most: int, hidden: Collection[object] = ()) -> dict[str, Any]:
        """A mapping that JSON can express, with the `most` busiest connections.

        hidden: servers and connections that are left out.
        """
        now = time.monotonic()
        period = None if self._taken is None else now - self._taken
        left_out = set(map(id, hidden))
        streams = [stream for stream in open_streams(self._record) if id(stream[4]) not in left_out]
        moved = {key: self._since_last(key, read, written) for key, read, written, _, _ in streams}

        def activity(stream: Stream) -> tuple[int, int, int]:
            key, read, written, queued, _ = stream
            return sum(moved[key]), queued, read + written

        busiest = heapq.nlargest(most, streams, key=activity)
        found = {
            "pid": os.getpid(),
            "loop": statistics(self._loop)._asdict(),
            "servers": [describe_server(server) for server in servers_of(self._loop) if id(server) not in left_out],
            "connections": [_describe_connection(stream, moved[stream[0]], period) for stream in busiest],
            "streams": len(streams),
            "period": period,
        }
        self._counts = {key: (read, written) for key, read, written, _, _ in streams}
        self._taken = now
        return found

    def _since_last(self, key: int, read: int, written: int) -> Counts:
        before = self._counts.get(key, (0, 0))
        # Another stream may have got the number of one that is gone.
        if before[0] > read or before[1] > written:
            before = (0, 0)
        return read - before[0], written - before[1]


def servers_of(loop: asyncio.AbstractEventLoop) -> list[Any]:
    """The servers that listen on the loop, of both kinds."""
    return [owner for owner in listening_owners(record_of(loop)) if hasattr(owner, "statistics")]


def describe_server(server: Any) -> dict[str, Any]:
    """Where it listens, and its statistics()."""
    return {"kind": _kind(server), "addresses": list(_addresses(server)), **server.statistics()._asdict()}


def _addresses(server: Any) -> Iterator[str]:
    try:
        if hasattr(server, "addresses"):
            yield from map(_text, server.addresses())
        else:
            yield from (_text(listening.getsockname()) for listening in server.sockets)
    except OSError:
        # Somebody else has closed the descriptor, and the server is about to hear of it.
        yield "unknown"


def _describe_connection(stream: Stream, moved: Counts, period: float | None) -> dict[str, Any]:
    key, read, written, queued, owner = stream
    local, remote = _names(owner)
    return {
        "id": key,
        "kind": _kind(owner),
        "local": local,
        "remote": remote,
        "bytes_read": read,
        "bytes_written": written,
        "bytes_queued": queued,
        "read_rate": moved[0] / period if period else None,
        "write_rate": moved[1] / period if period else None,
        "rtt": _round_trip_time(owner),
    }


def _kind(owner: object) -> str:
    """The class, as users know it."""
    kind = type(owner)
    return f"{kind.__module__}.{kind.__qualname__}"


def _names(owner: Any) -> tuple[str | None, str | None]:
    """Both ends of a connection, as text; None: it has no name, as on a Unix socket."""
    if isinstance(owner, Socket):
        ends = [
            None if address is None or port is None else (address, port)
            for address, port in (
                (owner.local_address, owner.local_port),
                (owner.remote_address, owner.remote_port),
            )
        ]
    elif isinstance(owner, BaseTransport):
        ends = [owner.get_extra_info("sockname"), owner.get_extra_info("peername")]
    else:
        ends = [None, None]
    local, remote = (None if end is None else _text(end) for end in ends)
    return local, remote


def _round_trip_time(owner: Any) -> float | None:
    """Of its TCP, in seconds; None where there is none."""
    try:
        if isinstance(owner, Socket):
            info = owner.tcp_info()
        elif isinstance(owner, BaseTransport):
            info = read_tcp_info(owner.get_extra_info("socket").getsockopt)
        else:
            return None
    except OSError:
        return None
    return None if info is None else info.rtt


def _text(address: Any) -> str:
    if isinstance(address, Address):
        return f"{bracketed(address.address)}:{address.port}"
    if isinstance(address, (tuple, list)):
        return f"{bracketed(address[0])}:{address[1]}"
    return os.fsdecode(address) if address else "a Unix socket"
