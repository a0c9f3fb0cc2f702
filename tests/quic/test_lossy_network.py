"""QUIC over a network that loses, doubles, reorders, delays and damages datagrams: every byte arrives, once, in order.

UVNET_QUIC_MEBIBYTES in the environment has more sent than the one MiB of every day.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random

import pytest
from certificates import Certificates
from harness import Player
from lossy_relay import Chances, lossy_relay
from quic_pair import client_options, gone, quic_server

from uvnet import create_quic_socket

SIZE = int(os.environ.get("UVNET_QUIC_MEBIBYTES", "1")) << 20
PATIENCE = 60 + 30 * (SIZE >> 20)  # seconds

NETWORKS = {
    "loses": Chances(drop=0.1),
    "doubles and reorders": Chances(duplicate=0.1, reorder=0.1),
    "damages": Chances(corrupt=0.1),
    "all of it": Chances.all(0.03, delay=0.002),
}


@pytest.mark.timeout(PATIENCE + 30)
@pytest.mark.parametrize("kind", NETWORKS)
def test_everything_arrives(play: Player, certificates: Certificates, kind: str) -> None:
    data = random.Random(1).randbytes(SIZE // 2)

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            server.on("session", lambda session: session.on("stream", lambda stream: stream.pipe(stream)))
            address = server.endpoints[0].address
            assert address is not None
            async with lossy_relay(("127.0.0.1", address.port), NETWORKS[kind], seed=7) as relay:
                client = create_quic_socket(endpoint={"address": "127.0.0.1"})
                session = await client.connect(client_options(certificates, server, port=relay.address[1]))
                stream = await session.open_stream()
                stream.end(data)
                digest = hashlib.sha256()
                received = 0
                async for chunk in stream:
                    digest.update(chunk)
                    received += len(chunk)
                assert (received, digest.digest()) == (len(data), hashlib.sha256(data).digest())
                counts = relay.counts
                assert counts.passed > 100
                assert counts.dropped + counts.duplicated + counts.reordered + counts.corrupted > 20
                await gone(client)

    play(scenario, timeout=PATIENCE)


def test_a_client_whose_address_changes(play: Player, certificates: Certificates) -> None:
    """As behind a NAT that has forgotten it: the server goes on at the new address once that is validated."""

    async def scenario() -> None:
        async with quic_server(certificates) as server:
            seen: list[object] = []

            def arrived(session: object) -> None:
                session.on("pathValidation", lambda *told: seen.append(told[0]))  # type: ignore[attr-defined]
                session.on("stream", lambda stream: stream.pipe(stream))  # type: ignore[attr-defined]

            server.on("session", arrived)
            address = server.endpoints[0].address
            assert address is not None
            async with lossy_relay(("127.0.0.1", address.port), Chances()) as relay:
                client = create_quic_socket(endpoint={"address": "127.0.0.1"})
                session = await client.connect(client_options(certificates, server, port=relay.address[1]))
                stream = await session.open_stream()
                stream.write(b"before")
                assert await stream.read_exactly(6) == b"before"
                relay.rebind()
                stream.write(b"behind")
                assert await stream.read_exactly(6) == b"behind"
                stream.end(bytes(100_000))
                assert len(await stream.read_all(100_000)) == 100_000
                assert seen == ["success"]
                await gone(client)
                await asyncio.sleep(0)

    play(scenario, timeout=60)
