"""A callback may be an `async def`: its coroutine runs as a task, and an exception that ends it is reported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from harness import Player, close, event
from pairs import read_now, take_over
from waiting import until

import uvnet

Giver = Callable[[Any], Any]


async def give_to_next_tick(callback: Any) -> None:
    uvnet.next_tick(callback, None)


async def give_to_get_connections(callback: Any) -> None:
    uvnet.create_server().get_connections(callback)


async def give_to_finished(callback: Any) -> None:
    socket, peer = take_over("unix")
    uvnet.finished(socket, callback)
    socket.end()
    peer.close()
    await until(lambda: socket.closed)


async def give_to_pipeline(callback: Any) -> None:
    source, sender = take_over("unix")
    sink, receiver = take_over("unix")
    uvnet.pipeline(source, sink, callback)
    sender.close()
    receiver.close()
    await until(lambda: source.closed and sink.closed)


async def give_to_write(callback: Any) -> None:
    socket, peer = take_over("unix")
    socket.write("x", callback)
    await until(lambda: read_now(peer))
    # The exception of a callback destroys it too.
    socket.destroy()
    peer.close()
    await until(lambda: socket.closed)


async def give_to_end(callback: Any) -> None:
    socket, peer = take_over("unix")
    socket.end(callback)
    peer.close()
    await until(lambda: socket.closed)


async def give_to_close(callback: Any) -> None:
    server = uvnet.create_server().listen(0)
    server.close(callback)
    await event(server, "close")


GIVERS = [
    give_to_next_tick,
    give_to_get_connections,
    give_to_finished,
    give_to_pipeline,
    give_to_write,
    give_to_end,
    give_to_close,
]
each = pytest.mark.parametrize("give", GIVERS, ids=lambda give: give.__name__[8:])


@each
def test_it_runs(play: Player, give: Giver) -> None:
    """DESIGN 2: wherever a function may be given."""

    async def scenario() -> None:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def callback(error: BaseException | None, *more: Any) -> None:
            await asyncio.sleep(0)
            done.set_result(error)

        await give(callback)
        assert await done is None

    play(scenario)


@each
def test_an_exception_is_reported(play: Player, give: Giver) -> None:
    async def scenario() -> None:
        async def callback(error: BaseException | None, *more: Any) -> None:
            await asyncio.sleep(0)
            raise LookupError("in a coroutine")

        await give(callback)
        await until(lambda: play.reported)

    play(scenario)
    assert str(play.expect_report(LookupError)) == "in a coroutine"


def test_get_connections_passes_both_arguments(play: Player) -> None:
    """Rule 1.10.1."""

    async def scenario() -> None:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def callback(*arguments: Any) -> None:
            done.set_result(arguments)

        server = uvnet.create_server().listen(0)
        assert server.get_connections(callback) is server
        assert await done == (None, 0)
        await close(server)

    play(scenario)
