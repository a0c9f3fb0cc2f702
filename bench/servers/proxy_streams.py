"""A proxy with asyncio's streams. The arguments are the loop and the port of the upstream."""

import asyncio
import contextlib
import sys

import loops

# As large as one read of the other peers, so that streams are not slowed down by a smaller buffer.
READ_SIZE = 256 * 1024
UPSTREAM_PORT = int(sys.argv[2])


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # The load generator leaves with messages in flight; that is no error here.
    with contextlib.suppress(OSError):
        while chunk := await reader.read(READ_SIZE):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        upstream_reader, upstream_writer = await asyncio.open_connection(
            "127.0.0.1", UPSTREAM_PORT, limit=READ_SIZE
        )
        await asyncio.gather(forward(reader, upstream_writer), forward(upstream_reader, writer))
        upstream_writer.close()
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(
        on_connection, "127.0.0.1", 0, backlog=1024, limit=READ_SIZE
    )
    await loops.serve(server)


loops.run(main(), sys.argv[1])
