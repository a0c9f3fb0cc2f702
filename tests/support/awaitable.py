"""What the tests of coroutines that wait on a socket share: two sockets, and the ways to wait."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from harness import Transport, listen
from waiting import upcoming

import uvnet

__all__ = ["MEBIBYTE", "READINGS", "Reading", "pair", "readings"]

MEBIBYTE = 2**20
Reading = Callable[[uvnet.Socket], Any]


async def next_chunk(socket: uvnet.Socket) -> bytes:
    # An iterator that is dropped destroys its socket.
    chunks = aiter(socket)
    iterators.append(chunks)
    return await anext(chunks)


iterators: list[Any] = []

READINGS: dict[str, Reading] = {
    "exactly": lambda socket: socket.read_exactly(5),
    "until": lambda socket: socket.read_until(b"e"),
    "chunk": next_chunk,
    "line": lambda socket: anext(socket.lines(limit=100)),
    "receive": lambda socket: socket.receive(),
    "all": lambda socket: socket.read_all(100),
}
readings = pytest.mark.parametrize("read", READINGS.values(), ids=READINGS.keys())


@contextlib.asynccontextmanager
async def pair(transport: Transport, **options: Any) -> AsyncIterator[tuple[uvnet.Socket, uvnet.Socket]]:
    """A connected client and the server's socket for it."""
    server = await listen(uvnet.create_server(options), transport)
    accepted = upcoming(server, "connection")
    client = await uvnet.open_connection(*transport.connect_arguments(server))
    (socket,) = await accepted
    try:
        yield client, socket
    finally:
        iterators.clear()
        client.destroy()
        socket.destroy()
        await server.shutdown()
