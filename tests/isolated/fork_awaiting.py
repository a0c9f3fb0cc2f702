"""fork_awaiting.py WHAT WHEN: a child is forked in a listener and left by sys.exit(), while a coroutine awaits WHAT.

WHAT: "read_exactly", "read_until", "drain", "chunks" of a socket, or "sockets" of a server.
WHEN: while it "waits", or when it has been "woken" and is to go on in a moment.
"""

from __future__ import annotations

import os
import socket as plain
import sys
from typing import Any

from scene import event, new_path, say, say_what_is_left

import uvnet

what, when = sys.argv[1:]
parent = os.getpid()
child = 0


async def first(iterable: Any) -> Any:
    async for item in iterable:
        return item


async def main() -> None:
    ours, theirs = plain.socketpair()
    socket = uvnet.Socket(handle=ours)
    server = uvnet.create_server().listen(new_path())
    await event(server, "listening")
    socket.write(bytes(8 * 2**20))

    def fork() -> None:
        global child
        if when == "woken":
            socket.destroy()
            server.close()
        child = os.fork()
        if child == 0:
            sys.exit(7)
        socket.destroy()
        server.close()

    uvnet.next_tick(fork)
    operation = {
        "read_exactly": lambda: socket.read_exactly(1),
        "read_until": lambda: socket.read_until(b"\n"),
        "drain": socket.drain,
        "chunks": lambda: first(socket),
        "sockets": lambda: first(server),
    }[what]
    try:
        await operation()
    except (uvnet.NetRuntimeError, EOFError):
        pass
    finally:
        theirs.close()


try:
    uvnet.run(main())
finally:
    if os.getpid() == parent:
        _, status = os.waitpid(child, 0)
        say("child:", os.waitstatus_to_exitcode(status))
        say_what_is_left()
