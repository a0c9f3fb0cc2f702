"""Echo in an asyncio Protocol; the argument chooses the loop.

All loops set TCP_NODELAY on accepted sockets by themselves.
"""

import asyncio
import sys
from typing import cast

import loops


class Echo(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loops.serve(await loop.create_server(Echo, "127.0.0.1", 0, backlog=1024))


loops.run(main(), sys.argv[1])
