"""Echo on uvloop with asyncio's streams.

The loop sets TCP_NODELAY on accepted sockets by itself.
"""

import asyncio
import contextlib

import uvloop

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
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main())
