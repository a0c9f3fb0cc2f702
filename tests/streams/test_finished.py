"""finished() and pipeline(): one answer for every way in which a stream can end.  Rule 3.4."""

from __future__ import annotations

import asyncio
import contextlib
import socket as plain
from collections.abc import AsyncIterator
from typing import Any

import pytest
from harness import Player, Transport, event
from pairs import read_now, take_over
from waiting import turns, until

import uvnet


@contextlib.asynccontextmanager
async def connected(transport: Transport, **options: Any) -> AsyncIterator[tuple[uvnet.Socket, plain.socket]]:
    """A connection; nothing is left of it in the end."""
    socket, peer = take_over(transport.kind, **options)
    yield socket, peer
    socket.destroy()
    peer.close()
    await until(lambda: socket.closed)


def code(error: Any) -> str | None:
    return None if error is None else getattr(error, "code", str(error))


def test_a_clean_life(play: Player, transport: Transport) -> None:
    """Rule 3.4.1: called once, with None, when both sides are over; awaited just the same."""

    async def scenario() -> None:
        async with connected(transport) as (socket, peer):
            answers: list[Any] = []
            uvnet.finished(socket, lambda error: answers.append((error, socket.closed)))
            waiting = asyncio.ensure_future(uvnet.finished(socket))
            socket.end(b"x")
            await event(socket, "finish")
            assert answers == []
            await until(lambda: read_now(peer))
            peer.close()
            await waiting
            assert socket.closed
            assert answers == [(None, True)]
            assert socket.listener_count("close") == 0

    play(scenario)


@pytest.mark.parametrize("error", [None, ConnectionAbortedError("by the test")], ids=["quietly", "with an error"])
def test_destroyed_before_its_time(play: Player, transport: Transport, error: Exception | None) -> None:
    """Rule 3.4.1: ERR_STREAM_PREMATURE_CLOSE, or the error."""

    async def scenario() -> None:
        async with connected(transport) as (socket, _peer):
            answers: list[Any] = []
            uvnet.finished(socket, answers.append)
            waiting = uvnet.finished(socket)
            asyncio.get_running_loop().call_soon(socket.destroy, error)
            with pytest.raises((RuntimeError, ConnectionAbortedError)) as caught:
                await waiting
            await until(lambda: answers)
            if error is None:
                assert code(caught.value) == code(answers[0]) == "ERR_STREAM_PREMATURE_CLOSE"
            else:
                assert caught.value is answers[0] is error
            await until(lambda: socket.closed)
            assert len(answers) == 1

    play(scenario)


def test_one_side_only(play: Player, transport: Transport) -> None:
    """Rule 3.4.1: readable=False waits for 'finish' alone, writable=False for 'end'."""

    async def scenario() -> None:
        async with connected(transport, allow_half_open=True) as (socket, peer):
            answers: list[str] = []
            uvnet.finished(socket, lambda error: answers.append(f"written {error}"), readable=False)
            uvnet.finished(socket, lambda error: answers.append(f"read {error}"), writable=False)
            socket.end()
            await event(socket, "finish")
            assert answers == ["written None"]
            peer.shutdown(plain.SHUT_WR)
            socket.resume()
            await until(lambda: socket.closed)
            assert answers == ["written None", "read None"]

    play(scenario)


def test_closed_already(play: Player, transport: Transport) -> None:
    """Rule 3.4.2: the same answer as in time, on a tick."""

    async def scenario() -> None:
        async with connected(transport) as (clean, peer):
            peer.close()
            clean.end()
            await until(lambda: clean.closed)
            answers: list[Any] = []
            uvnet.finished(clean, answers.append)
            assert answers == []
            await until(lambda: answers)
            assert answers == [None]
            # Awaited, it does not suspend.
            with pytest.raises(StopIteration):
                next(uvnet.finished(clean).__await__())
        async with connected(transport) as (early, _peer):
            early.destroy()
            await until(lambda: early.closed)
            with pytest.raises(RuntimeError) as caught:
                await uvnet.finished(early)
            assert code(caught.value) == "ERR_STREAM_PREMATURE_CLOSE"

    play(scenario)


def test_no_longer_interested(play: Player, transport: Transport) -> None:
    """Rule 3.4.4: what finished() returns takes its listeners away, and so does cancelling."""

    async def scenario() -> None:
        async with connected(transport) as (socket, _peer):
            before = socket.event_names()
            answers: list[Any] = []
            stop = uvnet.finished(socket, answers.append)
            waiting = asyncio.ensure_future(uvnet.finished(socket))
            await asyncio.sleep(0)
            stop()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert socket.event_names() == before
            socket.destroy()
            await event(socket, "close")
            assert answers == []

    play(scenario)


