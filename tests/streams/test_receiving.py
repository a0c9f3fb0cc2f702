"""receive() and read_all(); and what had arrived is given out before the error of a connection that broke."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from awaitable import MEBIBYTE, pair
from harness import Player, Transport
from pairs import SMALL, read_now, reset, take_over
from waiting import step, turns, until

import uvnet


def test_whatever_is_there(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"one")
            assert await socket.receive() == b"one"
            client.write(b"12345678")
            await until(lambda: socket.readable_length == 8)
            assert step(socket.receive(3)) == b"123"
            assert step(socket.receive(5)) == b"45678"
            waiting = asyncio.create_task(socket.receive(2))
            await turns()
            client.end(b"end")
            assert await waiting == b"en"
            assert await socket.receive() == b"d"
            assert await socket.receive() == b""
            await until(lambda: socket.readable_ended)
            assert await socket.receive() == b""

    play(scenario)


def test_text(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.set_encoding("utf8")
            client.end("größe".encode())
            await until(lambda: socket.readable_length == 5)
            assert await socket.receive(3) == "grö"
            assert await socket.read_all(2) == "ße"
            assert await socket.receive() == ""
            assert await socket.read_all(2) == ""

    play(scenario)


def test_everything_until_the_end(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport, high_water_mark=1000) as (client, socket):
            client.end(b"x" * MEBIBYTE)
            assert await socket.read_all(MEBIBYTE) == b"x" * MEBIBYTE
            await until(lambda: socket.readable_ended)
            assert await socket.read_all(0) == b""

    play(scenario)


def test_more_than_the_limit_stays(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"123")
            waiting = asyncio.create_task(socket.read_all(5))
            await turns()
            client.write(b"456")
            with pytest.raises(asyncio.LimitOverrunError) as failure:
                await waiting
            assert failure.value.consumed == 6
            client.end()
            assert await socket.read_all(6) == b"123456"
        async with pair(transport) as (client, socket):
            client.write(bytes(4 * MEBIBYTE))
            with pytest.raises(asyncio.LimitOverrunError):
                await socket.read_all(100_000)
            await turns(20)
            assert socket.readable_length <= 100_000 + 3 * 262_144

    play(scenario)


def test_destroyed_before_the_end(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"123")
            await until(lambda: socket.readable_length == 3)
            waiting = asyncio.create_task(socket.read_all(5))
            await turns()
            socket.destroy()
            with pytest.raises(asyncio.IncompleteReadError, match="destroyed after 3 bytes, before the end") as failure:
                await waiting
            assert failure.value.partial == b"123"
            assert await socket.receive() == b""

    play(scenario)


@pytest.mark.parametrize("call", ["receive", "read_all"])
@pytest.mark.parametrize(
    ("limit", "error"), [(-1, ValueError), (2**40, ValueError), (True, TypeError), ("9", TypeError), (1.0, TypeError)]
)
def test_bad_limits(play: Player, call: str, limit: Any, error: type[Exception]) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        with pytest.raises(error, match="limit"):
            getattr(socket, call)(limit)
        with pytest.raises((TypeError, ValueError), match="limit"):
            socket.receive(0) if call == "receive" else socket.read_all(None)  # type: ignore[arg-type]
        assert socket.readable_flowing is None
        socket.destroy()
        peer.close()

    play(scenario)


async def broken(text: bytes) -> uvnet.Socket:
    """A socket that coroutines read, with `text` received, whose connection was reset."""
    socket, peer = take_over("tcp")
    assert await socket.read_exactly(0) == b""
    peer.send(text)
    await until(lambda: socket.readable_length == len(text))
    reset(peer)
    await until(lambda: socket.destroyed)
    return socket


def test_what_had_come_before_a_reset(play: Player) -> None:
    async def scenario() -> None:
        socket = await broken(b"12345line\nrest")
        assert await socket.read_exactly(5) == b"12345"
        assert await socket.read_until() == b"line\n"
        for again in (socket.read_exactly(5), socket.read_until(), socket.read_all(100), socket.drain()):
            with pytest.raises(ConnectionResetError):
                await again
        assert await socket.receive() == b"rest"
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await socket.receive()
        socket = await broken(b"chunk")
        chunks = []
        with pytest.raises(ConnectionResetError):
            async for chunk in socket:
                chunks.append(chunk)
        assert chunks == [b"chunk"]
        socket = await broken(b"by hand")
        assert socket.read() == b"by hand"

    play(scenario)


def test_what_the_program_destroys_is_dropped(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"12345")
            await until(lambda: socket.readable_length == 5)
            socket.destroy(LookupError("mine"))
            for read in (socket.read_exactly(5), socket.read_until("5"), socket.receive(), anext(socket.lines())):
                with pytest.raises(LookupError):
                    await read

    play(scenario)


def test_a_write_that_fails_first(play: Player) -> None:
    """The answer of a server that refuses a large request and closes: it is with the system when the write fails."""

    async def scenario() -> None:
        socket, peer = take_over("tcp", high_water_mark=5)
        # Reading has stopped at the mark when the answer comes.
        peer.send(b"begin")
        await until(lambda: socket.readable_length == 5)
        assert await socket.read_exactly(0) == b""
        while socket.write(bytes(SMALL)):
            await turns(1)
        # The peer has unread data, so its close() is a reset.
        answer = b"413 Content Too Large\n" * 500
        peer.send(answer)
        peer.close()
        received = b""
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await socket.drain()
        await until(lambda: socket.destroyed)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                received += await socket.receive()
        assert received == b"begin" + answer

    play(scenario)


def test_listeners_get_what_node_gives_them(play: Player) -> None:
    """Rule 2.15.8: with events a broken connection drops what nobody took; nothing comes after 'error'."""

    async def scenario() -> None:
        socket, peer = take_over("tcp")
        log: list[Any] = []
        socket.on("data", log.append)
        socket.on("error", lambda error: log.append(type(error)))
        socket.on("close", log.append)
        await turns()
        while socket.write(bytes(SMALL)):
            await turns(1)
        peer.send(b"answer")
        reset(peer)
        await until(lambda: socket.closed)
        assert log[-2:] == [ConnectionResetError, True]
        assert log[:-2] in ([], [b"answer"])

    play(scenario)


def test_a_peer_that_takes_nothing(play: Player) -> None:
    """receive() and write() at once: neither holds up the other."""

    async def scenario() -> None:
        socket, peer = take_over("tcp")
        waiting = asyncio.create_task(socket.receive())
        while socket.write(bytes(SMALL)):
            await turns(1)
        peer.send(b"x")
        assert await waiting == b"x"
        while read_now(peer):
            await turns(1)
        socket.destroy()
        peer.close()

    play(scenario)
