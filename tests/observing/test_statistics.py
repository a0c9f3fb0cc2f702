"""statistics() and connections: of both kinds of servers, of a loop, and what is counted there."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import threading
import time
from typing import Any

import pytest
import uvloop
from certificates import Certificates
from harness import Player
from interpreter import FREE_THREADED
from server_stage import HOST, KINDS, Stage, on_stage
from waiting import until

import uvnet
from uvnet._accept import statistics as _types


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


async def _say(client: Any, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(client, data)


def test_the_connections_that_are_open(kind: str, play: Player) -> None:
    async def scene(stage: Stage) -> None:
        view = stage.server.connections
        assert (len(view), list(view), bool(view)) == (0, [], False)
        clients = [await stage.client() for _ in range(3)]
        await until(lambda: len(stage.connections) == 3)
        assert set(view) == set(stage.connections)
        assert len(view) == 3
        assert all(connection in view for connection in stage.connections)
        assert object() not in view
        clients[1].close()
        await until(lambda: len(view) == 2)
        # One list is not disturbed by what the loop does meanwhile.
        seen = []
        for connection in view:
            seen.append(connection)
            for client in clients:
                client.close()
            await until(lambda: len(view) == 0)
        assert len(seen) == 2
        assert repr(view).startswith("<0 connections of <")

    on_stage(kind, play, scene)


def test_what_a_server_counts(kind: str, play: Player) -> None:
    """Open connections and those that are gone, as the system counts them."""

    async def scene(stage: Stage) -> None:
        assert stage.server.statistics()[:2] == (0, 0)
        first, second = await stage.client(), await stage.client()
        await _say(first, b"x" * 1000)
        await _say(second, b"y" * 500)
        await until(lambda: stage.heard == 1500)
        stage.connections[0].write(b"z" * 300)
        await until(lambda: stage.server.statistics().bytes_written == 300)
        found = stage.server.statistics()
        assert (found.accepted, found.open, found.handshakes) == (2, 2, 0)
        assert (found.bytes_read, found.bytes_written, found.bytes_queued) == (1500, 300, 0)
        assert found.dropped == stage.server.dropped
        first.close()
        second.close()
        await until(lambda: len(stage.server.connections) == 0)
        assert stage.server.statistics() == found._replace(open=0)
        await _say(await stage.client(), b"x" * 10)
        await until(lambda: stage.heard == 1510)
        found = stage.server.statistics()
        assert (found.accepted, found.open, found.bytes_read) == (3, 1, 1510)

    on_stage(kind, play, scene)


def test_what_waits_to_be_sent(kind: str, play: Player) -> None:
    async def scene(stage: Stage) -> None:
        client = await stage.client()
        await until(lambda: len(stage.connections) == 1)
        total = 2**24
        stage.connections[0].write(b"x" * total)
        await until(lambda: stage.server.statistics().bytes_queued)
        found = stage.server.statistics()
        assert 0 < found.bytes_queued <= total
        assert uvnet.statistics().bytes_queued == found.bytes_queued
        loop = asyncio.get_running_loop()
        while total:
            total -= len(await loop.sock_recv(client, 2**20))
        await until(lambda: stage.server.statistics().bytes_queued == 0)

    on_stage(kind, play, scene)


def test_what_a_socket_keeps_itself_waits_too(play: Player) -> None:
    async def scene(stage: Stage) -> None:
        await stage.client()
        await until(lambda: len(stage.connections) == 1)
        stage.connections[0].cork()
        stage.connections[0].write(b"x" * 1000)
        assert stage.server.statistics().bytes_queued == 1000
        stage.connections[0].uncork()
        await until(lambda: stage.server.statistics().bytes_queued == 0)

    on_stage("net", play, scene)


def test_drops_by_their_reason(kind: str, play: Player) -> None:
    """Told or not, they are counted; of the server and of its loop."""

    async def scene(stage: Stage) -> None:
        await stage.client()
        await until(lambda: len(stage.connections) == 1)
        for _ in range(3):
            assert await stage.is_closed(await stage.client())
        for found in (stage.server.statistics(), uvnet.statistics()):
            assert found.dropped["host limit"] == 3
            assert sum(found.dropped.values()) == 3
            assert found.accepted == 1

    on_stage(kind, play, scene, max_connections_per_host=1)


def test_every_reason_has_a_place(play: Player) -> None:
    """As many as a record has counters for, each with a name."""

    async def scenario() -> None:
        reasons = uvnet.statistics().dropped
        assert len(reasons) == 14
        assert list(reasons) == list(uvnet.Server().dropped)
        assert set(reasons.values()) == {0}

    play(scenario)


@pytest.mark.parametrize("listens", [True, False])
def test_drops_that_nobody_expects_are_in_the_log(
    play: Player, caplog: pytest.LogCaptureFixture, listens: bool
) -> None:
    """Whether somebody listens for 'drop' or not, and once a second."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: None, max_connections_per_host=1)
        if listens:
            server.on("drop", lambda drop: None)
        server.listen(0)
        sockets = [await uvnet.open_connection(server.port, HOST) for _ in range(4)]
        await until(lambda: server.dropped["host limit"] == 3)
        for socket in sockets:
            socket.destroy()
        await server.shutdown(0)

    with caplog.at_level(logging.WARNING, "uvnet"):
        play(scenario)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["too many of one host"]


