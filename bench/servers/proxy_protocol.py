"""A proxy in asyncio protocols. The arguments are the loop and the port of the upstream.

A side is not read while the other one has more unsent bytes than its high-water mark.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import loops

UPSTREAM_PORT = int(sys.argv[2])


class Side(asyncio.Protocol):
    """`other` is the transport of the other side."""

    transport: asyncio.Transport
    other: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.other.write(data)

    def pause_writing(self) -> None:
        self.other.pause_reading()

    def resume_writing(self) -> None:
        self.other.resume_reading()

    def eof_received(self) -> bool:
        self.other.write_eof()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.other.close()


class Client(asyncio.Protocol):
    """The side of the client until there is another one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.early: list[bytes] = []
        self.connecting = asyncio.ensure_future(self.connect())

    def data_received(self, data: bytes) -> None:
        # uvloop forgets a pause that is asked for in connection_made().
        self.transport.pause_reading()
        self.early.append(data)

    async def connect(self) -> None:
        try:
            transport, upstream = await asyncio.get_running_loop().create_connection(
                Side, "127.0.0.1", UPSTREAM_PORT
            )
        except OSError:
            self.transport.abort()
            return
        client = Side()
        client.connection_made(self.transport)
        client.other, upstream.other = transport, self.transport
        self.transport.set_protocol(client)
        for data in self.early:
            transport.write(data)
        self.transport.resume_reading()


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loops.serve(await loop.create_server(Client, "127.0.0.1", 0, backlog=1024))


loops.run(main(), sys.argv[1])
