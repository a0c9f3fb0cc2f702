"""What uvnet itself waits for: told in its turn, whatever listeners do, and seen by nobody.

Programs meet it through close(), shutdown(), finished() and their like, see integration/test_settling.py.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from harness import Player

import uvnet
from uvnet import EventEmitter


@pytest.fixture
def emitter() -> EventEmitter:
    return EventEmitter()


def observe(emitter: Any, event: Any, function: Callable[..., Any], **how: bool) -> None:
    emitter._observe(event, function, **how)


def stop_observing(emitter: Any, event: Any, function: Callable[..., Any]) -> None:
    emitter._stop_observing(event, function)


def fail(*_arguments: Any) -> None:
    raise LookupError("by a listener")


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2)])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_an_observer_is_told(emitter: EventEmitter, arguments: tuple[Any, ...], others: int) -> None:
    log: list[Any] = []
    observe(emitter, "event", lambda *told: log.append(told))
    for _ in range(others):
        emitter.on("event", lambda *told: log.append(told))
    assert emitter.emit("event", *arguments) is (others > 0)
    assert log == [arguments] * (others + 1)


def test_the_order_is_that_of_adding(emitter: EventEmitter) -> None:
    log: list[str] = []
    emitter.on("event", lambda: log.append("first"))
    observe(emitter, "event", lambda: log.append("second"))
    emitter.on("event", lambda: log.append("third"))
    observe(emitter, "event", lambda: log.append("in front"), first=True)
    emitter.prepend_listener("event", lambda: log.append("before that"))
    emitter.emit("event")
    assert log == ["before that", "in front", "first", "second", "third"]


def test_once(emitter: EventEmitter) -> None:
    log: list[int] = []

    def told() -> None:
        log.append(1)
        emitter.emit("event")

    observe(emitter, "event", told, once=True)
    emitter.emit("event")
    assert emitter.emit("event") is False
    assert log == [1]


def test_an_emission_under_way_still_tells_it_once(emitter: EventEmitter) -> None:
    """Rule 0.2.5 goes for observers: who is removed meanwhile is told; once is once all the same."""
    log: list[str] = []
    often, one = lambda: log.append("often"), lambda: log.append("once")

    def again() -> None:
        if len(log) < 1:
            log.append("again")
            stop_observing(emitter, "event", often)
            emitter.emit("event")

    emitter.on("event", again)
    observe(emitter, "event", often)
    observe(emitter, "event", one, once=True)
    emitter.emit("event")
    assert log == ["again", "once", "often"]


def test_nobody_sees_it(emitter: EventEmitter) -> None:
    told: list[Any] = []
    for event in ("newListener", "removeListener"):
        emitter.on(event, lambda *arguments: told.append(arguments))
    told.clear()

    def observer() -> None:
        told.append("observed")

    observe(emitter, "event", observer)
    for _ in range(2):
        assert emitter.event_names() == ["newListener", "removeListener"]
        assert emitter.listeners("event") == emitter.raw_listeners("event") == []
        assert emitter.listener_count("event") == 0
        emitter.off("event", observer)
        emitter.remove_all_listeners("event")
    assert told == []
    emitter.on("event", print).once("event", repr)
    assert emitter.listener_count("event") == 2
    assert emitter.listeners("event") == [print, repr]
    assert emitter.event_names() == ["newListener", "removeListener", "event"]
    told.clear()
    emitter.remove_all_listeners("event")
    assert told == [("event", repr), ("event", print)]
    emitter.remove_all_listeners()
    assert emitter.event_names() == []
    told.clear()
    emitter.emit("event")
    assert told == ["observed"]
    stop_observing(emitter, "event", observer)
    stop_observing(emitter, "event", observer)
    stop_observing(emitter, "another", observer)
    assert emitter.emit("event") is False
    assert told == ["observed"]


def test_something_equal_to_everything_does_not_remove_it(emitter: EventEmitter) -> None:
    class Equal:
        def __call__(self) -> None: ...

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None  # type: ignore[assignment]

    log: list[int] = []
    observe(emitter, "event", lambda: log.append(1))
    emitter.off("event", Equal())
    emitter.emit("event")
    assert log == [1]


def test_the_limit_of_listeners_does_not_count_it(emitter: EventEmitter) -> None:
    emitter.set_max_listeners(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(5):
            observe(emitter, "event", lambda: None)
        emitter.on("event", lambda: None)
    with pytest.warns(uvnet.MaxListenersExceededWarning, match="2 'event' listeners"):
        emitter.on("event", lambda: None)


@pytest.mark.parametrize("place", ["in front", "behind", "both"])
def test_a_listener_that_raises_keeps_none_from_being_told(emitter: EventEmitter, place: str) -> None:
    log: list[str] = []
    observe(emitter, "event", lambda: log.append("one"))
    if place != "behind":
        emitter.prepend_listener("event", fail)
    if place != "in front":
        emitter.on("event", fail)
    emitter.on("event", lambda: log.append("a listener"))
    observe(emitter, "event", lambda: log.append("two"))
    with pytest.raises(LookupError):
        emitter.emit("event")
    # Node: a listener that raises ends the emission for other listeners.
    assert log == ["one", "two"]


def test_an_error_that_is_observed_has_been_heard(emitter: EventEmitter) -> None:
    log: list[Any] = []
    observe(emitter, "error", log.append)
    error = LookupError()
    assert emitter.emit("error", error) is False
    assert log == [error]


def test_several_that_raise_are_all_reported(play: Player) -> None:
    """server.close() calls functions of the program's: the second exception has nowhere to go but the handler."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        calls: list[Any] = []

        def raising(error: Any) -> None:
            calls.append(error)
            raise LookupError(len(calls))

        server.close(raising)
        server.close(raising)
        await asyncio.wait_for(server.closed(), 5)
        assert len(calls) == 2

    play(scenario)
    assert [str(context["exception"]) for context in play.reported] == ["2", "1"]
    play.expected = 2


def test_what_is_piped_into_tells_an_observer_of_an_error_once(play: Player) -> None:
    """pipe() emits an 'error' again that nobody else has heard of; an observer has."""

    async def scenario() -> None:
        log: list[Any] = []
        source, sink = uvnet.Socket(), uvnet.Socket()
        source.pipe(sink)
        observe(sink, "error", log.append)
        error = LookupError()
        sink.destroy(error)
        source.destroy()
        await asyncio.sleep(0)
        assert log == [error]

    play(scenario)
