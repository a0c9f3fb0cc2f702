"""A server and a client on loopback: handshake, a stream there and back, and the end.  Sections 1, 3, 4, 8 and 9."""

from __future__ import annotations

import asyncio
from typing import Any

from certificates import Certificates
from harness import Player
from quic_pair import ALPN, client_options, quic_pair, quic_server, upcoming, within

from uvnet import create_quic_socket


def test_a_stream_there_and_back(play: Player, certificates: Certificates) -> None:
    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            stream = await within(pair.outgoing.open_stream())
            stream.end(b"hello")
            far = await within(pair.streams.get())
            assert await within(far.read_all(100)) == b"hello"
            far.end(b"and back")
            assert await within(stream.read_all(100)) == b"and back"
            assert (stream.id, far.id) == (0, 0)

    play(scenario)


def test_the_order_of_events(play: Player, certificates: Certificates) -> None:
    """Section 9, 0 to 2: 'session' at once, then 'secure', then 'stream'; 'ready' before 'listening'."""
    told: list[str] = []

    async def scenario() -> None:
        server = create_quic_socket(endpoint={"address": "127.0.0.1"})
        for name in ("ready", "listening", "endpointClose", "close"):
            server.on(name, lambda *_, name=name: told.append(name))
        path = str(certificates.path("server"))

        @server.on("session")
        def session(session: Any) -> None:
            told.append("session")
            assert not session.handshake_complete
            session.on("secure", lambda *_: told.append("secure"))
            session.on("stream", lambda stream: (told.append("stream"), stream.end(b"x")))
            session.on("close", lambda: told.append("session close"))

        listening = server.listen(alpn=ALPN, cert=path, key=path)
        assert told == []
        await within(listening)
        client = create_quic_socket(endpoint={"address": "127.0.0.1"})
        outgoing = await within(client.connect(client_options(certificates, server)))
        assert not outgoing.handshake_complete
        stream = await within(outgoing.open_stream())
        stream.end(b"y")
        assert await within(stream.read_all(10)) == b"x"
        await within(client.close())
        assert client.destroyed
        await within(server.close())

    play(scenario)
    assert told == [
        "ready", "listening", "session", "secure", "stream", "session close", "endpointClose", "close",
    ]  # fmt: skip


def test_half_a_megabyte_both_ways(play: Player, certificates: Certificates) -> None:
    data = bytes(range(256)) * 2000

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            server.on("session", lambda session: session.on("stream", lambda stream: stream.pipe(stream)))
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            session = await within(client.connect(client_options(certificates, server)))
            stream = await within(session.open_stream())
            stream.end(data)
            assert await within(stream.read_all(len(data))) == data
            await within(client.close())
            assert session.destroyed and session.close_code["code"] == 0

    play(scenario)


def test_nothing_is_lost_where_the_session_closes_at_once(play: Player, certificates: Certificates) -> None:
    """Section 4.1: close() is done when the peer has what was written."""
    data = bytes(200_000)

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            stream = await within(pair.outgoing.open_stream(half_open=True))
            stream.end(data)
            far, _ = await asyncio.gather(pair.streams.get(), within(pair.outgoing.close()))
            assert await within(far.read_all(len(data))) == data
            await asyncio.sleep(0)

    play(scenario)


def test_a_session_that_ends(play: Player, certificates: Certificates) -> None:
    """Section 4.1: the peer's code is known, and its close is no error."""

    async def scenario() -> None:
        async with quic_pair(certificates) as pair:
            closed = upcoming(pair.incoming, "close")
            pair.outgoing.destroy(code=77)
            await within(closed)
            assert pair.incoming.close_code == {"code": 77, "family": 2, "silent": True}
            assert pair.incoming.destroyed and pair.incoming.socket is None

    play(scenario)
