"""Clients that come before anybody listens for 'connection' or iterates over the server: they wait, and are served."""

from __future__ import annotations

import asyncio
import socket as plain
from pathlib import Path
from typing import Any

import pytest
from harness import Player, Transport, event, listen
from pairs import reset
from waiting import turns, until, upcoming

import uvnet

AHEAD = 16  # connections that a server accepts before somebody takes them
MANY = AHEAD + 5


def connect(transport: Transport, server: uvnet.Server) -> plain.socket:
    if transport.kind == "unix":
        peer = plain.socket(plain.AF_UNIX)
        peer.connect(transport.path)
    else:
        peer = plain.create_connection(transport.connect_arguments(server)[::-1])
    peer.setblocking(False)
    return peer


def count(server: uvnet.Server) -> asyncio.Future[int]:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server.get_connections(lambda _error, connections: future.set_result(connections))
    return future


async def waiting(transport: Transport, server: uvnet.Server, number: int) -> list[plain.socket]:
    """So many clients; as many of them as a server takes ahead have been accepted."""
    peers = [connect(transport, server) for _ in range(number)]
    for index, peer in enumerate(peers):
        peer.send(b"%02d" % index)
    while await count(server) < min(number, AHEAD):
        await turns()
    await turns()
    return peers


@pytest.mark.parametrize("number", [1, AHEAD, MANY])
@pytest.mark.parametrize("entered", [False, True], ids=["plain", "async with"])
def test_they_are_served_in_their_order(play: Player, transport: Transport, number: int, entered: bool) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        if entered:
            await server.__aenter__()
        peers = await waiting(transport, server, number)
        assert await count(server) == min(number, AHEAD)
        late = connect(transport, server)
        late.send(b"la")
        served: list[bytes] = []
        async for socket in server:
            served.append(await socket.read_exactly(2))
            socket.destroy()
            if len(served) == number + 1:
                break
        assert served == [*(b"%02d" % index for index in range(number)), b"la"]
        await server.shutdown(5)
        for peer in (*peers, late):
            peer.close()

    play(scenario)


def test_a_server_with_a_listener_accepts_them_all(play: Player, transport: Transport) -> None:
    """Node: nothing holds it up, and what was heard of is nobody else's."""

    async def scenario() -> None:
        heard: list[uvnet.Socket] = []
        server = await listen(uvnet.create_server(heard.append), transport)
        peers = [connect(transport, server) for _ in range(3 * AHEAD)]
        await until(lambda: len(heard) == 3 * AHEAD)
        taking = asyncio.ensure_future(anext(aiter(server)))
        await turns()
        assert not taking.done()
        peers.append(connect(transport, server))
        assert await taking is heard[-1]
        assert await server.shutdown(0) == len(peers)
        for peer in peers:
            peer.close()

    play(scenario)


@pytest.mark.parametrize("entered", [False, True], ids=["plain", "async with"])
def test_a_listener_that_comes_later(play: Player, transport: Transport, entered: bool) -> None:
    """Node tells it of nobody who has come before; what waits in the system's queue it hears of."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        if entered:
            await server.__aenter__()
        peers = await waiting(transport, server, MANY)
        heard: list[uvnet.Socket] = []
        server.on("connection", heard.append)
        await until(lambda: len(heard) == MANY - AHEAD)
        assert await heard[0].read_exactly(2) == b"%02d" % AHEAD
        peers += [connect(transport, server) for _ in range(2 * AHEAD)]
        await until(lambda: len(heard) == MANY + AHEAD)
        first = await anext(aiter(server))
        assert await first.read_exactly(2) == b"00"
        await server.shutdown(0)
        for peer in peers:
            peer.close()

    play(scenario)


def test_what_once_has_heard_of_is_not_served_again(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        heard = upcoming(server, "connection")
        first = connect(transport, server)
        (socket,) = await heard
        second = connect(transport, server)
        second.send(b"2")
        other = await anext(aiter(server))
        assert other is not socket
        assert await other.read_exactly(1) == b"2"
        socket.destroy()
        await server.shutdown(0)
        first.close()
        second.close()

    play(scenario)


def test_those_that_are_gone_make_room(play: Player, tmp_path: Path) -> None:
    """Otherwise sixteen clients that fail would stop a server that nobody iterates over for good."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1")
        await event(server, "listening")
        transport = Transport("tcp", tmp_path)
        peers = await waiting(transport, server, AHEAD)
        for peer in peers[1:]:
            reset(peer)
        while await count(server) > 1:
            await turns()
        others = await waiting(transport, server, AHEAD)
        while await count(server) < AHEAD:
            await turns()
        socket = await anext(aiter(server))
        assert await socket.read_exactly(2) == b"00"
        following = await anext(aiter(server))
        assert await following.read_exactly(2) == b"00" and not following.destroyed
        await server.shutdown(0)
        for peer in (peers[0], *others):
            peer.close()

    play(scenario)
    # Nobody has asked for them: their errors are told as any that nobody hears.
    assert {type(context["exception"]) for context in play.reported} == {ConnectionResetError}
    play.expected = AHEAD - 1


def test_closing_leaves_those_that_nobody_asked_for(play: Player, transport: Transport) -> None:
    """As in Node, whose server waits for every connection; shutdown() has a limit."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        peers = await waiting(transport, server, 2)
        closed = upcoming(server, "close")
        server.close()
        await turns(20)
        assert not closed.done() and await count(server) == 2
        with pytest.raises(StopAsyncIteration):
            await anext(aiter(server))
        assert await server.shutdown(0) == 2
        assert closed.done()
        for peer in peers:
            peer.close()

    play(scenario)


def test_the_limit_of_connections_counts_them(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = uvnet.create_server()
        server.max_connections = 2
        drops: list[Any] = []
        server.on("drop", drops.append)
        await listen(server, transport)
        peers = [connect(transport, server) for _ in range(3)]
        await until(lambda: drops)
        assert drops[0]["reason"] == "connection limit"
        assert await count(server) == 2
        await server.shutdown(0)
        for peer in peers:
            peer.close()

    play(scenario)


def test_an_iteration_takes_what_is_emitted(play: Player) -> None:
    """Node's is on(server, 'connection')."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        connections = aiter(server)
        socket = uvnet.Socket()
        server.emit("connection", socket)
        assert await anext(connections) is socket
        assert server.listener_count("connection") == server.listener_count("error") == 0
        server.remove_all_listeners()
        server.emit("connection", socket)
        assert await anext(connections) is socket
        socket.destroy()
        await server.shutdown(0)

    play(scenario)
