"""Echo in an asyncio Protocol; the first argument chooses the loop, a second one is a certificate for TLS.

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


loops.run(loops.serve_protocol(Echo), sys.argv[1])
