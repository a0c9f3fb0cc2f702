"""Echo in an asyncio BufferedProtocol, which lends one buffer to the loop; the argument chooses the loop.

All loops set TCP_NODELAY on accepted sockets by themselves. What was written is on its way or copied when
`write()` returns, so the buffer may be read into again.
"""

import asyncio
import sys
from typing import cast

import loops

READ_SIZE = 64 * 1024


class Echo(asyncio.BufferedProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.buffer = bytearray(READ_SIZE)
        self.view = memoryview(self.buffer)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(self.view[:nbytes])


loops.run(loops.serve_protocol(Echo), sys.argv[1])
