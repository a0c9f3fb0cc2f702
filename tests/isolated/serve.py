"""A server in a process of its own, for tests of several processes: `serve.py HOW`.

HOW is "fd NUMBER", "fork", "received NUMBER", or a mapping of listen()'s options as JSON.  It prints its port once it
listens, tells every client its process id, and ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket as plain
import sys
from typing import Any

import uvnet


def say(value: Any) -> None:
    # In one write: two processes share the output.
    sys.stdout.write(f"{value}\n")
    sys.stdout.flush()


def greet(socket: uvnet.Socket) -> None:
    socket.on("error", lambda _: None)
    socket.end(str(os.getpid()))


async def serve(*arguments: Any, **options: Any) -> None:
    server = uvnet.create_server(greet)
    server.listen(*arguments, **options)
    try:
        await uvnet.once(server, "listening")
    except OSError as error:
        say(getattr(error, "code", error))
        return
    address = server.address()
    say(address.port if isinstance(address, uvnet.Address) else address)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    await uvnet.once(server, "close")


def fork_and_serve() -> None:
    """Parent and child accept from one socket that was there before."""
    listening = plain.create_server(("127.0.0.1", 0))
    child = os.fork()
    uvnet.run(serve(listening))
    if child:
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status))


def main(how: str) -> None:
    word, _, rest = how.partition(" ")
    if word == "fd":
        uvnet.run(serve(fd=int(rest)))
    elif word == "fork":
        fork_and_serve()
    elif word == "received":
        with plain.socket(fileno=int(rest)) as channel:
            _, descriptors, _, _ = plain.recv_fds(channel, 100, 1)
        uvnet.run(serve(plain.socket(fileno=descriptors[0])))
    else:
        uvnet.run(serve(json.loads(how)))


main(sys.argv[1])
