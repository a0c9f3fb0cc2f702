"""Awaiting the end of streams: finished(), pipeline().

Node: "stream.finished()", "stream.pipeline()"; rule 3.4.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, overload

from uvnet.errors.codes import invalid_callback, invalid_type, premature_close, write_after_end

__all__ = ["finished", "outcome", "pipeline"]

# Called with the error, or None.
Done = Callable[[Any], object]


class Stream(Protocol):
    """What finished() and pipeline() take: a Socket, or something that looks like one."""

    @property
    def writable_finished(self) -> bool: ...


_S = TypeVar("_S", bound=Stream)


class _Watch:
    """Calls back once a stream is over, in whichever way."""

    def __init__(self, stream: Any, done: Done, readable: bool, writable: bool) -> None:
        self.stream = stream
        self.done: Done | None = done
        self.readable = readable
        self.writable = writable
        self.listeners = {
            "end": self.check,
            "finish": self.check,
            "error": self.finish,
            "close": self.closed,
        }

    def start(self) -> None:
        for event, listener in self.listeners.items():
            self.stream._observe(event, listener)

    def look(self) -> None:
        """See what is over already: the stream, or one side of it while the other goes on."""
        if self.stream.closed:
            self.closed()
        else:
            self.check()

    def stop(self) -> None:
        self.done = None
        for event, listener in self.listeners.items():
            self.stream._stop_observing(event, listener)

    def is_over(self) -> bool:
        return (not self.readable or self.stream.readable_ended) and (
            not self.writable or self.stream.writable_finished
        )

    def check(self) -> None:
        # With both sides to watch, 'close' follows by itself and is waited for.
        if not (self.readable and self.writable) and self.is_over():
            self.finish(None)

    def closed(self, *_arguments: Any) -> None:
        if self.stream.errored is not None:
            self.finish(self.stream.errored)
        else:
            self.finish(None if self.is_over() else premature_close())

    def refuse_data(self) -> None:
        """What it is piped into has ended before it: only its own end will do from now on."""
        if self.done is not None and not self.stream.readable_ended and not self.stream.destroyed:
            self.listeners["data"] = self.refused
            self.stream._observe("data", self.refused)
            self.stream.resume()

    def refused(self, _chunk: Any) -> None:
        self.stream.destroy(write_after_end())

    def finish(self, error: BaseException | None) -> None:
        done = self.done
        if done is not None:
            self.stop()
            done(error)


@overload
def finished(
    stream: Stream, callback: None = None, *, readable: bool = True, writable: bool = True
) -> Awaitable[None]: ...
@overload
def finished(
    stream: Stream, callback: Done, *, readable: bool = True, writable: bool = True
) -> Callable[[], None]: ...
def finished(
    stream: Any, callback: Done | None = None, *, readable: bool = True, writable: bool = True
) -> Awaitable[None] | Callable[[], None]:
    """Learn when a socket is over: ended and finished, failed, or closed before its time.

    callback(error) is called once, with None after a clean life; then a function that takes the listeners
    away is returned.  Without a callback the result is to be awaited and raises the error.  readable=False
    waits for 'finish' only, writable=False for 'end' only.
    The error is what the socket was destroyed with, or a NetRuntimeError (ERR_STREAM_PREMATURE_CLOSE) where it was
    closed without an error before it had ended and finished.
    Raises TypeError for bad arguments.  Node: "stream.finished(stream[, options], callback)".
    """
    if not hasattr(stream, "writable_finished"):
        raise invalid_type("stream", "a Socket", stream)
    if callback is not None:
        if not callable(callback):
            raise invalid_callback(callback)
        watch = _Watch(stream, _caller(stream, callback), readable, writable)
        watch.start()
        stream._next_tick(watch.look)
        return watch.stop
    return _finish(stream, readable, writable)


def _caller(stream: Any, callback: Done) -> Done:
    """Calls a callback of the user's, which may be an `async def`."""
    return lambda error: stream._see_to_result(callback(error))


