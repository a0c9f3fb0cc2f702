"""What comes goes into a file, in an asyncio protocol that writes it.

The file is begun anew after so many bytes, and the answer at the end is their number.  Arguments: the loop, the
directory, the bytes.
"""

import asyncio
import sys
import tempfile
from typing import cast

import loops

directory, most = sys.argv[2], int(sys.argv[3])


class Receiver(asyncio.Protocol):
    received = 0
    place = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.file = tempfile.TemporaryFile(dir=directory, buffering=0)  # noqa: SIM115

    def data_received(self, data: bytes) -> None:
        self.file.write(data)
        self.received += len(data)
        self.place += len(data)
        if self.place >= most:
            self.place = 0
            self.file.seek(0)

    def eof_received(self) -> bool:
        self.transport.write(str(self.received).encode())
        self.transport.close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self.file.close()


async def main() -> None:
    loop = asyncio.get_running_loop()
    await loops.serve(await loop.create_server(Receiver, "127.0.0.1", 0, backlog=1024))


loops.run(main(), sys.argv[1])
