"""A wait that is over, in whichever way, listens no more: neither as a listener nor as an observer (emitter.pyx)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from end_states import BULK, scene
from harness import Player
from waiting import turns, until

import uvnet
from uvnet.events.emitter import Observer
from uvnet.server import shutdown
from uvnet.socket import closing

_known: set[int] = set()


@pytest.fixture(autouse=True)
def known() -> None:
    """What is there before: of tests that failed, and of what keeps their frames."""
    _known.clear()
    _known.update(id(each) for each in gc.get_objects() if type(each) is Observer)


def observers() -> int:
    """How many observers there are that were not there before, of whichever emitter."""
    return sum(type(each) is Observer and id(each) not in _known for each in gc.get_objects())


async def first_of(iterable: Any) -> Any:
    return await anext(aiter(iterable))


# What is waited for of a connected socket; its peer is silent.  Iterators listen as long as somebody has them.
OF_A_SOCKET: dict[str, Callable[[uvnet.Socket, uvnet.Socket], Awaitable[Any]]] = {
    "finished": lambda socket, _: uvnet.finished(socket),
    "finished reading": lambda socket, _: uvnet.finished(socket, writable=False),
    "finished writing": lambda socket, _: uvnet.finished(socket, readable=False),
    "pipeline": uvnet.pipeline,
    "once": lambda socket, _: uvnet.once(socket, "drain"),
    "once an error": lambda socket, _: uvnet.once(socket, "error"),
    "drain": lambda socket, _: socket.drain(),
    "read_exactly": lambda socket, _: socket.read_exactly(1),
    "read_until": lambda socket, _: socket.read_until(b"\n"),
    "iteration": lambda socket, _: first_of(socket),
}
OF_A_SERVER: dict[str, Callable[[uvnet.Server], Awaitable[Any]]] = {
    "closed": lambda server: server.closed(),
    "once": lambda server: uvnet.once(server, "error"),
}


async def begin(wait: Awaitable[Any]) -> asyncio.Future[Any]:
    waiting = asyncio.ensure_future(wait)
    await turns()
    return waiting


async def is_over(wait: asyncio.Future[Any]) -> None:
    await asyncio.gather(wait, return_exceptions=True)


@pytest.mark.parametrize("fate", ["cancelled", "destroyed", "destroyed with an error", "ended"])
@pytest.mark.parametrize("wait", OF_A_SOCKET.values(), ids=OF_A_SOCKET)
def test_of_a_socket(play: Player, wait: Callable[..., Awaitable[Any]], fate: str) -> None:
    async def scenario() -> None:
        async with scene() as made:
            socket, peer = await made.pair()
            other, _ = await made.pair()
            peer.pause()
            socket.write(BULK)
            names = socket.event_names()
            waiting = await begin(wait(socket, other))
            assert not waiting.done()
            if fate == "cancelled":
                waiting.cancel()
            elif fate == "ended":
                peer.resume().end()
                socket.end()
                other.end()
                await until(lambda: socket.writable_finished)
                socket.resume()
            else:
                socket.destroy(LookupError() if fate == "destroyed with an error" else None)
            await is_over(waiting)
            assert observers() == 0
            assert socket.event_names() == names

    play(scenario)


@pytest.mark.parametrize("fate", ["cancelled", "closed"])
@pytest.mark.parametrize("wait", OF_A_SERVER.values(), ids=OF_A_SERVER)
def test_of_a_server(play: Player, wait: Callable[..., Awaitable[Any]], fate: str) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        names = server.event_names()
        waiting = await begin(wait(server))
        assert not waiting.done()
        if fate == "cancelled":
            waiting.cancel()
        else:
            server.close()
        await is_over(waiting)
        assert observers() == 0
        assert server.event_names() == names
        server.close()

    play(scenario)


@pytest.mark.parametrize("timeout", [None, 0, 0.01, 100])
def test_of_ends(play: Player, timeout: float | None) -> None:
    """close() and shutdown(), which nobody can stop; no timer keeps what is over."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.resume()).listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        client = await uvnet.open_connection(server.address().port, "127.0.0.1")
        ends = [server.shutdown(timeout), client.close(timeout)]
        await asyncio.gather(*ends)
        while not client.closed:
            await turns()
        waiting = {each.__wrapped__.__module__ for each in gc.get_objects() if type(each) is Observer}
        assert waiting & {closing.__name__, shutdown.__name__} == set()
        left = [weakref.ref(server), weakref.ref(client)]
        del server, client, ends
        await turns()
        gc.collect()
        assert [each() for each in left] == [None, None]

    play(scenario)


@pytest.mark.parametrize("timeout", [0, 0.001])
def test_no_time_is_none_at_all(play: Player, timeout: float) -> None:
    """Also where nobody awaits it."""

    async def scenario() -> None:
        async with scene() as made:
            client, socket = await made.pair()
            made.server.shutdown(timeout)
            assert socket.destroyed == (timeout == 0)
            peer = made.adopted()
            peer.write(BULK)
            peer.close(timeout)
            assert peer.destroyed == (timeout == 0)
            client.destroy()
            await until(lambda: socket.closed and peer.closed and client.closed)

    play(scenario)


@pytest.mark.parametrize("fate", ["cancelled", "destroyed", "connected"])
def test_of_connecting(play: Player, fate: str) -> None:
    async def scenario() -> None:
        async with scene() as made:
            answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            async def lookup(*_arguments: Any) -> str:
                return await answer

            socket = uvnet.connect(made.server.address().port, "name", lookup=lookup)
            waiting = await begin(socket.__aenter__())
            if fate == "cancelled":
                waiting.cancel()
            elif fate == "destroyed":
                socket.destroy()
            else:
                answer.set_result("127.0.0.1")
            await is_over(waiting)
            assert observers() == 0
            assert socket.destroyed == (fate != "connected")
            socket.destroy()

    play(scenario)


def test_a_callback_that_is_taken_back(play: Player) -> None:
    async def scenario() -> None:
        async with scene() as made:
            socket, _ = await made.pair()
            answers: list[Any] = []
            uvnet.finished(socket, answers.append)()
            assert observers() == 0
            socket.destroy()
            await until(lambda: socket.closed)
            # What looks at it on a tick finds nobody to tell.
            uvnet.finished(socket, answers.append)()
            await turns()
            assert answers == []

    play(scenario)


@pytest.mark.parametrize("fate", ["ended", "destroyed"])
def test_a_pipeline_with_a_callback(play: Player, fate: str) -> None:
    async def scenario() -> None:
        async with scene() as made:
            source, peer = await made.pair()
            sink, _ = await made.pair()
            answers: list[Any] = []
            uvnet.pipeline(source, sink, answers.append)
            if fate == "ended":
                peer.end()
            else:
                source.destroy(LookupError())
            await until(lambda: answers)
            assert (answers == [None]) == (fate == "ended")
            assert observers() == 0

    play(scenario)
