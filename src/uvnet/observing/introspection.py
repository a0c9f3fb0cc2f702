"""introspection(): a Unix socket at which a program tells what its servers and connections do.

Whoever connects sends a line for each snapshot that it wants, with a number in it where it wants more than the
default of connections, and is answered with a line of JSON.  `python -m uvnet top` is such a one.
This is not in Node.
"""

from __future__ import annotations

import asyncio
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
    def answer(socket: Socket) -> None:
        # By events: a coroutine that waits for the next question would keep run() going.
        socket.unref()
        socket.on("error", lambda _: None)
        snapshots = Snapshots(asyncio.get_running_loop())
        asked = bytearray()

        def go_on() -> None:
            while not socket.destroyed and not socket.writable_need_drain:
                end = asked.find(b"\n")
                if (end if end >= 0 else len(asked)) > LONGEST_QUESTION:
                    socket.destroy()
                if end < 0 or socket.destroyed:
                    break
                line = bytes(asked[:end])
                del asked[: end + 1]
                snapshot = snapshots.take(_wanted(line), {server, *server.connections})
                socket.write(json.dumps(snapshot).encode() + b"\n")
            if socket.writable_need_drain:
                socket.pause()
            else:
                socket.resume()

        @socket.on("data")
        def ask(chunk: bytes) -> None:
            asked.extend(chunk)
            go_on()

        socket.on("drain", go_on)

    server.listen(path=os.fspath(path), mode=0o600, replace_stale=True, exclusive=True)
    # Turns of the loop are measured from here on.
    statistics()
    return server


def _wanted(line: bytes) -> int:
    text = line.strip()
    return min(int(text), MOST_CONNECTIONS) if text.isdigit() else CONNECTIONS
