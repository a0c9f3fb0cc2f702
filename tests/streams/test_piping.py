"""pipe() to other things than sockets, and with several destinations.  Rule 3.3; the rest is in oracle/piping.py."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import socket as plain
import weakref
from typing import Any

import pytest
from harness import Player, Transport, event
from pairs import read_now, take_over
from waiting import turns, until

import uvnet


class Plain:
    """Something with write() and end()."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.ended = 0

    def write(self, chunk: bytes) -> Any:
        self.chunks.append(chunk)

    def end(self) -> None:
        self.ended += 1


class Slow(uvnet.EventEmitter):
    """An emitter with write() and end() that takes one chunk at a time."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.ended = 0

    def write(self, chunk: bytes) -> bool:
        self.chunks.append(chunk)
        return False

    def end(self) -> None:
        self.ended += 1


async def over(socket: uvnet.Socket, peer: plain.socket) -> None:
    socket.destroy()
    await until(lambda: socket.closed)
    peer.close()


def test_anything_with_write_and_end(play: Player, transport: Transport) -> None:
    """Rule 3.3.6: no event is needed."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        sink = Plain()
        assert socket.pipe(sink) is sink
        peer.send(b"hello")
        await until(lambda: sink.chunks)
        assert sink.ended == 0
        peer.shutdown(plain.SHUT_WR)
        await event(socket, "end")
        assert (sink.chunks, sink.ended) == ([b"hello"], 1)
        await over(socket, peer)

    play(scenario)


def test_a_slow_destination(play: Player, transport: Transport) -> None:
    """Rules 3.3.2 and 3.3.6: write() that returns False pauses, 'drain' resumes."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        sink = Slow()
        pipes: list[Any] = []
        sink.on("pipe", pipes.append)
        sink.on("unpipe", pipes.append)
        socket.pipe(sink)
        assert pipes == [socket]
        for number in range(1, 4):
            peer.send(b"%d" % number)
            await until(lambda number=number: len(sink.chunks) == number)
            assert socket.is_paused()
            peer.send(b"x")
            await until(lambda: socket.readable_length == 1)
            assert socket.read() == b"x"
            assert sink.chunks.pop() == b"x"  # read() gives to the listeners, too
            sink.emit("drain")
            assert socket.readable_flowing
        assert sink.chunks == [b"1", b"2", b"3"]
        socket.unpipe(sink)
        assert pipes == [socket, socket]
        assert sink.event_names() == ["pipe", "unpipe"]
        await over(socket, peer)

    play(scenario)


def test_two_destinations(play: Player, transport: Transport) -> None:
    """Rules 3.3.2 and 3.3.4: it goes on when both have drained."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        first, second = Slow(), Slow()
        socket.pipe(first)
        socket.pipe(second)
        peer.send(b"a")
        await until(lambda: first.chunks and second.chunks)
        first.emit("drain")
        assert socket.is_paused()
        second.emit("drain")
        assert socket.readable_flowing
        socket.unpipe(first)
        peer.send(b"b")
        await until(lambda: len(second.chunks) == 2)
        assert (first.chunks, second.chunks) == ([b"a"], [b"a", b"b"])
        socket.unpipe()
        assert socket.readable_flowing is False
        await over(socket, peer)

    play(scenario)


