"""Methods of an emitter as its own listeners: as any other, but they make no cycle.

With a cycle all that a connection was made of would wait for the garbage collector.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

import pytest
from harness import Player, event
from pairs import reset, take_over
from waiting import turns, until

import uvnet
from uvnet import EventEmitter


class Own(EventEmitter):
    """Listens to itself."""

    def __init__(self) -> None:
        self.log: list[tuple[Any, ...]] = []

    def hear(self, *arguments: Any) -> None:
        self.log.append(arguments)

    async def hear_async(self, *arguments: Any) -> None:
        self.log.append(arguments)

    def emit(self, event: Any, /, *arguments: Any) -> bool:
        """Takes the place of a built-in method."""
        self.log.append((event, *arguments))
        return super().emit(event, *arguments)

    def built_in_emit(self) -> Callable[..., bool]:
        return super().emit


@pytest.fixture
def uncollected() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("add", ["on", "add_listener", "prepend_listener"])
@pytest.mark.parametrize("others", [0, 1, 2])
@pytest.mark.usefixtures("uncollected")
def test_no_cycle(add: str, others: int) -> None:
    emitter = Own()
    for _ in range(others):
        emitter.on("event", print)
    getattr(emitter, add)("event", emitter.hear)
    getattr(emitter, add)("event", emitter.remove_all_listeners)
    getattr(emitter, add)("event", emitter.built_in_emit())
    gone = weakref.ref(emitter)
    del emitter
    assert gone() is None


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@pytest.mark.parametrize("listeners", [1, 2])
def test_arguments_arrive_as_given(count: int, listeners: int) -> None:
    emitter = Own()
    arguments = tuple(range(count))
    for _ in range(listeners):
        emitter.on("event", emitter.hear)
    assert emitter.built_in_emit()("event", *arguments)
    assert emitter.log == [arguments] * listeners


@pytest.mark.parametrize("listeners", [1, 2])
def test_built_in_methods(listeners: int) -> None:
    emitter = EventEmitter()
    heard: list[Any] = []
    emitter.on("forwarded", heard.append)
    for _ in range(listeners):
        emitter.on("event", emitter.emit)
    emitter.emit("event", "forwarded", 1)
    assert heard == [1] * listeners
    emitter.remove_all_listeners("event").on("event", emitter.remove_all_listeners)
    emitter.emit("event")
    assert emitter.event_names() == []


def test_of_an_overridden_method_the_one_that_was_given_is_called() -> None:
    emitter = Own()
    emitter.on("a", emitter.emit)
    emitter.on("b", emitter.built_in_emit())
    emitter.emit("b", "a", "event", 1)
    # 'b' by the test; then 'a' by the built-in one, which writes nothing down; then 'event' by the overriding one.
    assert emitter.log == [("b", "a", "event", 1), ("event", 1)]


def test_a_method_of_another_function() -> None:
    """A bound method may be of anything that can be called, a method of another class among them."""
    emitter = EventEmitter()
    seen: list[tuple[Any, ...]] = []
    bound = MethodType(lambda *arguments: seen.append(arguments), emitter)
    emitter.on("event", bound).on("event", MethodType(EventEmitter.event_names, emitter))
    emitter.emit("event")
    assert seen == [(emitter,)]
    assert emitter.listeners("event")[0] == bound


@pytest.mark.parametrize("name", ["hear", "remove_all_listeners"])
def test_it_is_seen_and_removed_as_it_was_given(name: str) -> None:
    emitter = Own()
    given = getattr(emitter, name)
    told: list[tuple[Any, ...]] = []
    emitter.on("newListener", lambda *what: told.append(what))
    emitter.on("removeListener", lambda *what: told.append(what))
    told.clear()
    emitter.on("event", print)
    emitter.on("event", given)
    assert emitter.listeners("event") == emitter.raw_listeners("event") == [print, given]
    assert emitter.listener_count("event") == 2
    emitter.off("event", getattr(emitter, name))
    assert emitter.listeners("event") == [print]
    assert told == [("event", print), ("event", given), ("event", given)]


def test_a_method_of_another_emitter_is_not_its_own() -> None:
    one, other = Own(), Own()
    one.on("event", other.hear)
    one.on("event", one.hear)
    one.off("event", other.hear)
    assert one.listeners("event") == [one.hear]
    one.built_in_emit()("event")
    assert (one.log, other.log) == ([()], [])


def test_once() -> None:
    emitter = Own()
    emitter.once("event", emitter.hear)
    assert emitter.listeners("event") == [emitter.hear]
    emitter.built_in_emit()("event", 1)
    emitter.built_in_emit()("event", 2)
    assert emitter.log == [(1,)]


def test_an_async_method(play: Player) -> None:
    async def scenario() -> None:
        emitter = Own()
        emitter.on("event", emitter.hear_async)
        emitter.built_in_emit()("event", 1)
        await turns()
        assert emitter.log == [(1,)]

    play(scenario)


@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.usefixtures("uncollected")
def test_a_connection_that_echoes_leaves_nothing_behind(play: Player, how: str) -> None:
    async def scenario() -> weakref.ref[uvnet.Socket]:
        socket, peer = take_over("tcp")
        socket.on("error", print)
        socket.on("data", socket.write)
        peer.send(b"echoed")
        await until(lambda: socket.bytes_written == 6)
        if how == "reset":
            reset(peer)
        closed = event(socket, "close")
        peer.close()
        await closed
        return weakref.ref(socket)

    gone = play(scenario)
    assert gone() is None