def test_bad_arguments(play: Player) -> None:
    """Rule 3.4.4."""

    async def scenario() -> None:
        socket = uvnet.Socket()
        for call in (
            lambda: uvnet.finished(5),
            lambda: uvnet.finished(socket, 5),
            lambda: uvnet.pipeline(),
            lambda: uvnet.pipeline(socket),
            lambda: uvnet.pipeline(socket, 5),
            lambda: uvnet.pipeline(socket, socket, callback=5),
        ):
            with pytest.raises(TypeError):
                call()
        # Neither is a callback: one is there already, and the other cannot be called.
        for call in (
            lambda: uvnet.pipeline(socket, socket, len, callback=len),
            lambda: uvnet.pipeline(socket, socket, 5),
        ):
            with pytest.raises(TypeError, match='"stream"'):
                call()
        assert socket.event_names() == []

    play(scenario)


async def read_all(peer: plain.socket) -> bytes:
    received = b""
    while (chunk := read_now(peer)) != b"":
        received += chunk or b""
        await asyncio.sleep(0)
    return received


@pytest.mark.parametrize("awaited", [False, True])
def test_a_pipeline(play: Player, transport: Transport, awaited: bool) -> None:
    """Rule 3.4.3: from one end to the other through a socket that answers."""

    async def scenario() -> None:
        async with (
            connected(transport, allow_half_open=True) as (source, sender),
            connected(transport, allow_half_open=True) as (echo, mirror),
            connected(transport, allow_half_open=True) as (sink, receiver),
        ):
            answers: list[Any] = []
            resumed: list[bool] = []
            echo.on("resume", lambda: resumed.append(echo.readable_ended))
            if awaited:
                waiting = asyncio.ensure_future(uvnet.pipeline(source, echo, sink))
                await asyncio.sleep(0)
            else:
                assert uvnet.pipeline(source, echo, sink, answers.append) is sink
            sender.send(b"question")
            sender.shutdown(plain.SHUT_WR)
            assert await read_all(mirror) == b"question"
            mirror.send(b"answer")
            mirror.shutdown(plain.SHUT_WR)
            assert await read_all(receiver) == b"answer"
            if awaited:
                await waiting
            else:
                await until(lambda: answers)
                assert answers == [None]
            assert True not in resumed

    play(scenario)


def test_a_stream_that_can_be_called_is_no_callback(play: Player, transport: Transport) -> None:
    class Callable(uvnet.Socket):
        def __call__(self, error: object) -> None:
            raise AssertionError

    async def scenario() -> None:
        ours, theirs = plain.socketpair()
        sink = Callable(handle=ours)
        async with connected(transport) as (source, sender):
            waiting = asyncio.ensure_future(uvnet.pipeline(source, sink))
            sender.send(b"x")
            assert await asyncio.get_running_loop().run_in_executor(None, theirs.recv, 1) == b"x"
            sender.close()
            theirs.close()
            await waiting

    play(scenario)


def test_an_error_in_a_pipeline(play: Player, transport: Transport) -> None:
    """Rule 3.4.3: the first one destroys every stream, with that error."""

    async def scenario() -> None:
        async with (
            connected(transport) as (source, _sender),
            connected(transport) as (echo, _mirror),
            connected(transport) as (sink, _receiver),
        ):
            log: list[tuple[str, Any]] = []
            for name, socket in (("source", source), ("echo", echo), ("sink", sink)):
                for kind in ("error", "close"):
                    socket.on(kind, lambda value, name=name, kind=kind: log.append((f"{name} {kind}", value)))
            answers: list[Any] = []
            uvnet.pipeline(source, echo, sink, answers.append)
            error = ConnectionAbortedError("by the test")
            source.destroy(error)
            await until(lambda: source.closed and echo.closed and sink.closed and answers)
            assert answers == [error]
            assert sorted(log, key=lambda entry: entry[0]) == [
                ("echo close", True),
                ("echo error", error),
                ("sink close", True),
                ("sink error", error),
                ("source close", True),
                ("source error", error),
            ]

    play(scenario)


def test_a_cancelled_pipeline(play: Player, transport: Transport) -> None:
    """The streams are apart again, open, and nothing is lost."""

    async def scenario() -> None:
        async with (
            connected(transport) as (source, sender),
            connected(transport) as (sink, receiver),
        ):
            before = source.event_names(), sink.event_names()
            waiting = asyncio.ensure_future(uvnet.pipeline(source, sink))
            await asyncio.sleep(0)
            sender.send(b"passed on")
            assert await read_some(receiver) == b"passed on"
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert (source.event_names(), sink.event_names()) == before
            sender.send(b"kept")
            assert await source.read_exactly(4) == b"kept"
            sink.write(b"alone")
            assert await read_some(receiver) == b"alone"
            assert not source.destroyed and not sink.destroyed

    play(scenario)


@pytest.mark.parametrize("more", [b"", b"more"], ids=["end", "data"])
def test_a_destination_that_ends_first(play: Player, transport: Transport, more: bytes) -> None:
    """The end of the source is still waited for; with data to come that has nowhere to go both are destroyed."""

    async def scenario() -> None:
        async with (
            connected(transport, allow_half_open=True) as (source, sender),
            connected(transport, allow_half_open=True) as (sink, receiver),
        ):
            waiting = asyncio.ensure_future(uvnet.pipeline(source, sink))
            await asyncio.sleep(0)
            sender.send(b"passed on")
            assert await read_some(receiver) == b"passed on"
            sink.end()
            assert await read_some(receiver) == b""
            await turns()
            assert not waiting.done()
            if more:
                sender.send(more)
                with pytest.raises(RuntimeError, match="write after end") as caught:
                    await waiting
                assert code(caught.value) == "ERR_STREAM_WRITE_AFTER_END"
                assert source.destroyed and source.errored is caught.value
            else:
                sender.shutdown(plain.SHUT_WR)
                await waiting
                assert not source.destroyed and not sink.destroyed

    play(scenario)


