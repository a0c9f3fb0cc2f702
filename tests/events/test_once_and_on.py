"""Awaiting events: once() and on().  Node: "events.once()", "events.on()"."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import types
from typing import Any

import pytest
from harness import Player
from waiting import step

import uvnet


async def suspended(awaitable: Any) -> asyncio.Task[Any]:
    """A task that waits."""
    task = asyncio.ensure_future(awaitable)
    await asyncio.sleep(0)
    assert not task.done()
    return task


# === once() ===


def test_once_hears_what_comes_before_it_is_awaited(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        first = uvnet.once(emitter, "event")
        emitter.emit("event", 1, 2)
        emitter.emit("event", 3)
        assert emitter.event_names() == []
        assert step(first) == (1, 2)

    play(scenario)


def test_once_without_a_loop() -> None:
    """At module level, and then run as a program of its own."""
    emitter = uvnet.EventEmitter()
    waiting = uvnet.once(emitter, "event")
    emitter.emit("event", 1)
    assert uvnet.run(waiting) == (1,)


def test_once_waits(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        task = await suspended(uvnet.once(emitter, "event"))
        emitter.emit("event", 1)
        assert await task == (1,)
        assert emitter.event_names() == []
        # In the frame of the `await` nobody else holds it.
        asyncio.get_running_loop().call_soon(emitter.emit, "event", 2)
        assert await uvnet.once(emitter, "event") == (2,)

    play(scenario)


@pytest.mark.parametrize("early", [True, False])
def test_once_raises_an_error_that_comes_first(play: Player, early: bool) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        waiting = uvnet.once(emitter, "event")
        if not early:
            waiting = await suspended(waiting)
        emitter.emit("error", LookupError("mine"))
        assert emitter.event_names() == []
        with pytest.raises(LookupError, match="mine"):
            await waiting

    play(scenario)


def test_an_error_after_the_event_is_for_others(play: Player) -> None:
    """The listeners are gone with the event, not only when the coroutine goes on."""

    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        task = await suspended(uvnet.once(emitter, "event"))
        emitter.emit("event", 1)
        with pytest.raises(LookupError, match="nobody's"):
            emitter.emit("error", LookupError("nobody's"))
        assert await task == (1,)

    play(scenario)


def test_once_an_error(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        waiting = uvnet.once(emitter, "error")
        emitter.emit("error", "no exception")
        assert await waiting == ("no exception",)
        waiting = uvnet.once(emitter, "event")
        emitter.emit("error", "no exception")
        with pytest.raises(uvnet.NetRuntimeError, match="no exception") as failure:
            await waiting
        assert failure.value.code == "ERR_UNHANDLED_ERROR"

    play(scenario)


@pytest.mark.parametrize("begun", [True, False])
def test_a_cancelled_once_is_gone(play: Player, begun: bool) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        task = asyncio.ensure_future(uvnet.once(emitter, "event"))
        if begun:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert emitter.event_names() == []

    play(scenario)


def test_a_once_that_nobody_awaits(play: Player) -> None:
    """It is a coroutine, and as such says so; its listeners go with it."""

    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        waiting = uvnet.once(emitter, "event")
        assert sorted(emitter.event_names()) == ["error", "event"]
        with pytest.warns(RuntimeWarning, match="'once' was never awaited"):
            del waiting
            gc.collect()
        assert emitter.event_names() == []
        closed = uvnet.once(emitter, "event")
        closed.close()
        assert emitter.event_names() == []
        used = uvnet.once(emitter, "event")
        emitter.emit("event")
        assert await used == ()
        with pytest.raises(RuntimeError, match="reuse"):
            await used

    play(scenario)


def test_bad_arguments() -> None:
    """Nothing is left behind, neither a listener nor a warning."""
    emitter = uvnet.EventEmitter()
    for call in (uvnet.once, uvnet.on):
        with pytest.raises(TypeError):
            call(emitter, [])
    assert emitter.event_names() == []
    gc.collect()


# === on() ===


def test_on_misses_nothing(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        events = uvnet.on(emitter, "event")
        emitter.emit("event", 1)
        emitter.emit("event", 2)
        seen = []
        async for arguments in events:
            seen.append(arguments)
            if len(seen) == 4:
                break
            if len(seen) == 2:
                emitter.emit("event", 3, 4)
                asyncio.get_running_loop().call_soon(emitter.emit, "event")
        assert seen == [(1,), (2,), (3, 4), ()]
        await events.aclose()
        assert emitter.event_names() == []

    play(scenario)


def test_what_on_has_taken_in_is_ready(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        events = uvnet.on(emitter, "event")
        emitter.emit("event", 1)
        assert step(anext(events)) == (1,)

    play(scenario)


def test_on_raises_an_error_after_the_events_before_it(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        events = uvnet.on(emitter, "event")
        emitter.emit("event", 1)
        emitter.emit("error", LookupError("mine"))
        assert emitter.event_names() == []
        assert await anext(events) == (1,)
        with pytest.raises(LookupError, match="mine"):
            await anext(events)
        assert [arguments async for arguments in events] == []
        errors = uvnet.on(emitter, "error")
        emitter.emit("error", LookupError("awaited"))
        ((error,),) = [await anext(errors)]
        assert str(error) == "awaited"

    play(scenario)


@pytest.mark.parametrize("come", ["before", "after"])
def test_a_cancelled_wait_loses_no_event(play: Player, come: str) -> None:
    """The event comes before the cancelling, when the task has been woken already, or after it."""

    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        events = uvnet.on(emitter, "event")
        task = await suspended(anext(events))
        if come == "before":
            emitter.emit("event", 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        if come == "after":
            emitter.emit("event", 1)
        assert await anext(events) == (1,)

    play(scenario)


def test_a_second_wait_is_told(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        events = uvnet.on(emitter, "event")
        task = await suspended(anext(events))
        with pytest.raises(RuntimeError, match="another coroutine"):
            await anext(events)
        emitter.emit("event", 1)
        assert await task == (1,)

    play(scenario)


def test_leaving_the_loop_takes_the_listeners_away(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        asyncio.get_running_loop().call_soon(emitter.emit, "event", 1)
        async for arguments in uvnet.on(emitter, "event"):
            assert arguments == (1,)
            break
        gc.collect()
        assert emitter.event_names() == []
        # The iterator is held by whoever waits, if by nobody else.
        asyncio.get_running_loop().call_soon(emitter.emit, "event", 2)
        assert await anext(uvnet.on(emitter, "event")) == (2,)

    play(scenario)


def test_closing_the_iterator(play: Player) -> None:
    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        async with contextlib.aclosing(uvnet.on(emitter, "event")) as events:
            task = await suspended(anext(events))
        with pytest.raises(StopAsyncIteration):
            await task
        assert emitter.event_names() == []
        async with contextlib.aclosing(uvnet.on(emitter, "event")) as events:
            emitter.emit("event", 1)
        assert [arguments async for arguments in events] == []

    play(scenario)


def test_what_is_dropped_after_its_loop(play: Player) -> None:
    """Whatever they listen for, listeners go quietly."""
    left: list[Any] = []

    async def scenario() -> None:
        socket = uvnet.Socket()
        left.extend(uvnet.on(socket, event) for event in ("readable", "data", "drain", "close"))
        socket.destroy()

    play(scenario)
    left.clear()
    gc.collect()


def test_awaited_by_a_generator(play: Player) -> None:
    """It is an iterator too, as every coroutine that a generator-based one may wait for."""

    @types.coroutine
    def waits(emitter: uvnet.EventEmitter) -> Any:
        return (yield from uvnet.once(emitter, "event"))

    async def scenario() -> None:
        emitter = uvnet.EventEmitter()
        asyncio.get_running_loop().call_soon(emitter.emit, "event", 1, 2)
        assert await waits(emitter) == (1, 2)

    play(scenario)
