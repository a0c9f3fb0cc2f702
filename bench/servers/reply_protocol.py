"""Header, body and trailer for each request, in an asyncio Protocol; the argument chooses the loop."""

import asyncio
import sys
from typing import cast

import loops

REPLY = bytes(index % 251 for index in range(64 + 1024 + 64))
HEADER, BODY, TRAILER = REPLY[:64], REPLY[64:-64], REPLY[-64:]


class Replier(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(HEADER)
        self.transport.write(BODY)
        self.transport.write(TRAILER)


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loops.serve(await loop.create_server(Replier, "127.0.0.1", 0, backlog=1024))


loops.run(main(), sys.argv[1])
