"""Fan-out in asyncio protocols; the argument chooses the loop.

A new connection gets the message at once; a byte from any connection sends it to all of them.
"""

import asyncio
import sys
from typing import cast

import loops

MESSAGE = bytes(range(128))

transports: set[asyncio.Transport] = set()


class Member(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        transports.add(self.transport)
        self.transport.write(MESSAGE)

    def data_received(self, data: bytes) -> None:
        for transport in transports:
            transport.write(MESSAGE)

    def connection_lost(self, error: Exception | None) -> None:
        transports.discard(self.transport)


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loops.serve(await loop.create_server(Member, "127.0.0.1", 0, backlog=1024))


loops.run(main(), sys.argv[1])
