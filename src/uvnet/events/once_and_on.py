"""Awaiting events: once() and on().

Both listen from the call on, as in Node, not from the first await: what is emitted in between is kept.
Node: "events.once()", "events.on()".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from types import CoroutineType
from typing import Any, cast

from uvnet._loop.loop import running_record
from uvnet._loop.tick import next_tick_on
from uvnet.errors.codes import unhandled_error
from uvnet.events.emitter import EventEmitter

__all__ = ["EventIterator", "on", "once"]

_Arguments = tuple[Any, ...]

# After these, other events may have become impossible.
_ENDS = ("end", "finish", "close")


class _Inbox:
    """What an emitter has said and nobody has taken yet.

    The emitter holds it, and it does not hold whoever reads from it: who is dropped can stop it.
    """

    def __init__(self, emitter: EventEmitter, event: Any, only_one: bool) -> None:
        self.emitter = emitter
        self.event = event
        self.only_one = only_one
        self.taken_in: deque[_Arguments] = deque()
        self.error: BaseException | None = None
        self.reader: asyncio.Future[None] | None = None
        self.listening = True
        emitter.on(event, self.happened)
        if event != "error":
            emitter.on("error", self.failed)

    def stop(self) -> None:
        """Listen no more; what has been taken in stays."""
        if self.listening:
            self.listening = False
            self.emitter.off(self.event, self.happened)
            if self.event != "error":
                self.emitter.off("error", self.failed)

    def happened(self, *arguments: Any) -> None:
        self.taken_in.append(arguments)
        if self.only_one:
            self.stop()
        self.wake()

    def failed(self, error: Any = None) -> None:
        self.error = error if isinstance(error, BaseException) else unhandled_error(error)
        self.stop()
        self.wake()

    def wake(self, *_arguments: Any) -> None:
        if self.reader is not None and not self.reader.done():
            self.reader.set_result(None)

    def never_comes(self, error: Exception) -> None:
        """Raise that, or let an iteration come to its end."""
        self.stop()
        if self.only_one or error is getattr(self.emitter, "errored", None):
            raise error
        raise StopAsyncIteration

    async def take(self) -> _Arguments:
        """The next arguments; after the last of them the error, once, and then StopAsyncIteration."""
        looked = False
        while not self.taken_in:
            if self.error is not None:
                error, self.error = self.error, None
                raise error
            if not self.listening:
                raise StopAsyncIteration
            if self.reader is not None:
                raise RuntimeError("another coroutine is already waiting for this event")
            never = self.emitter._why_never(self.event)
            if never is not None and looked:
                self.never_comes(never)
            looked = never is not None
            self.reader = asyncio.get_running_loop().create_future()
            if looked:
                # It may be due on a tick.
                next_tick_on(running_record(), self.wake)
            for event in _ENDS:
                self.emitter._observe(event, self.wake)
            try:
                await self.reader
            finally:
                self.reader = None
                for event in _ENDS:
                    self.emitter._stop_observing(event, self.wake)
        return self.taken_in.popleft()


class _Once(Coroutine[Any, Any, _Arguments]):
    """A coroutine that has begun to listen before it is awaited, and stops when nobody can await it any more."""

    def __init__(self, inbox: _Inbox) -> None:
        self._inbox = inbox
        self._waiting = cast("CoroutineType[Any, Any, _Arguments]", inbox.take())
        # The name in a warning that it was never awaited.
        self._waiting.__qualname__ = "once"

    # Not the iterator of the coroutine inside, which would not keep this object.
    def __await__(self) -> _Once:
        return self

    def __iter__(self) -> _Once:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        return self._advance(self._waiting.send, value)

    def throw(self, *exception: Any) -> Any:
        return self._advance(self._waiting.throw, *exception)

    def close(self) -> None:
        self._advance(self._waiting.close)
        self._inbox.stop()

    def _advance(self, step: Any, *arguments: Any) -> Any:
        try:
            return step(*arguments)
        except BaseException:
            # It has a result, or was given up.
            self._inbox.stop()
            raise

    def __del__(self) -> None:
        self._inbox.stop()


def once(emitter: EventEmitter, event: Any) -> Coroutine[Any, Any, _Arguments]:
    """Wait for the next `event` after this call; returns its arguments.

    It listens from the call on, so the result may be awaited later.  Cancelling it takes its listeners away.
    Raises the argument of an 'error' that comes first, unless 'error' is what is waited for.  For an event that
    a socket or server cannot have any more before it connects or listens anew, say 'drain' after its 'close', it
    raises what the socket was destroyed with, or RuntimeError (ERR_STREAM_PREMATURE_CLOSE, and
    ERR_SERVER_NOT_RUNNING of a server that is closed); in Node it waits for ever.
    Node: "events.once(emitter, name)".
    """
    return _Once(_Inbox(emitter, event, only_one=True))


class EventIterator:
    """What on() returns."""

    def __init__(self, inbox: _Inbox) -> None:
        self._inbox = inbox

    def __aiter__(self) -> EventIterator:
        return self

    async def __anext__(self) -> _Arguments:
        return await self._inbox.take()

    async def aclose(self) -> None:
        """Stop listening, and forget what nobody has taken; the iteration ends."""
        self._inbox.stop()
        self._inbox.taken_in.clear()
        self._inbox.wake()

    def __del__(self) -> None:
        self._inbox.stop()


def on(emitter: EventEmitter, event: Any) -> EventIterator:
    """The arguments of every `event` after this call, as an async iterator; none is missed in between.

    What nobody has taken yet is kept, without a limit, and a cancelled wait loses none of it.  The listeners go
    as soon as nobody holds the iterator, and at once with `await iterator.aclose()`.
    Raises the argument of an 'error', after the events before it, and then ends; and RuntimeError in a coroutine
    that waits while another one does.  It ends as well where a socket or server cannot have the event any more.  Node: "events.on(emitter, eventName)".
    """
    return EventIterator(_Inbox(emitter, event, only_one=False))
