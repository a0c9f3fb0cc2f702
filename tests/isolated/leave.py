"""leave.py HOW WHERE WAY: the process ends while uvnet is in the middle of everything.

HOW: by sys.exit, by os._exit, or because the script is over.
WHERE: in which listener, or at module level.
WAY: what runs the loop, or "never run".
"""

from __future__ import annotations

import os
import socket as plain
import sys
from typing import Any

import uvloop
from scene import new_path, say, say_what_is_left

import uvnet

how, where, way = sys.argv[1:]


def nothing(*_: Any) -> None:
    """A listener."""


def leave(name: str) -> Any:
    """A listener that ends the process when it is the one."""

    def listener(*_: Any) -> None:
        global where
        if name == where:
            where = "gone"
            say("leaving in", name)
            if how == "sys.exit":
                sys.exit(3)
            elif how == "os._exit":
                os._exit(4)

    return listener


def accept(socket: uvnet.Socket) -> None:
    socket.set_timeout(60)
    # Whoever leaves in a listener leaves a destroyed socket, and its peer may hear of that.
    socket.on("error", nothing)
    socket.on("data", leave("data of the server"))
    socket.on("end", leave("end"))
    socket.pipe(socket)
    leave("connection")()


def open_everything() -> None:
    tcp = uvnet.create_server(accept).listen(0, leave("listening"))
    unix = uvnet.create_server(accept).listen(new_path())
    clients = [uvnet.connect(tcp.address().port, "localhost"), uvnet.connect(unix.address())]
    ours, theirs = plain.socketpair()
    kept.append(theirs)
    uvnet.Socket(handle=ours).write(bytes(8 * 2**20), leave("never"))
    failing = uvnet.connect("/nowhere/socket")
    failing.on("error", leave("error"))
    failing.on("close", leave("close"))
    uvnet.next_tick(leave("tick"))
    uvnet.Socket().set_timeout(0.001, leave("timeout"))
    for client in clients:
        client.on("error", nothing)
        client.on("lookup", leave("lookup"))
        client.on("connect", leave("connect"))
        client.on("data", leave("data of the client"))
        client.write(b"hello", leave("callback of write"))
        client.end(leave("callback of end"))


kept: list[Any] = []


async def main() -> None:
    open_everything()
    await uvnet.once(uvnet.Socket(), "never")


try:
    if way == "never run":
        open_everything()
        leave("module")()
    elif way == "run":
        open_everything()
        uvnet.run()
    elif way == "run main":
        uvnet.run(main())
    else:
        uvloop.run(main())
finally:
    for socket in kept:
        socket.close()
    if way != "never run":
        say_what_is_left()
