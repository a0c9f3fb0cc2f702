"""once() and on() of events that cannot come any more, and what is awaited of servers in every state."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from awaitable import pair
from end_states import STATES, cells, scene, settle
from harness import Player, Transport, event
from waiting import until

import uvnet

TABLE = """
state                    connect data   end   drain finish timeout error   close
never-connected          waits   waits  waits waits waits  waits   waits   waits
connecting               waits   waits  waits waits waits  waits   waits   waits
failing-to-connect       mine    mine   mine  mine  mine   mine    (mine)  mine
open                     early   waits  waits waits waits  waits   waits   waits
paused                   early   waits  waits waits waits  waits   waits   waits
ending                   early   waits  waits early waits  waits   waits   waits
finished                 early   waits  waits early early  waits   waits   waits
ended-by-the-peer        early   early  early waits waits  waits   waits   waits
ended-with-a-rest        early   (rest) waits waits waits  waits   waits   waits
closed                   early   early  early early early  early   early   early
destroyed                early   early  early early early  early   early   (False)
destroyed-and-closed     early   early  early early early  early   early   early
failed                   mine    mine   mine  mine  mine   mine    (mine)  mine
failed-and-closed        mine    mine   mine  mine  mine   mine    mine    mine
finished-and-destroyed   early   early  early early early  early   early   (False)
ended-and-destroyed      early   early  early early early  early   early   (False)
failing-to-write         reset   reset  reset reset reset  reset   (reset) reset
without-a-writable-side  early   waits  waits early early  waits   waits   waits
without-a-readable-side  early   early  early waits waits  waits   waits   waits
"""
ARGUMENTS = {
    "(False)": "(False,)",
    "(mine)": "(LookupError('mine'),)",
    "(rest)": "(b'rest',)",
    "(reset)": "(ConnectionResetError(104,'writeECONNRESET'),)",
}


@pytest.mark.parametrize(("state", "name", "outcome"), cells(TABLE))
def test_an_event_that_cannot_come_is_not_waited_for(play: Player, state: str, name: str, outcome: str) -> None:
    assert state in STATES

    async def scenario() -> None:
        async with scene() as made:
            socket = await made.make(state)
            expected = ARGUMENTS.get(outcome, outcome)
            assert await settle(uvnet.once(socket, name), socket if outcome == "waits" else None) == expected
            gc.collect()
            assert not socket.listener_count(name) or name == "error"

    play(scenario)


def test_an_iteration_over_events_ends_with_the_connection(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.end(b"all")
            chunks = uvnet.on(socket, "data")
            assert [chunk async for chunk in chunks] == [(b"all",)]
            assert [chunk async for chunk in uvnet.on(socket, "data")] == []
            failed = uvnet.Socket().on("error", lambda _error: None)
            failed.destroy(LookupError("mine"))
            await until(lambda: failed.closed)
            with pytest.raises(LookupError, match="mine"):
                await anext(uvnet.on(failed, "data"))

    play(scenario)


def test_an_event_of_the_next_life(play: Player, transport: Transport) -> None:
    """connect() before the wait begins makes it possible again."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            where = transport.connect_arguments(socket.server)
            client.destroy()
            await event(client, "close")
            with pytest.raises(RuntimeError, match="'connect' cannot come any more"):
                await uvnet.once(client, "connect")
            waiting = uvnet.once(client, "connect")
            client.connect(*where)
            assert await waiting == ()

    play(scenario)


# === Servers ===

Make = Callable[[], Awaitable[uvnet.Server]]


async def never() -> uvnet.Server:
    return uvnet.create_server()


async def looking_up() -> uvnet.Server:
    """A name that cannot be: 'error' will come."""
    return uvnet.create_server().on("error", lambda _error: None).listen(0, "x" * 64)


async def failing() -> uvnet.Server:
    return uvnet.create_server().on("error", lambda _error: None).listen("/no/such/directory/socket")


async def listening() -> uvnet.Server:
    server = uvnet.create_server().listen(0, "127.0.0.1")
    await event(server, "listening")
    return server


async def failed() -> uvnet.Server:
    server = await failing()
    await event(server, "error")
    return server


async def closing() -> uvnet.Server:
    return (await listening()).close()


async def closed() -> uvnet.Server:
    server = await closing()
    await event(server, "close")
    return server


