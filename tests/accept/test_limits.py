"""Limits of a server: who may connect, how often, and for how long; the same for both kinds of servers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket as plain
import struct
from collections.abc import Callable
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from server_stage import HOST, OTHER, THIRD, Stage, serving
from waiting import until

import uvnet
from uvnet._accept.limit_options import PRESETS


def listed(*addresses: str) -> uvnet.BlockList:
    found = uvnet.BlockList()
    for address in addresses:
        found.add_address(address)
    return found


def test_only_who_is_on_the_list(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        good, bad = await stage.client(OTHER), await stage.client()
        assert await stage.is_closed(bad)
        await until(lambda: len(stage.connections) == 1)
        assert stage.reasons == ["allow list"]
        assert stage.drops[0]["remote_address"] == HOST
        assert stage.server.dropped["allow list"] == 1
        await asyncio.get_running_loop().sock_sendall(good, b"here")
        await until(lambda: stage.heard == 4)

    staged(scene, allow_list=listed(OTHER))


def test_connections_of_one_host(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        kept = [await stage.client(), await stage.client()]
        await until(lambda: len(stage.connections) == 2)
        assert await stage.is_closed(await stage.client())
        await stage.client(OTHER)
        await until(lambda: len(stage.connections) == 3)
        assert stage.reasons == ["host limit"]
        # One that leaves makes room for another of the same host.
        kept[0].close()
        await until(lambda: _count(stage) == 2)
        await stage.client()
        await until(lambda: len(stage.connections) == 4)
        assert await stage.is_closed(await stage.client())
        assert stage.server.dropped["host limit"] == 2

    staged(scene, max_connections_per_host=2)


def _count(stage: Stage) -> int:
    server = stage.server
    return len(server.connections)


def test_networks_instead_of_hosts(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.client(HOST)
        assert await stage.is_closed(await stage.client(OTHER))
        await stage.client(THIRD)
        await until(lambda: len(stage.connections) == 2)
        assert stage.reasons == ["host limit"]

    staged(scene, max_connections_per_host=1, host_prefixes=(24, 64))


def test_hosts_on_a_server_of_both_families(play: Player) -> None:
    """An IPv4 address is the same host however it is written, and no other than that."""

    async def scenario() -> None:
        server = uvnet.create_server(max_connections_per_host=1)
        drops: list[Any] = []
        server.on("drop", drops.append)
        server.on("connection", lambda socket: None)
        server.listen(0)
        sources = (HOST, OTHER, "::1")
        clients = [
            plain.create_connection(("::1" if ":" in source else HOST, server.port), source_address=(source, 0))
            for source in sources
        ]
        for client in clients:
            client.setblocking(False)
        await until(lambda: len(server._unclosed()) == 3)
        assert drops == []
        clients.append(plain.create_connection((HOST, server.port)))
        await until(lambda: [drop["reason"] for drop in drops] == ["host limit"])
        for client in clients:
            client.close()
        await server.shutdown(0)

    play(scenario)


def test_the_rate_of_a_server(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        for _ in range(5):
            await stage.client()
        await until(lambda: len(stage.connections) + len(stage.drops) == 5)
        assert len(stage.connections) == 3
        assert stage.reasons == ["accept rate"] * 2

    # In the time of the test no token comes back.
    staged(scene, accept_rate=(0.001, 3))


def test_tokens_come_back(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        await stage.client()
        await until(lambda: len(stage.connections) == 1)
        await asyncio.sleep(0.05)
        await stage.client()
        await until(lambda: len(stage.connections) == 2)
        assert stage.drops == []

    staged(scene, accept_rate=(50, 1))


def test_what_one_host_does_too_often_is_not_taken_from_others(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        for _ in range(6):
            await stage.client(OTHER)
        await until(lambda: len(stage.connections) + len(stage.drops) == 6)
        for _ in range(2):
            await stage.client()
        await until(lambda: len(stage.connections) == 4)
        assert stage.reasons == ["host rate"] * 4

    staged(scene, accept_rate_per_host=(0.001, 2), accept_rate=(0.001, 4))


def test_who_says_nothing_first(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        silent, talker = await stage.client(), await stage.client()
        await asyncio.get_running_loop().sock_sendall(talker, b"x")
        assert await stage.is_closed(silent)
        await asyncio.sleep(0.2)
        assert stage.reasons == ["no data"]
        assert stage.drops[0]["remote_port"] == silent.getsockname()[1]
        assert _count(stage) == 1

    staged(scene, first_data_timeout=0.2)


def test_a_life_has_an_end(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        client = await stage.client()
        await asyncio.get_running_loop().sock_sendall(client, b"x")
        assert await stage.is_closed(client)
        assert stage.reasons == ["lifetime"]
        await until(lambda: _count(stage) == 0)

    staged(scene, max_lifetime=0.1)


def test_idle_sockets(play: Player) -> None:
    async def scenario() -> None:
        async with serving("net", idle_timeout=0.3) as stage:
            idle, busy = await stage.client(), await stage.client()
            loop = asyncio.get_running_loop()
            closed = loop.create_task(stage.is_closed(idle))
            while not closed.done():
                await loop.sock_sendall(busy, b"x")
                await asyncio.sleep(0.01)
            assert stage.reasons == ["idle"]
            assert _count(stage) == 1

    play(scenario)


def test_too_slow_a_sender(staged: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that dribbles goes; one that says nothing, one that is answered and one that is quick stay."""

    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        slow, silent, answered, quick = [await stage.client() for _ in range(4)]
        await until(lambda: len(stage.connections) == 4)
        await loop.sock_sendall(answered, b"x")
        closed = loop.create_task(stage.is_closed(slow))
        sent = b"x" * 4000
        while not closed.done():
            with contextlib.suppress(OSError):
                await loop.sock_sendall(slow, b"x")
            await loop.sock_sendall(quick, sent)
            stage.connections[2].write(b"y")
            await asyncio.sleep(0.1)
        assert stage.reasons == ["receive rate"]
        assert stage.drops[0]["remote_port"] == slow.getsockname()[1]
        assert _count(stage) == 3
        silent.close()

    staged(scene, min_receive_rate=100)


