"""introspection(): a Unix socket at which a program tells what its servers and connections do.

Whoever connects sends a line for each snapshot that it wants, with a number in it where it wants more than the
default of connections, and is answered with a line of JSON.  `python -m uvnet top` is such a one.
This is not in Node.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os

from uvnet._accept.counting import statistics
from uvnet.observing.snapshot import Snapshots
from uvnet.server.server import Server
from uvnet.socket.socket import Socket

__all__ = ["introspection"]

MOST_OBSERVERS = 16
MOST_CONNECTIONS = 1000
CONNECTIONS = 20  # unless told otherwise
LONGEST_QUESTION = 100  # bytes
PATIENCE = 60.0  # seconds without a question, or for an answer to be read


def introspection(path: str | os.PathLike[str]) -> Server:
    """Tell at a Unix socket, which only this user may open, what this event loop's servers and connections do.

    `python -m uvnet top PATH` shows it.  Returns the Server, which close() ends, and which does not keep run() going;
    a socket file that nobody listens at is replaced.  In a cluster each process needs a path of its own.
    Of the connections the busiest since the observer's last question are told, at most 1,000 of them.
    'error' follows where the path cannot be listened at, TypeError or ValueError is raised for what is no path.
    This is not in Node.
    """
    server = Server(max_buffered=2**24, idle_timeout=PATIENCE)
    server.max_connections = MOST_OBSERVERS
    server.unref()

    @server.on("connection")
    async def answer(socket: Socket) -> None:
        socket.unref()
        socket.on("error", lambda _: None)
        snapshots = Snapshots(asyncio.get_running_loop())
        with contextlib.suppress(asyncio.LimitOverrunError, OSError):
            async for line in socket.lines(limit=LONGEST_QUESTION):
                snapshot = snapshots.take(_wanted(line), {server, *server.connections})
                socket.write(json.dumps(snapshot).encode() + b"\n")
                await socket.drain()
        socket.destroy()

    server.listen(path=os.fspath(path), mode=0o600, replace_stale=True, exclusive=True)
    # Turns of the loop are measured from here on.
    statistics()
    return server


def _wanted(line: bytes) -> int:
    text = line.strip()
    return min(int(text), MOST_CONNECTIONS) if text.isdigit() else CONNECTIONS
