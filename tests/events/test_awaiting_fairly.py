"""Awaits that are always ready give way all the same: after so many everybody else has a turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from awaitable import READINGS, pair, readings
from harness import Player, Transport
from pairs import take_over
from waiting import step, until

import uvnet

MOST = 128  # awaits, or coroutines woken, before others have their turn
ROUNDS = 10 * MOST

Once = Callable[[], Awaitable[Any]]


class Turns:
    """A task that goes on once in each turn of the loop, and how much another one has done in between at most."""

    def __init__(self) -> None:
        self.count = 0
        self.since = 0
        self.most = 0
        self.task = asyncio.create_task(self.run())

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.count += 1
            self.since = 0

    def did(self) -> None:
        self.since += 1
        self.most = max(self.most, self.since)


@contextlib.asynccontextmanager
async def others() -> AsyncIterator[Turns]:
    turns = Turns()
    await asyncio.sleep(0)
    try:
        yield turns
    finally:
        turns.task.cancel()


def ready_drain(client: uvnet.Socket, _socket: uvnet.Socket) -> Once:
    async def once() -> None:
        client.write(b"x")
        await client.drain()

    return once


def owed_drain(client: uvnet.Socket, _socket: uvnet.Socket) -> Once:
    """With a high-water mark of 0 every write owes a 'drain', which comes on a tick (rule 2.7.6)."""
    near, far = take_over("unix", high_water_mark=0)
    client.on("close", lambda _: (near.destroy(), far.close()))

    async def once() -> None:
        near.write(b"x")
        await near.drain()
        assert far.recv(1) == b"x"

    return once


def failing_drain(client: uvnet.Socket, _socket: uvnet.Socket) -> Once:
    client.destroy()

    async def once() -> None:
        with contextlib.suppress(uvnet.NetRuntimeError):
            await client.drain()

    return once


def exactly(_client: uvnet.Socket, socket: uvnet.Socket) -> Once:
    async def once() -> None:
        socket.unshift(b"x")
        assert await socket.read_exactly(1) == b"x"

    return once


def line(_client: uvnet.Socket, socket: uvnet.Socket) -> Once:
    async def once() -> None:
        socket.unshift(b"line\n")
        assert await socket.read_until() == b"line\n"

    return once


def chunk(_client: uvnet.Socket, socket: uvnet.Socket) -> Once:
    chunks = aiter(socket)

    async def once() -> None:
        socket.unshift(b"x")
        assert await anext(chunks) == b"x"

    return once


def arrival(_client: uvnet.Socket, socket: uvnet.Socket) -> Once:
    server = socket.server
    arrivals = aiter(server)

    async def once() -> None:
        server.emit("connection", socket)
        assert await anext(arrivals) is socket

    return once


def pipeline(client: uvnet.Socket, socket: uvnet.Socket) -> Once:
    client.destroy()

    async def once() -> None:
        with contextlib.suppress(uvnet.NetRuntimeError):
            await uvnet.pipeline(socket, client)

    return once


@pytest.mark.parametrize(
    "busy",
    [ready_drain, owed_drain, failing_drain, exactly, line, chunk, arrival, pipeline],
    ids=lambda busy: busy.__name__,
)
def test_what_is_always_ready_gives_way(play: Player, transport: Transport, busy: Callable[..., Once]) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket), others() as turns:
            once = busy(client, socket)
            for _ in range(ROUNDS):
                await once()
                turns.did()
            assert turns.count >= ROUNDS // MOST - 1
            assert turns.most <= MOST

    play(scenario)


def test_data_that_is_there(play: Player, transport: Transport) -> None:
    """One task takes many messages of two sockets in turn; what it gives is in order and whole."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket), others() as turns:
            client.write(b"".join(b"%4d\n" % number for number in range(ROUNDS)))
            socket.write(b"".join(b"%4d\n" % number for number in range(ROUNDS)))
            await until(lambda: socket.readable_length == client.readable_length == 5 * ROUNDS)
            turns.most = 0
            for number in range(ROUNDS):
                assert int(await socket.read_until()) == int(await client.read_exactly(5)) == number
                turns.did()
            assert turns.most <= MOST // 2

    play(scenario)


@pytest.mark.parametrize("players", [2, 3 * MOST], ids=["two", "many"])
def test_coroutines_that_wake_each_other(play: Player, players: int) -> None:
    """On ticks, which run until there are none: after so many wakings the next coroutine goes on through the loop."""

    async def scenario() -> None:
        table = [take_over("unix") for _ in range(players)]
        balls = 0

        async def pass_on(index: int) -> None:
            nonlocal balls
            socket, (neighbour, _) = table[index][0], table[(index + 1) % players]
            while balls < ROUNDS:
                await socket.read_exactly(1)
                balls += 1
                turns.did()
                neighbour.unshift(b"o")

        tasks = [asyncio.create_task(pass_on(index)) for index in range(players)]
        async with others() as turns:
            await asyncio.sleep(0)
            table[0][0].unshift(b"o")
            await until(lambda: balls >= ROUNDS)
            assert turns.most <= MOST
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for socket, peer in table:
            socket.destroy()
            peer.close()

    play(scenario)


async def use_up(socket: uvnet.Socket) -> None:
    """Let the next await be one that gives way."""
    for _ in range(MOST + 1):
        awaitable = socket.read_exactly(0).__await__()
        with contextlib.suppress(StopIteration):
            next(awaitable)
            # It does so itself, and counts.
            awaitable.close()
            break
    for _ in range(MOST - 1):
        step(socket.read_exactly(0))


@readings
def test_cancelled_while_it_gives_way(play: Player, transport: Transport, read: Callable[..., Any]) -> None:
    """It has taken nothing, and nobody else may read meanwhile."""

    async def scenario() -> None:
        async with pair(transport) as (_client, socket):
            socket.unshift(b"abcde")
            await use_up(socket)
            waiting = asyncio.create_task(read(socket))
            await asyncio.sleep(0)
            assert not waiting.done()
            with pytest.raises(RuntimeError, match="another coroutine"):
                socket.read()
            with pytest.raises(RuntimeError, match="another coroutine"):
                await socket.read_exactly(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await socket.read_exactly(5) == b"abcde"

    play(scenario)


@pytest.mark.parametrize("how", ["data", "end", "destroy", "error"])
@readings
def test_what_happens_while_it_gives_way(
    play: Player, transport: Transport, read: Callable[..., Any], how: str
) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            await socket.read_exactly(0)
            await use_up(socket)
            waiting = asyncio.create_task(read(socket))
            await asyncio.sleep(0)
            assert not waiting.done()
            if how == "data":
                socket.unshift(b"abcde")
                if read in (READINGS["line"], READINGS["all"]):
                    client.end()
                assert await waiting == b"abcde"
            elif how == "error":
                socket.destroy(LookupError("mine"))
                with pytest.raises(LookupError, match="mine"):
                    await waiting
            else:
                client.end() if how == "end" else socket.destroy()
                if read is READINGS["receive"] or (how == "end" and read is READINGS["all"]):
                    assert await waiting == b""
                else:
                    with pytest.raises((asyncio.IncompleteReadError, StopAsyncIteration)):
                        await waiting

    play(scenario)