def test_of_a_loop(play: Player) -> None:
    """Servers and clients, open or gone, and of servers that nobody has any more."""

    async def scenario() -> None:
        before = uvnet.statistics()
        server = uvnet.create_server(lambda socket: socket.on("data", socket.write)).listen(0)
        async with await uvnet.open_connection(server.port, HOST) as socket:
            socket.write(b"x" * 100)
            assert await socket.read_exactly(100) == b"x" * 100
            now = uvnet.statistics()
            assert (now.accepted - before.accepted, now.open) == (1, 1)
            # Each end has read and written them.
            assert now.bytes_read - before.bytes_read == now.bytes_written - before.bytes_written == 200
        await server.shutdown()
        del server
        gc.collect()
        now = uvnet.statistics()
        assert (now.accepted - before.accepted, now.open) == (1, 0)
        assert now.bytes_read - before.bytes_read == 200
        assert now.turns > before.turns

    play(scenario)


def test_relays_count(play: Player, relays_on: None) -> None:
    """What a proxy passes on without the GIL, by splice(2) too."""

    async def scenario() -> None:
        total = 3_000_000

        def collect(socket: uvnet.Socket) -> None:
            socket.on("data", lambda data: received.append(len(data)))
            socket.on("end", lambda: socket.end(b"thanks"))

        received: list[int] = []
        sink = uvnet.create_server(collect, allow_half_open=True).listen(0)
        proxy = uvnet.create_proxy((HOST, sink.port)).listen(0)
        async with await uvnet.open_connection(proxy.port, HOST, allow_half_open=True) as socket:
            socket.end(b"x" * total)
            assert await socket.read_all(100) == b"thanks"
        await proxy.shutdown()
        await sink.shutdown()
        assert sum(received) == total
        found = proxy.statistics()
        assert (found.bytes_read, found.bytes_written) == (total, 6)
        assert (sink.statistics().bytes_read, sink.statistics().bytes_written) == (total, 6)

    play(scenario)


def test_handshakes(play: Player, certificates: Certificates) -> None:
    """Those that succeeded; bytes are those on the network."""

    async def scenario() -> None:
        server = uvnet.tls.create_server(lambda socket: socket.end(b"hello"), context=certificates.server())
        server.listen(0)
        context = certificates.client()
        for _ in range(2):
            async with await uvnet.open_connection(server.port, "localhost", tls=context) as socket:
                assert await socket.read_all(100) == b"hello"
        with pytest.raises((ssl.SSLError, OSError)):
            await uvnet.open_connection(server.port, "localhost", tls=ssl.create_default_context())
        server.on("tlsClientError", lambda error, socket: None)
        await server.shutdown(1)
        found = server.statistics()
        assert (found.accepted, found.handshakes) == (3, 2)
        assert found.bytes_written > 2 * len(b"hello") + 1000
        # Of both ends.
        assert uvnet.statistics().handshakes == 4

    play(scenario)


