"""HAProxy and nginx as senders of PROXY headers: what they say of their clients is what a server knows."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from peers import haproxy_command, nginx_command, unused_port

import uvnet

FROM_HERE = ["127.0.0.0/8"]


@contextlib.asynccontextmanager
async def running(command: list[str]) -> AsyncIterator[None]:
    """A program in the foreground; it is ended on the way out."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        yield
        assert process.returncode is None, await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def talk(port: int, context: ssl.SSLContext | None) -> tuple[Any, bytes]:
    """A client's own name, and what it is answered; as soon as somebody listens."""
    options = {} if context is None else {"ssl": context, "server_hostname": "localhost"}
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
            break
        except ConnectionRefusedError:
            await asyncio.sleep(0.02)
    name = writer.get_extra_info("sockname")
    writer.write(b"hello")
    answer = await reader.read(5)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return name, answer


async def echo_server(seen: list[uvnet.ProxyHeader | None], **options: Any) -> uvnet.Server:
    def connected(socket: uvnet.Socket) -> None:
        seen.append(socket.proxy_header)
        # A proxy ends some of its connections with a reset.
        socket.on("error", lambda error: None)
        socket.pipe(socket)

    server = uvnet.create_server(connected, accept_proxy_protocol=FROM_HERE, **options).listen(0, "127.0.0.1")
    await uvnet.once(server, "listening")
    return server


def test_haproxy_says_all_it_can(play: Player, tmp_path: Path, certificates: Certificates) -> None:
    """A client with a certificate, by TLS that ends at HAProxy: each TLV that it has, and the checksum."""
    context = certificates.client()
    context.load_cert_chain(certificates.path("client"))
    context.set_alpn_protocols(["http/1.1"])
    # So that what was sent of it is known.
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    async def scenario() -> None:
        seen: list[Any] = []
        server = await echo_server(seen)
        port = unused_port()
        bind = (
            f"127.0.0.1:{port} ssl crt {certificates.path('server')} ca-file {certificates.authority} "
            "verify required alpn http/1.1"
        )
        options = "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id"
        upstream = f"127.0.0.1:{server.port} send-proxy-v2 proxy-v2-options {options}\n    unique-id-format id-%cp"
        async with running(haproxy_command(tmp_path, bind, upstream)):
            name, answer = await talk(port, context)
        assert answer == b"hello"
        (header,) = [each for each in seen if each.source is not None]
        assert header.version == 2
        assert header.source == name
        assert header.destination == ("127.0.0.1", port)
        assert header.alpn == b"http/1.1"
        assert header.authority == "localhost"
        assert header.unique_id == f"id-{name[1]}".encode()
        assert header.netns is None
        assert 0x03 in dict(header.tlvs), "no checksum"
        found = header.ssl
        assert found.encrypted and found.certificate_on_connection and found.verified
        assert found.version == "TLSv1.3"
        assert found.common_name
        assert found.cipher and found.cipher.startswith("TLS_")
        assert found.signature_algorithm and found.key_algorithm
        await server.shutdown(0)

    play(scenario)


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"])
def test_haproxy_without_tls(play: Player, tmp_path: Path, option: str) -> None:
    async def scenario() -> None:
        seen: list[Any] = []
        server = await echo_server(seen)
        port = unused_port()
        async with running(haproxy_command(tmp_path, f"127.0.0.1:{port}", f"127.0.0.1:{server.port} {option} check")):
            name, answer = await talk(port, None)
        assert answer == b"hello"
        # Its checks name themselves, or nobody.
        (header,) = [each for each in seen if each.source == name]
        assert header.destination == ("127.0.0.1", port)
        assert header.version == (1 if option == "send-proxy" else 2)
        assert header.ssl is None or not header.ssl.encrypted
        await server.shutdown(0)

    play(scenario)


def test_nginx(play: Player, tmp_path: Path) -> None:
    """Its stream module, which sends version 1."""

    async def scenario() -> None:
        seen: list[Any] = []
        server = await echo_server(seen)
        port = unused_port()
        async with running(nginx_command(tmp_path, f"127.0.0.1:{port}", f"127.0.0.1:{server.port}")):
            name, answer = await talk(port, None)
        assert answer == b"hello"
        assert [(header.version, header.source, header.destination) for header in seen] == [
            (1, name, ("127.0.0.1", port))
        ]
        await server.shutdown(0)

    play(scenario)


def test_a_proxy_that_is_not_believed(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        drops: list[Any] = []
        server = uvnet.create_server(accept_proxy_protocol=["192.0.2.0/24"]).listen(0, "127.0.0.1")
        server.on("drop", drops.append)
        await uvnet.once(server, "listening")
        port = unused_port()
        async with running(haproxy_command(tmp_path, f"127.0.0.1:{port}", f"127.0.0.1:{server.port} send-proxy-v2")):
            with contextlib.suppress(ConnectionError):
                assert (await talk(port, None))[1] == b""
        assert {drop["reason"] for drop in drops} == {"proxy header"}
        assert drops[0]["remote_address"] == "127.0.0.1"
        await server.shutdown(0)

    play(scenario)
