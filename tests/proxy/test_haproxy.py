"""create_proxy() behind HAProxy and in front of it: both speak the PROXY protocol to each other."""

from __future__ import annotations

import asyncio
import contextlib
import socket as plain
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from harness import Player
from peers import haproxy_command, unused_port
from proxy_stage import End
from waiting import until

import uvnet
from uvnet._accept.proxy_protocol import parse_header


@contextlib.asynccontextmanager
async def haproxy(directory: Path, bind: str, server: str) -> AsyncIterator[None]:
    """HAProxy in the foreground; it is ended on the way out."""
    process = await asyncio.create_subprocess_exec(
        *haproxy_command(directory, bind, server), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield
        assert process.returncode is None, await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def connect_when_ready(address: Any) -> End:
    """A connection to what HAProxy is about to listen on."""
    while True:
        socket = plain.socket(plain.AF_UNIX if isinstance(address, str) else plain.AF_INET)
        end = End(socket)
        try:
            await end.loop.sock_connect(socket, address)
            return end
        except (ConnectionRefusedError, FileNotFoundError):
            socket.close()
            await asyncio.sleep(0.02)


def echo(socket: uvnet.Socket) -> None:
    # A health check ends with a reset, which is carried over.
    socket.on("error", lambda error: None)
    socket.pipe(socket)


async def listening(server: uvnet.Server, *arguments: Any) -> uvnet.Server:
    server.listen(*arguments)
    await uvnet.once(server, "listening")
    return server


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2"])
def test_behind_haproxy(play: Player, tmp_path: Path, option: str, check: bool, kind: str) -> None:
    """client -> haproxy -> proxy -> echo: the proxy names the client, and health checks do no harm."""

    async def scenario() -> None:
        backend = await listening(uvnet.create_server(echo, allow_half_open=True), 0, "127.0.0.1")
        proxy = uvnet.create_proxy(("127.0.0.1", backend.address().port), accept_proxy_protocol=True)
        seen: list[tuple[Any, ...]] = []
        errors: list[BaseException] = []

        def on_upstream(client: uvnet.Socket, _socket: uvnet.Socket) -> None:
            seen.append((
                (client.remote_address, client.remote_port), client.remote_family,
                (client.local_address, client.local_port), client.local_family,
            ))  # fmt: skip

        proxy.on("upstream", on_upstream)
        proxy.on("upstreamError", lambda error, client: errors.append(error))
        accepted: list[uvnet.Socket] = []
        proxy.on("connection", accepted.append)
        path = str(tmp_path / "proxy")
        await listening(proxy, *((path,) if kind == "unix" else (0, "127.0.0.1")))
        where = f"unix@{path}" if kind == "unix" else f"127.0.0.1:{proxy.address().port}"
        front = ("127.0.0.1", unused_port())
        checks = " check inter 50ms" if check else ""
        async with haproxy(tmp_path, f"{front[0]}:{front[1]}", f"{where} {option}{checks}"):
            if check:
                await until(lambda: len(accepted) >= 5)
            client = await connect_when_ready(front)
            for _ in range(3):
                await client.send(b"request")
                assert await client.receive(7) == b"request"
            name = client.socket.getsockname()
            client.finish()
            assert await client.rest() == b""
            client.close()
            assert seen.count((name, "IPv4", front, "IPv4")) == 1
            if check:
                before = len(accepted)
                await until(lambda: len(accepted) >= before + 3)
                client = await connect_when_ready(front)
                await client.send(b"still there")
                assert await client.receive(11) == b"still there"
                client.close()
            else:
                assert len(seen) == 1
        await until(lambda: all(socket.closed for socket in accepted))
        assert errors == []
        for server in (proxy, backend):
            server.close()
            await uvnet.once(server, "close")

    play(scenario, timeout=60)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("version", [1, 2])
def test_in_front_of_haproxy(play: Player, tmp_path: Path, version: int, kind: str) -> None:
    """client -> proxy -> haproxy -> backend: HAProxy takes our header and tells in its own what it has read."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with plain.socket() as backend:
            backend.bind(("127.0.0.1", 0))
            backend.listen()
            backend.setblocking(False)
            path = str(tmp_path / "haproxy")
            port = unused_port()
            where: Any = path if kind == "unix" else ("127.0.0.1", port)
            bind = f"unix@{path}" if kind == "unix" else f"127.0.0.1:{port}"
            server = f"127.0.0.1:{backend.getsockname()[1]} send-proxy-v2"
            async with haproxy(tmp_path, f"{bind} accept-proxy", server):
                (await connect_when_ready(where)).close()
                proxy = uvnet.create_proxy(where, send_proxy_protocol=version)
                await listening(proxy, 0, "127.0.0.1")
                client = await connect_when_ready(("127.0.0.1", proxy.address().port))
                await client.send(b"request")
                end = End((await loop.sock_accept(backend))[0])
                received = b""
                header = None
                while header is None:
                    received += await end.receive(1)
                    header = parse_header(received)
                name = client.socket.getsockname()
                assert header is not None and header[:3] == (len(received), name, client.socket.getpeername())
                assert await end.receive(7) == b"request"
                await end.send(b"reply")
                end.close()
                assert await client.rest() == b"reply"
                client.close()
                proxy.close()
                await uvnet.once(proxy, "close")

    play(scenario, timeout=60)


@pytest.mark.parametrize("version", [1, 2])
def test_a_unix_client_has_no_address_for_haproxy(play: Player, tmp_path: Path, version: int) -> None:
    """HAProxy takes the header of a connection without addresses: the names are then those of our end."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with plain.socket() as backend:
            backend.bind(("127.0.0.1", 0))
            backend.listen()
            backend.setblocking(False)
            where = ("127.0.0.1", unused_port())
            server = f"127.0.0.1:{backend.getsockname()[1]} send-proxy"
            async with haproxy(tmp_path, f"{where[0]}:{where[1]} accept-proxy", server):
                (await connect_when_ready(where)).close()
                proxy = uvnet.create_proxy(where, send_proxy_protocol=version)
                upstreams: list[uvnet.Socket] = []
                proxy.on("upstream", lambda client, socket: upstreams.append(socket))
                await listening(proxy, str(tmp_path / "front"))
                client = await connect_when_ready(str(tmp_path / "front"))
                await client.send(b"request")
                end = End((await loop.sock_accept(backend))[0])
                name = f"PROXY TCP4 127.0.0.1 127.0.0.1 {upstreams[0].local_port} {where[1]}\r\n".encode()
                assert await end.receive(len(name) + 7) == name + b"request"
                end.close()
                assert await client.rest() == b""
                client.close()
                proxy.close()
                await uvnet.once(proxy, "close")

    play(scenario, timeout=60)