def outcome() -> tuple[asyncio.Future[None], Done]:
    """A future, and the function that completes it."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def done(error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    return future, done


async def _finish(stream: Any, readable: bool, writable: bool) -> None:
    future, done = outcome()
    watch = _Watch(stream, done, readable, writable)
    watch.start()
    try:
        # Not on a tick: what is over is no reason to suspend.
        watch.look()
        await future
    finally:
        watch.stop()


@overload
def pipeline(source: Stream, destination: _S, done: Done, /) -> _S: ...
@overload
def pipeline(source: Stream, between: Stream, destination: _S, done: Done, /) -> _S: ...
@overload
def pipeline(source: Stream, destination: _S, /, *, callback: Done) -> _S: ...
@overload
def pipeline(*streams: Stream, callback: Done) -> Stream: ...
@overload
def pipeline(*streams: Stream, callback: None = None) -> Awaitable[None]: ...
def pipeline(*streams: Any, callback: Done | None = None) -> Any:
    """Pipe each stream into the next, and see to it that all end together.

    The first error, as finished() tells it, destroys every stream that is not over.  What has ended before cannot
    be piped into: unless what comes before it has ended too, that is a RuntimeError (ERR_STREAM_WRITE_AFTER_END),
    at once.  The last argument may be callback(error), called once, with None when all went well; then the last
    stream is returned.  Without a callback the result is to be awaited and raises the error; it begins then.
    Cancelled, it takes the streams apart again: they stay open, the sources paused with what has not been passed on.
    Raises TypeError for fewer than two streams.  Node: "stream.pipeline(source, ...transforms,
    destination, callback)".
    """
    chain = list(streams)
    if callback is None and chain and not hasattr(chain[-1], "write") and callable(chain[-1]):
        callback = chain.pop()
    if len(chain) < 2:
        raise TypeError("pipeline() needs at least two streams")
    for stream in chain:
        if not hasattr(stream, "writable_finished"):
            raise invalid_type("stream", "a Socket", stream)
    if callback is not None:
        if not callable(callback):
            raise invalid_callback(callback)
        _Pipeline(chain, _caller(chain[-1], callback)).start()
        return chain[-1]
    return _run_pipeline(chain)


async def _run_pipeline(chain: list[Any]) -> None:
    future, done = outcome()
    pipeline = _Pipeline(chain, done)
    pipeline.start()
    try:
        await future
    except asyncio.CancelledError:
        pipeline.take_apart()
        raise
    finally:
        pipeline.stop()


class _Pipeline:
    """Pipes, and a watch over each stream: the readable side of all but the last, the writable of all but the first."""

    def __init__(self, chain: list[Any], done: Done) -> None:
        self.chain = chain
        self.done = done
        self.error: BaseException | None = None
        last = len(chain) - 1
        self.watches = [
            _Watch(stream, lambda error, index=index: self.over(index, error), index < last, index > 0)  # type: ignore[misc]
            for index, stream in enumerate(chain)
        ]
        self.left = len(chain)

    def start(self) -> None:
        for index, watch in enumerate(self.watches):
            watch.start()
            # As long as others are at work, also of a stream that is over.
            watch.stream._observe("error", self.fail)
            watch.stream._next_tick(self.look, index)
        for source, destination in zip(self.chain, self.chain[1:], strict=False):
            if not destination.destroyed:
                source.pipe(destination)

    def stop(self) -> None:
        for watch in self.watches:
            watch.stop()
            watch.stream._stop_observing("error", self.fail)

    def take_apart(self) -> None:
        """Leave the streams open, the sources paused."""
        for watch, destination in zip(self.watches, self.chain[1:], strict=False):
            watch.stream.unpipe(destination)
            if "data" in watch.listeners:
                # It flowed for refused(), not for anybody who takes what comes.
                watch.stream.pause()

    def look(self, index: int) -> None:
        watch, stream = self.watches[index], self.chain[index]
        if watch.done is None:
            return
        if index == 0 or stream.errored is not None:
            watch.look()
        elif self.chain[index - 1].readable_ended or not stream.writable_ended:
            # Nothing may be piped into it while its 'close' is due.
            if stream.destroyed:
                watch.closed()
            else:
                watch.look()
        elif not stream.destroyed:
            stream.destroy(write_after_end())
        else:
            watch.finish(write_after_end() if stream.writable_finished else premature_close())

    def over(self, index: int, error: BaseException | None) -> None:
        self.left -= 1
        if error is not None:
            self.fail(error)
        elif index > 0:
            # After what pipe() does when its destination has finished.
            self.chain[0]._next_tick(self.watches[index - 1].refuse_data)
        if self.left == 0:
            self.stop()
            self.done(self.error)

    def fail(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            for watch in self.watches:
                if not watch.is_over():
                    watch.stream.destroy(error)


# What users have called, for the warning that a coroutine was never awaited.
_finish.__qualname__ = "finished"
_run_pipeline.__qualname__ = "pipeline"
