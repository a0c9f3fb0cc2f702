"""EventEmitter: what it refuses, what it warns of, and what it tells about itself.  Rule 0.3.3."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest

from uvnet import EventEmitter, MaxListenersExceededWarning

ADDERS = ("on", "add_listener", "once", "prepend_listener", "prepend_once_listener")


def nothing(*_arguments: Any) -> None:
    """A listener."""


@pytest.fixture
def emitter() -> EventEmitter:
    return EventEmitter()


# === Wrong arguments ===


@pytest.mark.parametrize("listener", [1, "text", [], b"", object()])
@pytest.mark.parametrize("name", [*ADDERS, "off", "remove_listener"])
def test_listeners_must_be_callable(emitter: EventEmitter, name: str, listener: Any) -> None:
    """Rule 0.2.7."""
    emitter.on("event", nothing)
    with pytest.raises(TypeError) as caught:
        getattr(emitter, name)("event", listener)
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"  # type: ignore[attr-defined]
    assert 'The "listener" argument must be of type function. Received ' in str(caught.value)
    assert emitter.raw_listeners("event") == [nothing]


@pytest.mark.parametrize(
    "name", ["add_listener", "prepend_listener", "prepend_once_listener", "off", "remove_listener"]
)
def test_none_is_no_listener(emitter: EventEmitter, name: str) -> None:
    """Only on() and once() are decorators without a listener."""
    with pytest.raises(TypeError) as caught:
        getattr(emitter, name)("event", None)
    assert caught.value.code == "ERR_INVALID_ARG_TYPE"  # type: ignore[attr-defined]
    assert emitter.event_names() == []


def test_a_refused_listener_is_not_announced(emitter: EventEmitter) -> None:
    announced: list[Any] = []
    emitter.on("newListener", lambda *arguments: announced.append(arguments))
    announced.clear()
    with pytest.raises(TypeError):
        emitter.on("event", 1)
    with pytest.raises(TypeError):
        emitter.on([], nothing)
    assert announced == []


@pytest.mark.parametrize("event", [[], {}, set(), ([],)], ids=repr)
@pytest.mark.parametrize("name", [*ADDERS, "off", "remove_listener"])
@pytest.mark.parametrize("used", [False, True])
def test_unhashable_events_with_a_listener(
    emitter: EventEmitter, name: str, event: Any, used: bool
) -> None:
    if used:
        emitter.on("event", nothing)
    with pytest.raises(TypeError, match="unhashable"):
        getattr(emitter, name)(event, nothing)
    assert emitter.event_names() == (["event"] if used else [])


@pytest.mark.parametrize("name", ["on", "once"])
def test_unhashable_events_of_decorators(emitter: EventEmitter, name: str) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        getattr(emitter, name)([])


@pytest.mark.parametrize(
    "name", ["emit", "listeners", "raw_listeners", "listener_count", "remove_all_listeners"]
)
@pytest.mark.parametrize("used", [False, True])
def test_unhashable_events_without_a_listener(emitter: EventEmitter, name: str, used: bool) -> None:
    """Whether it raises must not depend on whether somebody has listened before."""
    if used:
        emitter.on("event", nothing)
    with pytest.raises(TypeError, match="unhashable"):
        getattr(emitter, name)([])


def test_arguments_that_are_missing(emitter: EventEmitter) -> None:
    with pytest.raises(TypeError):
        emitter.emit()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        emitter.off("event")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        emitter.remove_all_listeners("a", "b")


def test_a_raising_hash_leaves_as_it_is(emitter: EventEmitter) -> None:
    class Event:
        def __hash__(self) -> int:
            raise LookupError("hash")

    emitter.on("event", nothing)
    with pytest.raises(LookupError):
        emitter.on(Event(), nothing)
    with pytest.raises(LookupError):
        emitter.emit(Event())


def test_a_raising_comparison_leaves_as_it_is(emitter: EventEmitter) -> None:
    class Listener:
        def __call__(self) -> None: ...

        def __eq__(self, other: object) -> bool:
            raise LookupError("eq")

        __hash__ = object.__hash__

    listener = Listener()
    emitter.on("event", listener)
    with pytest.raises(LookupError):
        emitter.off("event", nothing)
    assert emitter.listener_count("event") == 1
    emitter.off("event", listener)
    assert emitter.listener_count("event") == 0


# === The limit ===


def warned(emitter: EventEmitter, count: int, name: str = "on") -> list[warnings.WarningMessage]:
    """The warnings while `count` listeners are added."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(count):
            getattr(emitter, name)("event", nothing)
    return caught


def test_ten_listeners_are_no_leak(emitter: EventEmitter) -> None:
    """Rule 0.3.3."""
    assert emitter.get_max_listeners() == 10
    assert warned(emitter, 10) == []


@pytest.mark.parametrize("name", ADDERS)
def test_the_eleventh_warns_once(emitter: EventEmitter, name: str) -> None:
    """Rule 0.3.3."""
    caught = warned(emitter, 15, name)
    assert [warning.category for warning in caught] == [MaxListenersExceededWarning]
    assert "11 'event' listeners added to EventEmitter" in str(caught[0].message)
    assert "set_max_listeners()" in str(caught[0].message)
    assert emitter.listener_count("event") == 15


