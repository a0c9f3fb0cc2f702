"""EventEmitter: who is called, when, in which order and with what.

Node: "Class: EventEmitter"; rules 0.1.1 and 0.3.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from uvnet import EventEmitter

ADDERS = ("on", "add_listener", "once", "prepend_listener", "prepend_once_listener")
REMOVERS = ("off", "remove_listener")


def nothing(*_arguments: Any) -> None:
    """A listener."""


class Calls:
    """Makes listeners that write down that they were called, and with what."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def __call__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.log.append((name, *arguments) if arguments else name)


@pytest.fixture
def emitter() -> EventEmitter:
    return EventEmitter()


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_listeners_run_in_order_before_emit_returns(emitter: EventEmitter, calls: Calls) -> None:
    """Rule 0.1.1."""
    for name in "abc":
        emitter.on("event", calls(name))
    calls.log.append("before")
    assert emitter.emit("event") is True
    calls.log.append("after")
    assert calls.log == ["before", "a", "b", "c", "after"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("listeners", [1, 2])
def test_arguments_arrive_as_given(emitter: EventEmitter, count: int, listeners: int) -> None:
    seen: list[tuple[Any, ...]] = []
    for _ in range(listeners):
        emitter.on("event", lambda *arguments: seen.append(arguments))
    arguments = tuple(object() for _ in range(count))
    emitter.emit("event", *arguments)
    assert seen == [arguments] * listeners


def test_emit_says_whether_there_were_listeners(emitter: EventEmitter) -> None:
    assert emitter.emit("event") is False
    emitter.on("event", nothing)
    assert emitter.emit("other") is False
    assert emitter.emit("event", None) is True
    emitter.off("event", nothing)
    assert emitter.emit("event") is False


@pytest.mark.parametrize("name", ADDERS + REMOVERS)
def test_methods_return_the_emitter(emitter: EventEmitter, name: str) -> None:
    assert getattr(emitter, name)("event", nothing) is emitter


def test_other_methods_return_the_emitter(emitter: EventEmitter) -> None:
    assert emitter.remove_all_listeners() is emitter
    assert emitter.remove_all_listeners("event") is emitter
    assert emitter.set_max_listeners(3) is emitter


def test_prepending_goes_to_the_front(emitter: EventEmitter, calls: Calls) -> None:
    """Rule 0.3.2."""
    emitter.on("event", calls("on"))
    emitter.prepend_listener("event", calls("prepended"))
    emitter.prepend_once_listener("event", calls("prepended once"))
    emitter.emit("event")
    emitter.emit("event")
    assert calls.log == ["prepended once", "prepended", "on", "prepended", "on"]


@pytest.mark.parametrize("name", ["once", "prepend_once_listener"])
def test_once_is_called_once(emitter: EventEmitter, calls: Calls, name: str) -> None:
    getattr(emitter, name)("event", calls("once"))
    assert emitter.emit("event", 1) is True
    assert emitter.emit("event", 2) is False
    assert calls.log == [("once", 1)]


def test_once_is_removed_before_it_is_called(emitter: EventEmitter) -> None:
    """Rule 0.3.2."""
    counts: list[int] = []
    emitter.once("event", lambda: counts.append(emitter.listener_count("event")))
    emitter.emit("event")
    assert counts == [0]


def test_emitting_inside_once_does_not_call_it_again(emitter: EventEmitter, calls: Calls) -> None:
    def again() -> None:
        calls.log.append("once")
        assert emitter.emit("event") is True

    emitter.once("event", again)
    emitter.on("event", calls("on"))
    emitter.emit("event")
    assert calls.log == ["once", "on", "on"]


def test_once_twice_in_a_nested_emit(emitter: EventEmitter, calls: Calls) -> None:
    """The outer emit still has the second wrapper in its snapshot, but that one has been called."""
    emitter.once("event", lambda: emitter.emit("event"))
    emitter.once("event", calls("second"))
    emitter.emit("event")
    assert calls.log == ["second"]


def test_once_that_raises_is_gone(emitter: EventEmitter) -> None:
    def fails() -> None:
        raise LookupError("once")

    emitter.once("event", fails)
    with pytest.raises(LookupError):
        emitter.emit("event")
    assert emitter.emit("event") is False


def test_the_same_listener_twice(emitter: EventEmitter, calls: Calls) -> None:
    listener = calls("listener")
    emitter.on("event", listener).on("event", listener)
    emitter.emit("event")
    assert calls.log == ["listener", "listener"]
    emitter.off("event", listener)
    assert emitter.listeners("event") == [listener]
    emitter.off("event", listener)
    assert emitter.listener_count("event") == 0


def test_the_one_added_last_is_removed(emitter: EventEmitter, calls: Calls) -> None:
    listener, other = calls("listener"), calls("other")
    for one in (listener, other, listener):
        emitter.on("event", one)
    emitter.off("event", listener)
    emitter.emit("event")
    assert calls.log == ["listener", "other"]


def test_removing_what_is_not_there(emitter: EventEmitter) -> None:
    emitter.off("event", nothing)
    emitter.on("event", print)
    emitter.off("event", nothing)
    emitter.off("other", print)
    assert emitter.listeners("event") == [print]


@pytest.mark.parametrize("name", REMOVERS)
def test_a_once_listener_is_removed_by_its_function(emitter: EventEmitter, name: str) -> None:
    emitter.once("event", nothing)
    getattr(emitter, name)("event", nothing)
    assert emitter.event_names() == []


def test_a_once_listener_is_removed_by_its_wrapper(emitter: EventEmitter) -> None:
    emitter.once("event", nothing)
    emitter.off("event", emitter.raw_listeners("event")[0])
    assert emitter.event_names() == []


@pytest.mark.parametrize("name", ADDERS)
def test_bound_methods_are_removable(emitter: EventEmitter, name: str) -> None:
    """Every access makes a new bound method; equal ones are the same listener."""

    class Owner:
        def method(self) -> None:
            raise AssertionError("removed, yet called")

    owner, other = Owner(), Owner()
    getattr(emitter, name)("event", owner.method)
    emitter.off("event", other.method)
    assert emitter.listener_count("event") == 1
    emitter.off("event", owner.method)
    assert emitter.emit("event") is False


def test_what_is_added_while_emitting_is_not_called(emitter: EventEmitter, calls: Calls) -> None:
    """Rule 0.1.1: the list is the one of the time of the emit."""
    emitter.once("event", lambda: emitter.on("event", calls("added")))
    emitter.on("event", calls("old"))
    emitter.emit("event")
    assert calls.log == ["old"]
    emitter.emit("event")
    assert calls.log == ["old", "old", "added"]


def test_what_is_removed_while_emitting_is_still_called(
    emitter: EventEmitter, calls: Calls
) -> None:
    """Rule 0.1.1."""
    second = calls("second")
    emitter.on("event", lambda: emitter.off("event", second))
    emitter.on("event", second)
    emitter.emit("event")
    emitter.emit("event")
    assert calls.log == ["second"]


def test_remove_all_while_emitting(emitter: EventEmitter, calls: Calls) -> None:
    emitter.on("event", lambda: emitter.remove_all_listeners())
    emitter.on("event", calls("second"))
    assert emitter.emit("event") is True
    assert emitter.emit("event") is False
    assert calls.log == ["second"]


def test_an_exception_stops_the_emit(emitter: EventEmitter, calls: Calls) -> None:
    def fails() -> None:
        raise LookupError("listener")

    emitter.on("event", calls("first")).on("event", fails).on("event", calls("third"))
    with pytest.raises(LookupError, match="listener"):
        emitter.emit("event")
    assert calls.log == ["first"]


def test_remove_all_listeners(emitter: EventEmitter) -> None:
    for event in ("a", "a", "b", None):
        emitter.on(event, nothing)
    emitter.remove_all_listeners("a")
    assert emitter.event_names() == ["b", None]
    emitter.remove_all_listeners(None)
    assert emitter.event_names() == ["b"]
    emitter.remove_all_listeners()
    assert emitter.event_names() == []


def test_listeners_and_raw_listeners(emitter: EventEmitter) -> None:
    assert emitter.listeners("event") == emitter.raw_listeners("event") == []
    emitter.once("event", nothing)
    assert emitter.listeners("event") == [nothing]
    emitter.on("event", print)
    assert emitter.listeners("event") == [nothing, print]
    wrapper, plain = emitter.raw_listeners("event")
    assert plain is print
    assert wrapper is not nothing
    assert wrapper.listener is nothing


def test_calling_a_raw_once_listener_removes_it(emitter: EventEmitter, calls: Calls) -> None:
    """Node: "emitter.rawListeners(eventName)"."""
    emitter.once("event", calls("once"))
    emitter.raw_listeners("event")[0](1)
    assert emitter.emit("event", 2) is False
    assert calls.log == [("once", 1)]


def test_the_lists_are_copies(emitter: EventEmitter) -> None:
    emitter.on("event", nothing)
    emitter.listeners("event").clear()
    emitter.raw_listeners("event").clear()
    emitter.event_names().clear()
    assert emitter.listener_count("event") == 1


def test_listener_count_and_event_names(emitter: EventEmitter) -> None:
    assert emitter.event_names() == []
    for count, name in enumerate(ADDERS, 1):
        getattr(emitter, name)("event", nothing)
        assert emitter.listener_count("event") == count
    emitter.on("other", nothing)
    assert emitter.event_names() == ["event", "other"]
    assert emitter.listener_count("missing") == 0


@pytest.mark.parametrize(
    "event", ["é", 0, 1.5, None, (), ("a", 1), b"bytes", object(), EventEmitter]
)
def test_any_hashable_is_an_event(emitter: EventEmitter, calls: Calls, event: Any) -> None:
    emitter.on(event, calls("listener"))
    assert emitter.emit(event, 1) is True
    assert emitter.event_names() == [event]
    assert calls.log == [("listener", 1)]


def test_decorators(emitter: EventEmitter, calls: Calls) -> None:
    @emitter.on("event")
    def always(argument: int) -> None:
        calls.log.append(("on", argument))

    @emitter.once("event")
    def first(argument: int) -> None:
        calls.log.append(("once", argument))

    emitter.emit("event", 1)
    emitter.emit("event", 2)
    assert calls.log == [("on", 1), ("once", 1), ("on", 2)]
    assert emitter.listeners("event") == [always]
    assert first.__name__ == "first"


def test_error_with_a_listener(emitter: EventEmitter, calls: Calls) -> None:
    error = LookupError("lost")
    emitter.on("error", calls("error"))
    assert emitter.emit("error", error) is True
    assert calls.log == [("error", error)]


def test_error_without_a_listener_raises_it(emitter: EventEmitter) -> None:
    """Rule 0.3.1."""
    error = LookupError("lost")
    with pytest.raises(LookupError) as caught:
        emitter.emit("error", error, "more")
    assert caught.value is error
    emitter.once("error", nothing)
    assert emitter.emit("error", error) is True
    with pytest.raises(LookupError):
        emitter.emit("error", error)


@pytest.mark.parametrize("arguments", [(), (None,), ("text",), (LookupError,)])
def test_error_that_is_no_exception(emitter: EventEmitter, arguments: tuple[Any, ...]) -> None:
    """Rule 0.3.1."""
    with pytest.raises(RuntimeError) as caught:
        emitter.emit("error", *arguments)
    assert caught.value.code == "ERR_UNHANDLED_ERROR"  # type: ignore[attr-defined]


def test_weak_references_and_own_attributes() -> None:
    class Named(EventEmitter):
        def __init__(self, name: str, *, size: int) -> None:
            self.name = name
            self.size = size

    emitter = Named("emitter", size=3)
    emitter.extra = [1]  # type: ignore[attr-defined]
    assert vars(emitter) == {"name": "emitter", "size": 3, "extra": [1]}
    reference = weakref.ref(emitter)
    assert reference() is emitter
    del emitter
    assert reference() is None


@pytest.mark.parametrize("name", ADDERS)
def test_cycles_are_collected(name: str) -> None:
    emitter = EventEmitter()
    emitter.myself = emitter  # type: ignore[attr-defined]
    for event in ("one", "several", "several"):
        getattr(emitter, name)(event, emitter.emit)
        getattr(emitter, name)(event, lambda kept=emitter: kept)
    reference = weakref.ref(emitter)
    del emitter
    gc.collect()
    assert reference() is None


def test_removed_listeners_are_let_go(emitter: EventEmitter) -> None:
    class Listener:
        def __call__(self) -> None: ...

    for add in ADDERS:
        listener = Listener()
        reference = weakref.ref(listener)
        getattr(emitter, add)("event", listener)
        emitter.off("event", listener)
        del listener
        assert reference() is None
