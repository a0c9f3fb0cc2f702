"""Echo with asyncio's streams; the argument chooses the loop.

All loops set TCP_NODELAY on accepted sockets by themselves.
"""

import asyncio
import contextlib
import sys

import loops

# As large as one read of the other peers, so that streams are not slowed down by a smaller buffer.
READ_SIZE = 256 * 1024


async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # The load generator leaves with messages in flight; that is no error here.
    with contextlib.suppress(OSError):
        while chunk := await reader.read(READ_SIZE):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(
        on_connection, "127.0.0.1", 0, backlog=1024, limit=READ_SIZE
    )
    await loops.serve(server)


loops.run(main(), sys.argv[1])