def test_the_warning_points_at_the_caller(emitter: EventEmitter) -> None:
    """A warning without the place of the leak would be of little use."""
    emitter.set_max_listeners(1)
    emitter.on("event", nothing)
    with pytest.warns(MaxListenersExceededWarning) as caught:
        emitter.on("event", nothing)
    assert [warning.filename for warning in caught] == [__file__]


def test_every_event_has_the_limit_of_its_own(emitter: EventEmitter) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(10):
            emitter.on("a", nothing).on("b", nothing)
    assert caught == []


def test_set_max_listeners(emitter: EventEmitter) -> None:
    emitter.set_max_listeners(2)
    assert emitter.get_max_listeners() == 2
    assert EventEmitter().get_max_listeners() == 10
    assert len(warned(emitter, 4)) == 1


@pytest.mark.parametrize("limit", [0, 20, sys.maxsize])
def test_a_higher_limit_or_none(emitter: EventEmitter, limit: int) -> None:
    emitter.set_max_listeners(limit)
    assert emitter.get_max_listeners() == limit
    assert warned(emitter, 15) == []


def test_a_warning_that_is_an_error_leaves_a_whole_emitter(emitter: EventEmitter) -> None:
    """With -W error the call raises; what it leaves behind must work."""
    for _ in range(10):
        emitter.on("event", nothing)
    with pytest.raises(MaxListenersExceededWarning):
        emitter.on("event", nothing)
    assert emitter.listener_count("event") in (10, 11)
    assert emitter.emit("event") is True


@pytest.mark.parametrize("limit", [-1, -(2**31)])
def test_a_negative_limit(emitter: EventEmitter, limit: int) -> None:
    with pytest.raises(ValueError) as caught:
        emitter.set_max_listeners(limit)
    assert caught.value.code == "ERR_OUT_OF_RANGE"  # type: ignore[attr-defined]
    assert emitter.get_max_listeners() == 10


@pytest.mark.parametrize("limit", ["5", None, 1.5, []])
def test_a_limit_that_is_no_integer(emitter: EventEmitter, limit: Any) -> None:
    with pytest.raises(TypeError):
        emitter.set_max_listeners(limit)
    assert emitter.get_max_listeners() == 10


# === newListener and removeListener ===


def test_new_listener_comes_before_the_listener_is_there(emitter: EventEmitter) -> None:
    """Rule 0.3.3; a listener of once() is given as the function."""
    seen: list[Any] = []

    def announced(event: Any, listener: Any) -> None:
        seen.append((event, listener, emitter.listener_count("event")))

    emitter.on("newListener", announced)
    assert seen == []
    for name in ADDERS:
        getattr(emitter, name)("event", nothing)
    assert seen == [("event", nothing, count) for count in range(len(ADDERS))]


def test_what_a_new_listener_listener_adds_comes_first(emitter: EventEmitter) -> None:
    """Node: "Event: 'newListener'"."""
    log: list[str] = []

    def announced(event: Any, _listener: Any) -> None:
        emitter.on(event, lambda: log.append("inner"))

    emitter.once("newListener", announced)
    emitter.on("event", lambda: log.append("outer"))
    emitter.emit("event")
    assert log == ["inner", "outer"]


def test_a_second_new_listener_listener_is_announced(emitter: EventEmitter) -> None:
    seen: list[Any] = []
    first = lambda *arguments: seen.append(arguments)  # noqa: E731
    emitter.on("newListener", first)
    emitter.on("newListener", nothing)
    assert seen == [("newListener", nothing)]


def test_a_raising_new_listener_listener_prevents_it(emitter: EventEmitter) -> None:
    def refuse(event: Any, _listener: Any) -> None:
        raise LookupError(event)

    emitter.on("newListener", refuse)
    with pytest.raises(LookupError, match="event"):
        emitter.on("event", nothing)
    assert emitter.event_names() == ["newListener"]


def test_remove_listener_comes_afterwards(emitter: EventEmitter) -> None:
    """Rule 0.3.3; a listener of once() is given as the function."""
    seen: list[Any] = []

    def told(event: Any, listener: Any) -> None:
        seen.append((event, listener, emitter.listener_count("event")))

    emitter.on("removeListener", told)
    emitter.on("event", nothing).once("event", print)
    emitter.off("event", nothing)
    emitter.off("event", nothing)
    emitter.off("event", print)
    assert seen == [("event", nothing, 1), ("event", print, 0)]


def test_the_removal_of_a_once_listener_comes_before_its_call(emitter: EventEmitter) -> None:
    log: list[str] = []
    emitter.on("removeListener", lambda *_: log.append("removed"))
    emitter.once("event", lambda: log.append("called"))
    emitter.emit("event")
    assert log == ["removed", "called"]


def test_remove_all_tells_of_every_one_last_first(emitter: EventEmitter) -> None:
    """Node: "emitter.removeAllListeners()": in the reverse of the order of adding."""
    seen: list[Any] = []
    emitter.on("removeListener", lambda event, listener: seen.append((event, listener)))
    emitter.on("a", nothing).on("a", print).once("b", repr)
    emitter.remove_all_listeners("a")
    assert seen == [("a", print), ("a", nothing)]
    emitter.remove_all_listeners()
    assert seen[2:] == [("b", repr)]
    assert emitter.event_names() == []
