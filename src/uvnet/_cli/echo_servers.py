"""python -m uvnet._cli.echo_servers NAME: the echo servers that `bench` compares, one in each process.

Prints the port it listens on at 127.0.0.1.  Each line on stdin is answered with the CPU time of the process so far,
in seconds; the end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

import uvnet

__all__ = ["NAMES"]

HOST = "127.0.0.1"


async def _uvnet() -> int:
    """A 'data' listener in Python, as the Protocol below; pipe() would leave Python out."""

    def on_connection(socket: uvnet.Socket) -> None:
        socket.on("error", lambda _: None)
        socket.on("data", socket.write)

    server = uvnet.create_server(on_connection, no_delay=True)
    server.listen(0, HOST)
    await uvnet.once(server, "listening")
    address = server.address()
    assert isinstance(address, uvnet.Address)
    return address.port


class _Echo(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.write = transport.write

    def data_received(self, data: bytes) -> None:
        self.write(data)


async def _protocol() -> int:
    server = await asyncio.get_running_loop().create_server(_Echo, HOST, 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


_Start = Callable[[], Awaitable[int]]
_SERVERS: dict[str, tuple[Callable[[], asyncio.AbstractEventLoop], _Start]] = {
    "uvnet": (uvloop.new_event_loop, _uvnet),
    "uvloop Protocol": (uvloop.new_event_loop, _protocol),
    "asyncio Protocol": (asyncio.SelectorEventLoop, _protocol),
}
NAMES = tuple(_SERVERS)


async def _serve(start: _Start) -> None:
    over = asyncio.Event()

    def on_input() -> None:
        if os.read(0, 100):
            print(time.process_time(), flush=True)
        else:
            asyncio.get_running_loop().remove_reader(0)
            over.set()

    print(await start(), flush=True)
    asyncio.get_running_loop().add_reader(0, on_input)
    await over.wait()


def _main(name: str) -> None:
    new_loop, start = _SERVERS[name]
    loop = new_loop()
    try:
        loop.run_until_complete(_serve(start))
    finally:
        loop.close()


if __name__ == "__main__":
    _main(sys.argv[1])
