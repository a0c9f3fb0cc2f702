"""Cloudflare's quiche by way of Node (npm: @matrixai/quic): theirs as client, then as server, which always sends a Retry.

UVNET_NODE_MODULES in the environment names the `node_modules` that has it.  It gives a program no say over keys, tickets
and addresses: that is tried with ngtcp2 and quic-go.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from free_ports import free_port
from harness import Player
from quic_pair import ALPN, gone, quic_server, within
from quic_peers import BODY, program
from waiting import until

from uvnet import create_quic_socket

NODE = shutil.which("node")
MODULE = Path(os.environ.get("UVNET_NODE_MODULES", "node_modules"), "@matrixai/quic/dist/index.js").absolute()
SCRIPT = Path(__file__).with_name("quiche.mjs")

pytestmark = pytest.mark.skipif(
    NODE is None or not MODULE.exists(), reason="no @matrixai/quic of npm: see UVNET_NODE_MODULES in the file"
)


def command(certificates: Certificates, role: str, port: int, what: str = "") -> tuple[object, ...]:
    return NODE, SCRIPT, MODULE, role, port, certificates.path("server"), certificates.authority, what


@pytest.mark.parametrize("validate", [False, True], ids=["", "retry"])
def test_their_client(play: Player, certificates: Certificates, validate: bool) -> None:
    async def scenario() -> None:
        async with quic_server(certificates, {"validate_address": validate}) as server:
            sessions: list[Any] = []

            def arrived(session: Any) -> None:
                sessions.append(session)
                session.on("stream", lambda stream: stream.pipe(stream))

            server.on("session", arrived)
            address = server.endpoints[0].address
            assert address is not None
            async with program(*command(certificates, "client", address.port, "done")) as running:
                assert await running.ended() == 0, running.said.decode()
            await until(lambda: sessions[0].destroyed)
            assert (sessions[0].close_code["code"], sessions[0].close_code["family"]) == (5, 2)
            async with program(*command(certificates, "client", address.port, "closed")) as running:
                await running.says("waiting")
                sessions[1].destroy(code=88)
                assert await running.ended() == 0, running.said.decode()
            assert b"code: 88 true" in running.said, running.said.decode()

    play(scenario, timeout=60)


def test_their_server(play: Player, certificates: Certificates) -> None:
    port = free_port()

    async def scenario() -> None:
        async with program(*command(certificates, "server", port)) as running:
            await running.says("listening")
            client = create_quic_socket(endpoint={"address": "127.0.0.1"})
            session = await within(
                client.connect(
                    alpn=ALPN, address="127.0.0.1", port=port, servername="localhost", ca=str(certificates.authority)
                )
            )
            for _ in range(2):
                stream = await within(session.open_stream())
                stream.end(BODY)
                assert await within(stream.read_all(len(BODY))) == BODY
            session.destroy(code=77)
            await running.says("code: 77 true")
            await gone(client)

    play(scenario, timeout=60)
