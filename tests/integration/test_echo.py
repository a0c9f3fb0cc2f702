"""The echo server of Node's documentation, over TCP and over a Unix socket."""

from __future__ import annotations

import hashlib
import random

import pytest
from harness import Player, Transport, close, event, listen

import uvnet


@pytest.mark.parametrize("size", [1, 2, 1023, 1024, 65_535, 65_536, 65_537, 1_000_000, 8 * 2**20])
def test_bytes_come_back_exact(play: Player, transport: Transport, size: int) -> None:
    payload = random.Random(size).randbytes(size)

    async def scenario() -> None:
        server = await listen(uvnet.create_server(lambda socket: socket.pipe(socket)), transport)
        client = uvnet.connect(*transport.connect_arguments(server))
        received = hashlib.sha256()
        counted = 0

        def on_data(chunk: bytes) -> None:
            nonlocal counted
            received.update(chunk)
            counted += len(chunk)

        client.on("data", on_data)
        client.end(payload)
        assert await event(client, "close") == (False,)
        assert counted == size
        assert received.digest() == hashlib.sha256(payload).digest()
        assert client.bytes_read == client.bytes_written == size
        await close(server)

    play(scenario)