@pytest.mark.parametrize("end", [True, False, {"end": True}, {"end": False}, {}])
def test_a_binary_file(play: Player, transport: Transport, end: Any) -> None:
    """Rules 3.3.1 and 3.3.3: such as sys.stdout.buffer; at the end it is flushed and stays open."""

    class File(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        file = File()
        assert socket.pipe(file, end) is file
        peer.send(b"hello")
        peer.shutdown(plain.SHUT_WR)
        await event(socket, "end")
        assert file.getvalue() == b"hello"
        assert not file.closed
        ends = end.get("end", True) if isinstance(end, dict) else end
        assert file.flushed == ends
        await over(socket, peer)

    play(scenario)


def test_a_real_file(play: Player, transport: Transport, tmp_path: Any) -> None:
    """Rule 3.3.6."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        payload = os.urandom(500_000)
        with (tmp_path / "file").open("wb") as file:
            socket.pipe(file)
            left = memoryview(payload)
            while left:
                try:
                    left = left[peer.send(left) :]
                except BlockingIOError:
                    await asyncio.sleep(0)
            peer.shutdown(plain.SHUT_WR)
            await event(socket, "end")
            assert (tmp_path / "file").read_bytes() == payload
        await over(socket, peer)

    play(scenario)


def test_only_what_can_be_written_to(play: Player) -> None:
    """Rule 3.3.6: everything else is refused, and nothing has begun."""

    async def scenario() -> None:
        socket = uvnet.Socket()
        for wrong in (None, 5, "file", object(), type("", (), {"write": 5})()):
            with pytest.raises(TypeError):
                socket.pipe(wrong)
        assert socket.readable_flowing is None
        assert socket.event_names() == []

    play(scenario)


def test_to_itself(play: Player, transport: Transport) -> None:
    """Rule 3.3.5: with more than both sides can hold."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        assert socket.pipe(socket) is socket
        payload = os.urandom(3_000_000)
        left, received = memoryview(payload), bytearray()
        while len(received) < len(payload):
            try:
                left = left[peer.send(left) :] if left else left
            except BlockingIOError:
                received += read_now(peer) or b""
            if not left:
                received += read_now(peer) or b""
            # What one read may bring, and both marks.
            assert socket.readable_length + socket.writable_length <= 262_144 + 2 * 65_536
            await asyncio.sleep(0)
        assert bytes(received) == payload
        peer.shutdown(plain.SHUT_WR)
        await event(socket, "close")
        assert socket.bytes_read == socket.bytes_written == len(payload)
        peer.close()

    play(scenario)


@pytest.mark.parametrize("heard_on", ["source", "destination"])
@pytest.mark.parametrize("count", range(1, 4))
def test_undone_while_it_is_made(play: Player, heard_on: str, count: int) -> None:
    """'newListener' tells of each listener that a pipe adds, and its listener may call unpipe()."""

    async def scenario() -> None:
        source, peer = take_over("unix")
        destination, other = take_over("unix")
        emitter = source if heard_on == "source" else destination
        heard: list[str] = []
        pipes: list[Any] = []
        destination.on("pipe", pipes.append)

        @emitter.on("newListener")
        def added(name: str, listener: object) -> None:
            heard.append(name)
            if len(heard) == count:
                source.unpipe()

        source.pipe(destination)
        emitter.remove_all_listeners("newListener")
        destination.remove_all_listeners("pipe")
        undone = len(heard) >= count
        assert pipes == [] or not undone
        assert not source.readable_flowing or not undone
        assert (source.event_names(), destination.event_names()) == ([], []) or not undone
        peer.send(b"x")
        await asyncio.sleep(0.01)
        # Whatever is left of it ends without an exception.
        destination.destroy()
        await event(destination, "close")
        source.destroy()
        await event(source, "close")
        assert (source.event_names(), destination.event_names()) == ([], [])
        peer.close()
        other.close()

    play(scenario)


def test_undone_while_it_begins_to_wait(play: Player) -> None:
    async def scenario() -> None:
        source, peer = take_over("unix")
        destination, other = take_over("unix")

        @destination.on("newListener")
        def added(name: str, listener: object) -> None:
            if name == "drain":
                source.unpipe()

        destination.write(bytes(10_000_000))
        source.pipe(destination)
        destination.remove_all_listeners("newListener")
        assert (source.event_names(), destination.event_names()) == ([], [])
        source.destroy()
        destination.destroy()
        await event(destination, "close")
        peer.close()
        other.close()

    play(scenario)


# === Ends of a pipe, on either side ===


class Own:
    """As Slow, but an emitter of somebody else's: it only has the methods."""

    def __init__(self) -> None:
        self.slow = Slow()
        self.chunks = self.slow.chunks
        for name in ("on", "once", "off", "emit", "prepend_listener", "listener_count", "event_names", "write", "end"):
            setattr(self, name, getattr(self.slow, name))


@pytest.mark.parametrize("kind", [Slow, Own])
@pytest.mark.parametrize("name", ["error", "finish", "close"])
def test_a_destination_that_is_over(play: Player, kind: type, name: str) -> None:
    """Rules 3.3.4 and 3.3.6: nothing is written to it any more, and an error is told to whoever listens."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        sink = kind()
        heard: list[Any] = []
        sink.on(name, lambda *arguments: heard.append(arguments))
        sink.on("unpipe", lambda source: heard.append(source))
        socket.pipe(sink)
        arguments = (LookupError("by the test"),) if name == "error" else ()
        sink.emit(name, *arguments)
        # The pipe hears of an error first.
        assert heard == ([socket, arguments] if name == "error" else [arguments, socket])
        assert (socket.event_names(), sorted(sink.event_names())) == ([], sorted([name, "unpipe"]))
        assert not socket.readable_flowing
        await over(socket, peer)

    play(scenario)


@pytest.mark.parametrize("kind", [Slow, Own])
def test_an_error_that_nobody_listens_for_is_raised(play: Player, kind: type) -> None:
    """Rule 3.3.4: a pipe listens, and yet it does not hide it."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        sink = kind()
        socket.pipe(sink)
        with pytest.raises(LookupError):
            sink.emit("error", LookupError("by the test"))
        assert (socket.event_names(), sink.event_names()) == ([], [])
        await over(socket, peer)

    play(scenario)


def test_who_awaits_an_error_has_heard_it(play: Player) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        sink = Slow()
        socket.pipe(sink)
        problem = LookupError("by the test")
        waiting = asyncio.ensure_future(uvnet.once(sink, "error"))
        await turns()
        sink.emit("error", problem)
        assert await waiting == (problem,)
        await over(socket, peer)

    play(scenario)


@pytest.mark.parametrize("end", [True, False])
def test_the_end_of_the_source(play: Player, end: bool) -> None:
    """Rule 3.3.3: it ends the destination, or the pipe alone."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        sink = Slow()
        pipes: list[Any] = []
        sink.on("unpipe", pipes.append)
        socket.pipe(sink, end)
        peer.close()
        await event(socket, "end")
        assert sink.ended == end
        assert pipes == [socket] * (not end)
        assert end or sink.event_names() == ["unpipe"]
        await over(socket, peer)

    play(scenario)


def test_a_source_that_has_ended(play: Player) -> None:
    """Rule 3.3.1: whoever is piped to hears of the end all the same, later."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        peer.shutdown(plain.SHUT_WR)
        socket.resume()
        await event(socket, "end")
        sink = Plain()
        socket.pipe(sink)
        assert sink.ended == 0
        await until(lambda: sink.ended == 1)
        await over(socket, peer)

    play(scenario)


def test_a_destination_that_is_given_up_holds_nothing_up(play: Player) -> None:
    """Rule 3.3.4: neither the others, while it is full, nor its source in memory."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        first, second = Slow(), Slow()
        socket.pipe(first)
        socket.pipe(second)
        peer.send(b"a")
        await until(lambda: first.chunks and second.chunks)
        second.emit("drain")
        assert socket.is_paused()
        socket.unpipe(first)
        assert not socket.is_paused()
        peer.send(b"b")
        await until(lambda: len(second.chunks) == 2)
        await over(socket, peer)

    play(scenario)


@pytest.mark.parametrize("when", ["write", "newListener"])
def test_a_destination_that_gives_itself_up(play: Player, when: str) -> None:
    """While it is told to wait: the other destination goes on."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        given_up, other = Slow(), Plain()

        told: list[str] = []

        def give_up(name: str, *_: Any) -> None:
            if name == "drain":
                socket.unpipe(given_up)

        given_up.on("newListener", lambda name, _listener: told.append(name))
        if when == "newListener":
            given_up.on("newListener", give_up)
        else:
            write = given_up.write
            given_up.write = lambda chunk: (give_up("drain"), write(chunk))[1]  # type: ignore[method-assign]
        socket.pipe(given_up)
        socket.pipe(other)
        peer.send(b"a")
        await until(lambda: other.chunks)
        given_up.remove_all_listeners("newListener")
        assert given_up.event_names() == []
        assert told.count("drain") == (when == "newListener")
        assert not socket.is_paused()
        peer.send(b"b")
        await until(lambda: len(other.chunks) == 2)
        assert given_up.chunks == [b"a"]
        await over(socket, peer)

    play(scenario)


def test_who_unpipes_at_drain_has_the_last_word(play: Player) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        received: list[bytes] = []
        socket.on("data", received.append)
        sink = Slow()
        sink.on("drain", lambda: (socket.unpipe(sink), socket.pause()))
        socket.pipe(sink)
        peer.send(b"a")
        await until(lambda: sink.chunks)
        sink.emit("drain")
        assert socket.is_paused()
        await over(socket, peer)

    play(scenario)


def test_without_a_drain_to_come_nothing_waits(play: Player) -> None:
    """Rule 3.3.6: a write() that returns False means something only of who can tell when to go on."""

    class Refusing(Plain):
        def write(self, chunk: bytes) -> bool:
            super().write(chunk)
            return False

    async def scenario() -> None:
        socket, peer = take_over("unix")
        sink = Refusing()
        socket.pipe(sink)
        for number in range(1, 4):
            peer.send(b"x")
            await until(lambda number=number: len(sink.chunks) == number)
        assert not socket.is_paused()
        await over(socket, peer)

    play(scenario)


def test_a_destination_forgets_its_sources(play: Player) -> None:
    async def scenario() -> None:
        destination, other = take_over("unix")
        source, peer = take_over("unix")
        source.pipe(destination)
        source.unpipe(destination)
        forgotten = weakref.ref(source)
        await over(source, peer)
        del source
        gc.collect()
        assert forgotten() is None
        await over(destination, other)

    play(scenario)


def test_a_source_that_was_paused(play: Player) -> None:
    """Rule 3.3.2: pipe() makes it flow."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        sink = Plain()
        socket.pause()
        socket.pipe(sink)
        peer.send(b"x")
        await until(lambda: sink.chunks == [b"x"])
        await over(socket, peer)

    play(scenario)


def test_two_sources_of_one_destination(play: Player) -> None:
    """Rule 3.3.4: its end concerns both."""

    async def scenario() -> None:
        destination, other = take_over("unix")
        pairs = [take_over("unix") for _ in range(2)]
        for source, _ in pairs:
            source.pipe(destination, False)
        await over(destination, other)
        for source, peer in pairs:
            assert source.event_names() == []
            await over(source, peer)

    play(scenario)


def test_without_a_pipe_there_is_nothing_to_undo(play: Player) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        sink = Plain()
        for unpipe in (lambda: socket.unpipe(), lambda: socket.unpipe(sink)):
            socket.resume()
            unpipe()
            assert not socket.is_paused()
        socket.pipe(sink)
        socket.unpipe(Plain())
        assert not socket.is_paused()
        await over(socket, peer)

    play(scenario)
