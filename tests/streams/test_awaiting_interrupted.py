"""A coroutine that waits for data is cancelled, meets an error or another reader, or outlives the run."""

from __future__ import annotations

import asyncio
import socket as plain
from typing import Any

import pytest
import uvloop
from awaitable import READINGS, Reading, pair, readings
from harness import Player, Transport, event
from pairs import reset
from waiting import step, turns, until, upcoming

import uvnet


@readings
def test_cancelled_before_data(play: Player, transport: Transport, read: Reading) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            waiting = asyncio.create_task(read(socket))
            await turns()
            if read not in (READINGS["chunk"], READINGS["receive"]):
                client.write(b"abcd")
                await until(lambda: socket.readable_length == 4)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            client.write(b"abcde"[socket.readable_length :])
            assert await socket.read_exactly(5) == b"abcde"

    play(scenario)


@readings
def test_cancelled_when_the_data_is_there(play: Player, transport: Transport, read: Reading) -> None:
    """The task has been woken and has not run: in the same tick, before it and after."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            waiting = asyncio.create_task(read(socket))
            await turns()
            # unshift() wakes the reader at once, and it goes on before the loop polls.
            socket.unshift(b"abcde")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert step(socket.read_exactly(5)) == b"abcde"
            waiting = asyncio.create_task(read(socket))
            await turns()
            waiting.cancel()
            socket.unshift(b"abcde")
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert step(socket.read_exactly(5)) == b"abcde"

    play(scenario)


@readings
def test_a_second_reader_is_told(play: Player, transport: Transport, read: Reading) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            first = asyncio.create_task(socket.read_exactly(5))
            await turns()
            with pytest.raises(RuntimeError, match="another coroutine") as failure:
                await read(socket)
            assert failure.value.code == "ERR_SOCKET_BEING_READ"
            with pytest.raises(RuntimeError, match="another coroutine"):
                socket.read()
            client.write(b"abcde")
            assert await first == b"abcde"
            used = socket.read_exactly(0)
            assert await used == b""
            with pytest.raises(RuntimeError, match="reuse"):
                await used

    play(scenario)


@pytest.mark.parametrize("waiting", [True, False])
@readings
def test_an_error_is_raised_and_not_reported(
    play: Player, transport: Transport, read: Reading, waiting: bool
) -> None:
    """Decision 23: what somebody awaits is not unhandled."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            assert await socket.read_exactly(0) == b""
            if waiting:
                asyncio.get_running_loop().call_later(0, socket.destroy, LookupError("mine"))
            else:
                socket.destroy(LookupError("mine"))
                await event(socket, "close")
            with pytest.raises(LookupError, match="mine"):
                await read(socket)
            with pytest.raises(LookupError, match="mine"):
                await socket.drain()

    play(scenario)


def test_a_reset(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1")
        async with server:
            peer = plain.create_connection(("127.0.0.1", server.address().port))
            async for socket in server:
                waiting = asyncio.create_task(socket.read_exactly(5))
                await turns()
                reset(peer)
                with pytest.raises(ConnectionResetError):
                    await waiting
                break

    play(scenario)


def test_a_reset_after_the_wait_was_cancelled(play: Player) -> None:
    """Nobody waits when it comes: the next who does hears of it, after what has arrived before."""

    async def scenario() -> None:
        async with uvnet.create_server().listen(0, "127.0.0.1") as server:
            peer = plain.create_connection(("127.0.0.1", server.address().port))
            async for socket in server:
                waiting = asyncio.create_task(socket.read_exactly(5))
                await turns()
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                closed = upcoming(socket, "close")
                reset(peer)
                assert await closed == (True,)
                for again in (socket.read_exactly(5), socket.drain()):
                    with pytest.raises(ConnectionResetError):
                        await again
                break

    play(scenario)


def test_destroyed_while_it_waits(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"123")
            await until(lambda: socket.readable_length == 3)
            asyncio.get_running_loop().call_later(0, socket.destroy)
            with pytest.raises(asyncio.IncompleteReadError):
                await socket.read_exactly(5)

    play(scenario)


def test_a_pending_reader_of_a_closed_loop() -> None:
    """A task that waits is ended by the end of the run, and nothing is left."""

    async def main() -> None:
        server = uvnet.create_server().listen(0)
        client = await uvnet.open_connection(server.address().port, "127.0.0.1")
        tasks.append(asyncio.create_task(client.read_exactly(5)))
        await turns()

    tasks: list[Any] = []
    uvloop.run(main())
    assert tasks[0].cancelled()


def test_leaving_the_run_from_a_coroutine() -> None:
    """SystemExit of a coroutine that data has woken leaves run(), as from any other task."""

    async def leave(socket: uvnet.Socket) -> None:
        await socket.read_exactly(1)
        raise SystemExit(3)

    async def main() -> None:
        server = uvnet.create_server(leave).listen(0)
        client = await uvnet.open_connection(server.address().port, "127.0.0.1")
        client.write(b"x")
        await server.closed()

    with pytest.raises(SystemExit) as left:
        uvnet.run(main())
    assert left.value.code == 3


def test_an_exception_of_a_woken_coroutine(play: Player, transport: Transport) -> None:
    """It belongs to the task alone."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):

            async def fail() -> None:
                await socket.read_exactly(1)
                raise LookupError("mine")

            failing = asyncio.create_task(fail())
            await turns()
            client.write(b"x")
            with pytest.raises(LookupError, match="mine"):
                await failing
            assert not socket.destroyed

    play(scenario)