def test_a_source_destroyed_as_its_destination_ends(play: Player, transport: Transport) -> None:
    """It is told to do nothing more."""

    async def scenario() -> None:
        async with (
            connected(transport, allow_half_open=True) as (source, _sender),
            connected(transport, allow_half_open=True) as (sink, _receiver),
        ):
            log: list[str] = []
            waiting = asyncio.ensure_future(uvnet.pipeline(source, sink))
            await turns()
            source.on("resume", lambda: log.append("resume"))
            sink.on("finish", source.destroy)
            sink.end()
            with pytest.raises(RuntimeError) as caught:
                await waiting
            assert code(caught.value) == "ERR_STREAM_PREMATURE_CLOSE"
            assert log == []

    play(scenario)


def test_cancelled_after_the_destination_has_ended(play: Player, transport: Transport) -> None:
    """What comes to the source from then on is no mistake and is kept."""

    async def scenario() -> None:
        async with (
            connected(transport, allow_half_open=True) as (source, sender),
            connected(transport, allow_half_open=True) as (sink, receiver),
        ):
            waiting = asyncio.ensure_future(uvnet.pipeline(source, sink))
            await turns()
            sink.end()
            assert await read_some(receiver) == b""
            await turns()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            sender.send(b"kept")
            await turns()
            assert await asyncio.wait_for(source.read_exactly(4), 5) == b"kept"

    play(scenario)


@pytest.mark.parametrize("wait", [lambda source, _: uvnet.finished(source), uvnet.pipeline], ids=["finished", "pipeline"])
def test_cancelled_and_over_at_once(play: Player, transport: Transport, wait: Any) -> None:
    """The cancellation, which came first, is what the coroutine meets; nothing is reported besides."""

    async def scenario() -> None:
        async with (
            connected(transport) as (source, sender),
            connected(transport) as (sink, _receiver),
        ):
            source.on("error", lambda _error: None)
            waiting = asyncio.ensure_future(wait(source, sink))
            await turns()

            def both(_chunk: bytes) -> None:
                waiting.cancel()
                source.destroy(LookupError("by the test"))

            source.on("data", both)
            sender.send(b"x")
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert source.errored is not None

    play(scenario)


def test_a_pipeline_of_what_is_over(play: Player, transport: Transport) -> None:
    """Nothing is left to be passed on, so that is a clean end."""

    async def scenario() -> None:
        async with (
            connected(transport, allow_half_open=True) as (source, sender),
            connected(transport, allow_half_open=True) as (sink, _receiver),
        ):
            sender.shutdown(plain.SHUT_WR)
            source.resume()
            sink.end()
            await until(lambda: source.readable_ended and sink.writable_finished)
            await asyncio.wait_for(uvnet.pipeline(source, sink), 5)
            assert not source.destroyed and not sink.destroyed

    play(scenario)


@pytest.mark.parametrize("closed", [True, False])
def test_a_destination_that_failed_before(play: Player, transport: Transport, closed: bool) -> None:
    """It is told what with, also where it had been ended."""

    async def scenario() -> None:
        async with (
            connected(transport) as (source, _sender),
            connected(transport) as (sink, _receiver),
        ):
            error = ConnectionAbortedError("by the test")
            sink.on("error", lambda _error: None)
            sink.end()
            sink.destroy(error)
            if closed:
                await until(lambda: sink.closed)
            with pytest.raises(ConnectionAbortedError, match="by the test"):
                await uvnet.pipeline(source, sink)
            assert source.errored is error

    play(scenario)


def test_an_error_of_what_is_over(play: Player, transport: Transport) -> None:
    """As long as the pipeline is at work, it hears of every error, and nobody else has to."""

    async def scenario() -> None:
        async with (
            connected(transport, allow_half_open=True) as (source, sender),
            connected(transport, allow_half_open=True, high_water_mark=2**24) as (sink, _receiver),
        ):
            waiting = asyncio.ensure_future(uvnet.pipeline(source, sink))
            # A relay would hold the end back until the sink has taken all.
            source.on("data", lambda _chunk: None)
            await asyncio.get_running_loop().sock_sendall(sender, bytes(8 * 2**20))
            sender.shutdown(plain.SHUT_WR)
            await until(lambda: source.readable_ended)
            assert not waiting.done()
            error = ConnectionAbortedError("by the test")
            source.destroy(error)
            with pytest.raises(ConnectionAbortedError, match="by the test"):
                await waiting
            assert sink.errored is error

    play(scenario)


async def read_some(peer: plain.socket) -> bytes:
    while (chunk := read_now(peer)) is None:
        await asyncio.sleep(0.001)
    return chunk
