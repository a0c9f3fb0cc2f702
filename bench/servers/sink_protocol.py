"""One-way receive in asyncio protocols; the count is the answer at the end.

The first argument chooses the loop, the second the protocol (`plain`, which
is given `bytes`, or `buffered`, which lends one buffer to the loop and has nothing allocated).
"""

import asyncio
import sys
from typing import cast

import loops

READ_SIZE = 256 * 1024


class PlainSink(asyncio.Protocol):
    received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.received += len(data)

    def eof_received(self) -> bool:
        self.transport.write(str(self.received).encode())
        self.transport.close()
        return True


class BufferedSink(asyncio.BufferedProtocol):
    received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = bytearray(READ_SIZE)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received += nbytes

    def eof_received(self) -> bool:
        self.transport.write(str(self.received).encode())
        self.transport.close()
        return True


async def main() -> None:
    loop = asyncio.get_running_loop()
    protocol = BufferedSink if sys.argv[2] == "buffered" else PlainSink
    await loops.serve(await loop.create_server(protocol, "127.0.0.1", 0, backlog=1024))


loops.run(main(), sys.argv[1])
