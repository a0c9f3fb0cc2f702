"""Servers of sockets behind a proxy that sends the PROXY protocol; create_proxy() is one, see tests/proxy."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from harness import Player

import uvnet
from uvnet._accept.proxy_protocol import build_header

HEADER = build_header(2, ("192.0.2.7", 4711), ("198.51.100.2", 443))


async def connected(server: uvnet.Server, sent: bytes) -> socket.socket:
    client = socket.socket()
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    await loop.sock_sendall(client, sent)
    return client


async def connections(server: uvnet.Server) -> int:
    found = asyncio.get_running_loop().create_future()
    server.get_connections(lambda _, count: found.set_result(count))
    counted: int = await found
    return counted


@pytest.mark.parametrize("how", ["listener", "iteration"])
def test_a_socket_has_the_names_of_the_header(play: Player, how: str) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(accept_proxy_protocol=True)
        server.listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        if how == "listener":
            arrived = asyncio.ensure_future(uvnet.once(server, "connection"))
            await asyncio.sleep(0)
            with await connected(server, HEADER + b"hello") as client:
                [accepted] = await arrived
                await check(accepted, client)
        else:
            with await connected(server, HEADER + b"hello") as client:
                async for accepted in server:
                    await check(accepted, client)
                    break
        server.close()
        await server.closed()

    async def check(accepted: uvnet.Socket, client: socket.socket) -> None:
        assert (accepted.remote_address, accepted.remote_port) == ("192.0.2.7", 4711)
        assert (accepted.local_address, accepted.local_port) == ("198.51.100.2", 443)
        assert await accepted.read_exactly(5) == b"hello"
        assert accepted.bytes_read == 5
        accepted.end(b"bye")
        assert await asyncio.get_running_loop().sock_recv(client, 100) == b"bye"

    play(scenario)


def test_nobody_is_told_before_it_has_come(play: Player) -> None:
    async def scenario() -> None:
        seen: list[Any] = []
        server = uvnet.create_server(seen.append, accept_proxy_protocol=True)
        server.listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        with await connected(server, HEADER[:10]) as client:
            while await connections(server) == 0:
                await asyncio.sleep(0.001)
            # It waits for its header, so it keeps the server from 'close', and is somebody's.
            assert server in uvnet.active_handles()
            closed = asyncio.ensure_future(uvnet.once(server, "close"))
            server.close()
            await asyncio.sleep(0.05)
            assert not closed.done() and seen == []
            await asyncio.get_running_loop().sock_sendall(client, HEADER[10:])
            while not seen:
                await asyncio.sleep(0.001)
            seen[0].destroy()
            await closed

    play(scenario)


def test_the_server_is_closed_by_a_listener_of_drop(play: Player) -> None:
    """'close' comes all the same, once the connection is gone."""

    async def scenario() -> None:
        server = uvnet.create_server(accept_proxy_protocol=True)
        server.listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        server.on("drop", lambda drop: server.close())
        closed = asyncio.ensure_future(uvnet.once(server, "close"))
        await asyncio.sleep(0)
        with await connected(server, b"GET / HTTP/1.1\r\n\r\n"):
            await closed

    play(scenario)


def test_shutdown_counts_who_has_not_said_yet(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server(accept_proxy_protocol=True)
        server.listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        with await connected(server, b"PROXY "):
            while await connections(server) == 0:
                await asyncio.sleep(0.001)
            cut = await server.shutdown(0.05)
            assert cut.connections == 1

    play(scenario)


@pytest.mark.parametrize("value", [0, -1, "1", None, float("nan")])
def test_bad_time_limits(value: Any) -> None:
    async def scenario() -> None:
        with pytest.raises((TypeError, ValueError)):
            uvnet.create_server(accept_proxy_protocol=True, proxy_header_timeout=value)

    uvnet.run(scenario())
