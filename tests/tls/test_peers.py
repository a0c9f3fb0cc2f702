"""Programs that have nothing to do with uvnet, in both directions: openssl, curl, Node, Python's ssl."""

from __future__ import annotations

import asyncio
import random
import ssl
from pathlib import Path
from typing import Any

import pytest
import tls_peer
from certificates import Certificates
from harness import Player
from secure_scene import closed, listening, received
from tls_programs import CURL, OPENSSL, decimal, need_tool, node, node_client, run, talking

import uvnet
import uvnet.tls

RANDOM = random.Random(16)
LARGE = decimal(2_000_000, RANDOM)
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param  # type: ignore[no-any-return]


# === Their clients ===


def test_s_client(play: Player, certificates: Certificates, version: str) -> None:
    async def scenario() -> None:
        def answer(socket: Any) -> None:
            socket.pipe(socket, end=False)
            socket.on("data", lambda _: socket.bytes_read == len(LARGE) and socket.end())

        async with listening(certificates, answer) as server:
            ended = await run(
                need_tool(OPENSSL, "openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}", "-quiet",
                "-servername", "localhost", "-verify_return_error", "-CAfile", certificates.authority,
                f"-tls{version.replace('.', '_')}", given=LARGE,
            )  # fmt: skip
            assert ended.output == LARGE, ended.errors[-500:]

    play(scenario, 60)


def test_curl(play: Player, certificates: Certificates, tmp_path: Path) -> None:
    async def serve(socket: Any) -> None:
        try:
            request = await socket.read_until(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            # A newer curl ends its handshake before it refuses a certificate.
            return
        assert request.startswith(b"GET /large ")
        socket.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(LARGE))
        socket.end(LARGE)

    async def scenario() -> None:
        async with listening(certificates, serve) as server:
            ended = await run(
                need_tool(CURL, "curl"), "--silent", "--show-error", "--cacert", certificates.authority,
                f"https://localhost:{server.port}/large",
            )  # fmt: skip
            assert ended.output == LARGE, ended.errors
            refused = await run(CURL, "--silent", "--show-error", f"https://localhost:{server.port}/large")
            assert refused.code == 60

    play(scenario, 60)


def test_node_as_client(play: Player, certificates: Certificates, version: str) -> None:
    program = """
const socket = tls.connect(options, () => process.stdin.pipe(socket));
socket.pipe(process.stdout);
"""

    async def scenario() -> None:
        server_options = {"allow_half_open": True}
        async with listening(certificates, lambda socket: socket.pipe(socket), **server_options) as server:
            options = {**node_client(certificates, version, server.port), "allowHalfOpen": True}
            ended = await run(*node(program, **options), given=LARGE)
            assert ended.output == LARGE, ended.errors

    play(scenario, 60)


def test_python_as_client(play: Player, certificates: Certificates, version: str) -> None:
    def talk(port: int) -> tuple[bytes, str]:
        with tls_peer.connected(port, certificates.client(VERSIONS[version])) as peer:
            peer.send(b"hello")
            peer.receive_exactly(5)
            peer.notify()
            return peer.receive_all()

    async def scenario() -> None:
        async with listening(certificates, lambda socket: socket.pipe(socket)) as server:
            assert await asyncio.to_thread(talk, server.port) == (b"", "notified")

    play(scenario)


# === Their servers ===


def test_s_server(play: Player, certificates: Certificates, version: str) -> None:
    async def scenario() -> None:
        path = certificates.path("server")
        command = [
            need_tool(OPENSSL, "openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", path, "-key", path, "-rev",
            f"-tls{version.replace('.', '_')}",
        ]  # fmt: skip
        with talking(*command) as server:
            found = await server.until(rb"ACCEPT 127\.0\.0\.1:(\d+)")
            async with await uvnet.open_connection(
                int(found[1]), "127.0.0.1", tls=certificates.client(), servername="localhost"
            ) as client:
                client.write("abc\n")
                assert await client.read_until(b"\n") == b"cba\n"
                assert client.get_protocol() == f"TLSv{version}"

    play(scenario, 60)


def test_node_as_server(play: Player, certificates: Certificates, version: str) -> None:
    program = """
const server = tls.createServer(options, (socket) => socket.pipe(socket));
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
"""

    async def scenario() -> None:
        path = certificates.path("server")
        options = {"cert": path, "key": path, "maxVersion": f"TLSv{version}", "allowHalfOpen": True}
        with talking(*node(program, **options)) as server:
            found = await server.until(rb"port (\d+)")
            client = uvnet.tls.connect(
                int(found[1]), "127.0.0.1", context=certificates.client(), servername="localhost", allow_half_open=True
            )
            client.end(LARGE)
            assert await received(client) == LARGE
            await closed(client)

    play(scenario, 60)


def test_python_as_server(play: Player, certificates: Certificates, version: str) -> None:
    def talk(listener: Any) -> tuple[bytes, str]:
        with listener, tls_peer.accepted(listener, certificates.server(VERSIONS[version])) as peer:
            peer.send(b"hello")
            result = peer.receive_all()
            peer.notify()
            return result

    async def scenario() -> None:
        listener, port = tls_peer.pair_socket()
        talking_to = asyncio.create_task(asyncio.to_thread(talk, listener))
        client = await uvnet.open_connection(port, "127.0.0.1", tls=certificates.client(), servername="localhost")
        assert await client.read_exactly(5) == b"hello"
        client.end(b"goodbye")
        assert await talking_to == (b"goodbye", "notified")
        client.resume()
        await closed(client)

    play(scenario)