MAKERS = {
    "never-listened": never, "looking-up": looking_up, "failing": failing, "failed": failed, "listening": listening,
    "closing": closing, "closed": closed,
}  # fmt: skip
WAITS: dict[str, Callable[[uvnet.Server], Awaitable[Any]]] = {
    "closed": lambda server: server.closed(),
    "shutdown": lambda server: server.shutdown(),
    "next": lambda server: anext(aiter(server)),
    "listening": lambda server: uvnet.once(server, "listening"),
    "connection": lambda server: uvnet.once(server, "connection"),
    "close": lambda server: uvnet.once(server, "close"),
}
SERVERS = """
state           closed shutdown next   listening connection close
never-listened  ok     0        stop   waits     waits      waits
looking-up      ok     0        fails  fails     fails      fails
failing         ok     0        fails  fails     fails      fails
failed          ok     0        stop   waits     waits      waits
listening       waits  0        waits  early     waits      waits
closing         ok     0        stop   stopped   stopped    ()
closed          ok     0        stop   stopped   stopped    stopped
"""


@pytest.mark.parametrize(("state", "wait", "outcome"), cells(SERVERS))
def test_what_a_server_cannot_have_any_more(play: Player, state: str, wait: str, outcome: str) -> None:
    async def scenario() -> None:
        server = await MAKERS[state]()
        task = asyncio.ensure_future(settle(WAITS[wait](server)))
        if outcome == "waits":
            await asyncio.wait([task], timeout=0.05)
            assert not task.done()
            server.close()
            await task
        elif outcome == "fails":
            assert await task in ("ENOTFOUND", "ENOENT")
        else:
            assert await task == outcome.replace("stopped", "SERVER_NOT_RUNNING")
        await server.shutdown(0)

    play(scenario)


# === What was never awaited ===


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda socket: socket.drain(), "Socket.drain"),
        (lambda socket: socket.read_exactly(1), "Socket.read_exactly"),
        (lambda socket: socket.read_until(), "Socket.read_until"),
        (lambda socket: uvnet.finished(socket), "finished"),
        (lambda socket: uvnet.pipeline(socket, socket), "pipeline"),
        (lambda socket: uvnet.once(socket, "data"), "once"),
        (lambda socket: uvnet.create_server().closed(), "Server.closed"),
        (lambda socket: uvnet.open_connection(1), "open_connection"),
        (lambda socket: socket.__aenter__(), "Socket.__aenter__"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_never_awaited_says_what_it_was(play: Player, call: Callable[..., Any], name: str) -> None:
    """As a coroutine does, and by the name that was called."""

    async def scenario() -> None:
        socket = uvnet.Socket()
        with pytest.warns(RuntimeWarning, match=f"coroutine '{name}' was never awaited"):
            call(socket)
            gc.collect()
        socket.destroy()

    play(scenario)


@pytest.mark.parametrize("how", ["awaited", "closed", "cancelled", "timed out", "waiting"])
def test_what_was_awaited_says_nothing(play: Player, transport: Transport, how: str) -> None:
    """Warnings are errors here."""

    async def scenario() -> None:
        async with pair(transport) as (_client, socket):
            if how == "awaited":
                await asyncio.gather(socket.drain(), socket.drain(), socket.read_exactly(0))
            elif how == "closed":
                socket.read_until().close()
            elif how == "cancelled":
                asyncio.create_task(socket.read_exactly(1)).cancel()
                await asyncio.sleep(0)
            elif how == "timed out":
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(socket.read_exactly(1), 0)
            else:
                next(socket.read_until().__await__())
            gc.collect()

    play(scenario)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda socket: socket.read_until("|"), "after 2 bytes, before the separator b'|'"),
        (lambda socket: socket.read_exactly(5), "after 2 bytes, before there were 5"),
    ],
    ids=["until", "exactly"],
)
@pytest.mark.parametrize("cause", ["the end came", "the socket was destroyed"])
def test_what_is_incomplete_says_why(
    play: Player, transport: Transport, read: Callable[..., Any], text: str, cause: str
) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"ab")
            await until(lambda: socket.readable_length == 2)
            client.end() if cause == "the end came" else socket.destroy()
            with pytest.raises(asyncio.IncompleteReadError) as failure:
                await read(socket)
            assert str(failure.value) == f"{cause} {text}"
            assert failure.value.partial == b"ab"

    play(scenario)
