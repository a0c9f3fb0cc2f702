"""A socket of uvnet's and, at the other end, one of Python's that does only what the test tells it to."""

from __future__ import annotations

import contextlib
import os
import socket as plain
import struct
from collections.abc import Iterator
from typing import Any

import uvnet

__all__ = ["SMALL", "Listening", "connected_pair", "fill_kernel", "read_now", "reset", "take_over"]

SMALL = 65_536  # bytes, of kernel buffers that a test wants to fill


def connected_pair(kind: str) -> tuple[plain.socket, plain.socket]:
    """Two connected sockets of Python's with small kernel buffers."""
    if kind == "unix":
        ours, theirs = plain.socketpair()
    else:
        with plain.create_server(("127.0.0.1", 0)) as listening:
            listening.setsockopt(plain.SOL_SOCKET, plain.SO_RCVBUF, SMALL)
            ours = plain.create_connection(listening.getsockname())
            theirs, _ = listening.accept()
    ours.setsockopt(plain.SOL_SOCKET, plain.SO_SNDBUF, SMALL)
    theirs.setblocking(False)
    return ours, theirs


def reset(connection: plain.socket) -> None:
    """Close a connection so that it is broken, not ended: on TCP with RST instead of FIN."""
    if connection.family != plain.AF_UNIX:
        connection.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def take_over(kind: str, **options: Any) -> tuple[uvnet.Socket, plain.socket]:
    """A connected socket of uvnet's, which reads, and its peer."""
    ours, theirs = connected_pair(kind)
    return uvnet.Socket(handle=ours, **options), theirs


def read_now(peer: plain.socket, size: int = 65_536) -> bytes | None:
    """What has arrived at a peer: b"" after a FIN, None where nothing has."""
    with contextlib.suppress(BlockingIOError):
        return peer.recv(size)
    return None


class Listening:
    """A listening socket of Python's; connections wait in it until accept()."""

    def __init__(self, kind: str, path: str) -> None:
        if kind == "unix":
            self.socket = plain.socket(plain.AF_UNIX)
            self.socket.bind(path)
            self.where: tuple[Any, ...] = (path,)
        else:
            self.socket = plain.socket()
            self.socket.bind(("127.0.0.1", 0))
            self.where = (self.socket.getsockname()[1], "127.0.0.1")
        self.socket.listen()
        self.socket.setblocking(False)

    def accept(self) -> plain.socket:
        """A connection that is there already."""
        peer, _ = self.socket.accept()
        peer.setblocking(False)
        return peer

    @classmethod
    @contextlib.contextmanager
    def on(cls, transport: Any) -> Iterator[Listening]:
        """Listen where the fixture `transport` says."""
        listening = cls(transport.kind, transport.path)
        try:
            yield listening
        finally:
            listening.socket.close()
            if transport.kind == "unix":
                os.unlink(transport.path)


def fill_kernel(connection: plain.socket) -> int:
    """Send until the system takes not one byte more; returns how many it took.  For Unix sockets."""
    before = connection.getblocking()
    connection.setblocking(False)
    taken = 0
    for size in (65_536, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                taken += connection.send(bytes(size))
    connection.setblocking(before)
    return taken