def test_handshakes_of_transports(certificates: Certificates) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server: Any = await loop.create_server(asyncio.Protocol, HOST, 0, ssl=certificates.server())
        port = server.sockets[0].getsockname()[1]
        transport, _ = await loop.create_connection(
            asyncio.Protocol, HOST, port, ssl=certificates.client(), server_hostname="localhost"
        )
        await until(lambda: server.statistics().handshakes == 1)
        transport.abort()
        server.close()
        await until(lambda: len(server.connections) == 0)
        assert uvnet.statistics(loop).handshakes == 2

    loop = uvnet.new_event_loop()
    try:
        loop.run_until_complete(asyncio.wait_for(scenario(), 20))
    finally:
        loop.close()


def test_the_longest_turn(play: Player) -> None:
    """What one callback holds up, whatever called it, and not the waiting for I/O."""

    async def scenario() -> None:
        assert uvnet.statistics().turns == 0
        await asyncio.sleep(0.3)
        await asyncio.sleep(0.01)
        quiet = uvnet.statistics()
        assert quiet.longest_turn < 0.25
        assert quiet.turns > 0
        time.sleep(0.3)
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert uvnet.statistics().longest_turn >= 0.3

    play(scenario)


@pytest.mark.parametrize("what", ["timer", "data"])
def test_the_longest_turn_is_any_callbacks(play: Player, what: str) -> None:
    async def scenario() -> None:
        uvnet.statistics()
        server = uvnet.create_server(lambda socket: socket.on("data", lambda data: time.sleep(0.2))).listen(0)
        async with await uvnet.open_connection(server.port, HOST) as socket:
            if what == "data":
                socket.write(b"x")
            else:
                asyncio.get_running_loop().call_later(0.01, time.sleep, 0.2)
            await until(lambda: uvnet.statistics().longest_turn >= 0.2)
        await server.shutdown()

    play(scenario)


def test_from_another_thread(play: Player) -> None:
    """One may look from anywhere; of a loop that has nothing of ours there is nothing to see."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        server = uvnet.create_server(lambda socket: socket.resume()).listen(0)
        async with await uvnet.open_connection(server.port, HOST) as socket:
            socket.write(b"x" * 10)
            await until(lambda: server.statistics().bytes_read == 10)
            assert (await asyncio.to_thread(uvnet.statistics, loop)).open == 1
            if not FREE_THREADED:
                seen = await asyncio.to_thread(lambda: (server.statistics(), len(server.connections)))
                assert seen == (server.statistics(), 1)
        await server.shutdown()

    play(scenario)


def test_loops_that_cannot_be_asked(play: Player) -> None:
    another_kind = asyncio.new_event_loop()
    with pytest.raises(RuntimeError, match="uvloop"):
        uvnet.statistics(another_kind)
    another_kind.close()
    closed = uvnet.new_event_loop()
    closed.close()
    with pytest.raises(RuntimeError):
        uvnet.statistics(closed)
    other = uvloop.new_event_loop()
    begun = threading.Event()
    ended = threading.Event()

    def body() -> None:
        other.call_soon(begun.set)
        other.run_until_complete(other.run_in_executor(None, ended.wait))

    thread = threading.Thread(target=body)
    thread.start()
    begun.wait(10)
    try:
        with pytest.raises(RuntimeError, match="another thread"):
            uvnet.statistics(other)
    finally:
        ended.set()
        thread.join()
    other.close()


def test_servers_that_are_not_made() -> None:
    """Without __init__ there is nothing to count, and nothing that crashes."""
    server = uvnet.Server.__new__(uvnet.Server)
    assert server.statistics()[:2] == (0, 0)
    assert list(server.connections) == []
    assert isinstance(server.statistics(), _types.ServerStatistics)


def test_the_time_between_two_runs_is_no_turn() -> None:
    loop = uvnet.new_event_loop()
    try:

        async def look() -> float:
            await asyncio.sleep(0.01)
            return uvnet.statistics().longest_turn

        loop.run_until_complete(look())
        time.sleep(0.3)
        loop.run_until_complete(look())
        assert loop.run_until_complete(look()) < 0.25
    finally:
        loop.close()