def test_the_largest_queue_goes_first(staged: Callable[..., None]) -> None:
    async def scene(stage: Stage) -> None:
        clients = [await stage.client() for _ in range(3)]
        await until(lambda: len(stage.connections) == 3)
        lengths = dict.fromkeys(range(3), 12 * 2**20)
        lengths[1] = 16 * 2**20
        for number, length in lengths.items():
            stage.connections[number].write(b"x" * length)
        await until(lambda: stage.drops)
        assert stage.reasons == ["buffered"]
        ports = [client.getsockname()[1] for client in clients]
        peers = [_port(connection) for connection in stage.connections]
        assert stage.drops[0]["remote_port"] == peers[1]
        assert sorted(ports) == sorted(peers)

    # Each of them has some megabytes in the system's buffers.
    staged(scene, max_total_buffered=28 * 2**20)


@pytest.mark.parametrize("size", [2**16, 2**20])
def test_writes_that_wait_behind_others_count(staged: Callable[..., None], size: int) -> None:
    """Whether they are with the system's loop or were put behind what is."""

    async def scene(stage: Stage) -> None:
        await stage.client()
        await until(lambda: stage.connections)
        connection = stage.connections[0]
        for _ in range(2**24 // size):
            connection.write(bytes(size))
            # Not all of them in one request.
            await asyncio.sleep(0)
        await until(lambda: stage.drops)
        assert stage.reasons == ["buffered"]

    staged(scene, max_total_buffered=8 * 2**20)


def _port(connection: Any) -> int:
    if isinstance(connection, uvnet.Socket):
        return connection.remote_port or 0
    port: int = connection.get_extra_info("peername")[1]
    return port


def test_handshakes_on_the_internet(play: Player, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preset has a time for them too, and what is given beside it wins; limits hold while one is under way."""
    monkeypatch.setitem(PRESETS["internet"], "handshake_timeout", 0.1)

    async def dropped(**options: Any) -> list[Any]:
        drops: list[Any] = []
        server = uvnet.tls.create_server(preset="internet", context=certificates.server(), **options)
        server.on("drop", drops.append)
        server.listen(0, HOST)
        await uvnet.once(server, "listening")
        with plain.create_connection((HOST, server.port or 0)):
            await until(lambda: drops)
        await server.shutdown(0)
        return [drop["reason"] for drop in drops]

    async def scenario() -> None:
        assert await dropped() == ["tls"]
        assert await dropped(handshake_timeout=60, max_lifetime=0.1) == ["lifetime"]
        assert await dropped(handshake_timeout=60, first_data_timeout=0.1) == ["no data"]

    play(scenario)


def test_hosts_behind_a_proxy(staged: Callable[..., None]) -> None:
    """They are those that the header tells; the proxy itself may have any number."""

    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        for source in ("192.0.2.1", "192.0.2.2", "192.0.2.1"):
            client = await stage.client()
            header = struct.pack("!12sBBH", b"\r\n\r\n\x00\r\nQUIT\n", 0x21, 0x11, 12)
            header += plain.inet_aton(source) + plain.inet_aton(HOST) + struct.pack("!HH", 5, 80)
            await loop.sock_sendall(client, header)
        await until(lambda: len(stage.connections) == 2 and len(stage.drops) == 1)
        assert (stage.reasons, stage.drops[0]["remote_address"]) == (["host limit"], "192.0.2.1")
        assert {_address(connection) for connection in stage.connections} == {"192.0.2.1", "192.0.2.2"}

    staged(scene, max_connections_per_host=1, accept_proxy_protocol=True)


def _address(connection: Any) -> str:
    if isinstance(connection, uvnet.Socket):
        return connection.remote_address or ""
    address: str = connection.get_extra_info("peername")[0]
    return address


def test_many_hosts_leave_nothing(play: Player) -> None:
    """A host is forgotten with its last connection."""

    async def scenario() -> None:
        async with serving("net", max_connections_per_host=5) as stage:
            for number in range(300):
                client = await stage.client(f"127.1.{number // 200}.{number % 200 + 1}")
                client.close()
            await until(lambda: len(stage.connections) == 300 and _count(stage) == 0)
            assert stage.drops == []

    play(scenario)


def test_limits_end_with_what_they_hold(play: Player) -> None:
    """A closed server's connections are held to them, and a listener may close everything from within 'drop'."""

    async def scenario() -> None:
        async with serving("net", max_lifetime=0.1, idle_timeout=60) as stage:
            clients = [await stage.client() for _ in range(3)]
            await until(lambda: len(stage.connections) == 3)

            def close_all(_drop: Any) -> None:
                for socket in stage.connections:
                    socket.destroy()

            stage.server.on("drop", close_all)
            stage.server.close()
            for client in clients:
                assert await stage.is_closed(client)
            assert stage.reasons == ["lifetime"]
            await stage.server.closed()

    play(scenario)


def test_one_line_a_second_and_reason(play: Player, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving("net", accept_rate=(0.001, 1)) as stage:
            for _ in range(20):
                await stage.client()
            await until(lambda: len(stage.drops) == 19)

    with caplog.at_level(logging.WARNING, "uvnet"):
        play(scenario)
    assert 1 <= len(caplog.records) <= 3
    assert "raise accept_rate" in caplog.text


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"allow_list": ["127.0.0.1"]}, TypeError, "allow_list"),
        ({"max_connections_per_host": -1}, ValueError, "max_connections_per_host"),
        ({"max_connections_per_host": "1"}, TypeError, "max_connections_per_host"),
        ({"accept_rate": 0}, ValueError, "accept_rate"),
        ({"accept_rate": -1}, ValueError, "accept_rate"),
        ({"accept_rate": (1, 0.5)}, ValueError, "accept_rate"),
        ({"accept_rate": (1, 2, 3)}, TypeError, "accept_rate"),
        ({"accept_rate": float("nan")}, ValueError, "accept_rate"),
        ({"accept_rate_per_host": float("inf")}, ValueError, "accept_rate_per_host"),
        ({"accept_rate_per_host": True}, TypeError, "accept_rate_per_host"),
        ({"host_prefixes": (32, 64)}, ValueError, "needs max_connections_per_host"),
        ({"host_prefixes": (33, 64), "max_connections_per_host": 1}, ValueError, "host_prefixes"),
        ({"host_prefixes": 24, "max_connections_per_host": 1}, TypeError, "host_prefixes"),
        ({"first_data_timeout": -1}, ValueError, "first_data_timeout"),
        ({"max_lifetime": "1"}, TypeError, "max_lifetime"),
        ({"min_receive_rate": 0}, ValueError, "min_receive_rate"),
        ({"max_total_buffered": 0}, ValueError, "max_total_buffered"),
        ({"max_total_buffered": 2**50}, ValueError, "max_total_buffered"),
    ],
    ids=str,
)
def test_bad_limits(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    loop = uvnet.new_event_loop()
    try:
        with pytest.raises(kind, match=words):
            uvnet.loop_factory(**options)

        async def scenario() -> None:
            with pytest.raises(kind, match=words):
                uvnet.create_server(**options)
            with pytest.raises(kind, match=words):
                await loop.create_server(asyncio.Protocol, HOST, 0, **options)

        loop.run_until_complete(scenario())
    finally:
        loop.close()
