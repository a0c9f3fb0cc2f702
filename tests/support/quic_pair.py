"""Two ends of a QUIC connection on loopback, for tests; a module that imports this is skipped where there is no engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from certificates import Certificates

pytest.importorskip("aioquic", reason="QUIC needs the extra aioquic, and that CPython 3.11")

from uvnet import create_quic_socket  # noqa: E402
from uvnet.quic import QuicClientSession, QuicServerSession, QuicSocket  # noqa: E402

__all__ = ["ALPN", "Pair", "client_options", "gone", "quic_pair", "quic_server", "server_options", "upcoming", "within"]

ALPN = "test"
PATIENCE = 15  # seconds; nothing here takes that long


def server_options(certificates: Certificates, **others: Any) -> dict[str, Any]:
    path = str(certificates.path("server"))
    return {"alpn": ALPN, "cert": path, "key": path, **others}


def client_options(certificates: Certificates, server: QuicSocket, **others: Any) -> dict[str, Any]:
    address = server.endpoints[0].address
    assert address is not None
    return {
        "alpn": ALPN,
        "address": "127.0.0.1",
        "port": address.port,
        "servername": "localhost",
        "ca": str(certificates.authority),
        **others,
    }


def upcoming(emitter: Any, name: str) -> asyncio.Future[tuple[Any, ...]]:
    """The arguments of the next event of this name, of which nothing is missed from now on."""
    future: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()
    emitter.once(name, lambda *told: future.done() or future.set_result(told))
    return future


async def within(awaitable: Any, seconds: float = PATIENCE) -> Any:
    return await asyncio.wait_for(awaitable, seconds)


class Pair:
    """Both sockets, and the session between them at both ends; `streams` are those that came, at either end."""

    def __init__(self, server: QuicSocket, client: QuicSocket) -> None:
        self.server = server
        self.client = client
        self.outgoing: QuicClientSession
        self.incoming: QuicServerSession
        self.streams: asyncio.Queue[Any] = asyncio.Queue()

    async def open(self, half_open: bool = False) -> tuple[Any, Any]:
        """A stream that the client opens, and what the server gets of it once it has a byte."""
        near = await within(self.outgoing.open_stream(half_open))
        near.write(b".")
        far = await within(self.streams.get())
        assert await within(far.read_exactly(1)) == b"."
        return near, far


@asynccontextmanager
async def quic_server(
    certificates: Certificates, options: Mapping[str, Any] | None = None, **listen: Any
) -> AsyncIterator[QuicSocket]:
    """A QuicSocket that listens on a port of 127.0.0.1."""
    server = create_quic_socket({"endpoint": {"address": "127.0.0.1"}, **(options or {})})
    await within(server.listen(server_options(certificates, **listen)))
    try:
        yield server
    finally:
        await gone(server)


@asynccontextmanager
async def quic_pair(
    certificates: Certificates,
    server_socket: Mapping[str, Any] | None = None,
    client_socket: Mapping[str, Any] | None = None,
    listen: Mapping[str, Any] | None = None,
    connect: Mapping[str, Any] | None = None,
) -> AsyncIterator[Pair]:
    """A session whose handshake is over."""
    async with quic_server(certificates, server_socket, **(listen or {})) as server:
        client = create_quic_socket({"endpoint": {"address": "127.0.0.1"}, **(client_socket or {})})
        pair = Pair(server, client)
        try:
            sessions: asyncio.Queue[QuicServerSession] = asyncio.Queue()

            @server.on("session")
            def arrived(session: QuicServerSession) -> None:
                session.on("stream", pair.streams.put_nowait)
                sessions.put_nowait(session)

            pair.outgoing = await within(client.connect(client_options(certificates, server, **(connect or {}))))
            pair.outgoing.on("stream", pair.streams.put_nowait)
            pair.incoming = await within(sessions.get())
            await within(asyncio.gather(*(
                upcoming(session, "secure") for session in (pair.outgoing, pair.incoming) if not session.handshake_complete
            )))  # fmt: skip
            yield pair
        finally:
            await gone(client)


async def gone(socket: QuicSocket) -> None:
    """Destroy it, and wait until nothing of it is left."""
    if not socket._is_told:
        closed = upcoming(socket, "close")
        socket.destroy()
        await within(closed)
