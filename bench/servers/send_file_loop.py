"""A file for each request of one byte, by loop.sendfile().  Arguments: the loop, the file."""

import asyncio
import sys
from typing import cast

import loops

file = open(sys.argv[2], "rb")  # noqa: SIM115


class Sender(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.task = asyncio.ensure_future(self.send())

    async def send(self) -> None:
        try:
            await asyncio.get_running_loop().sendfile(self.transport, file)
        except OSError:
            self.transport.abort()


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loops.serve(await loop.create_server(Sender, "127.0.0.1", 0, backlog=1024))


loops.run(main(), sys.argv[1])
