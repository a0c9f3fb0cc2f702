"""write() and end() seen from the system: what goes out when, and in which order one hears of it.

Rules 0.4, 2.6 to 2.9 and 3.2.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from harness import Player, Transport, event
from pairs import read_now, reset, take_over
from waiting import until, upcoming

import uvnet

BIG = 4 * 2**20  # bytes, more than the kernel takes at once


class Watched:
    """A connected socket, its peer, and the events and callbacks in their order."""

    def __init__(self, transport: Transport, **options: Any) -> None:
        self.socket, self.peer = take_over(transport.kind, **options)
        self.log: list[Any] = []
        for name in ("drain", "prefinish", "finish", "end", "error", "close"):
            self.socket.on(name, lambda *arguments, name=name: self.log.append(name))

    def cb(self, label: str) -> Any:
        def called(error: Any) -> None:
            self.log.append(label if error is None else f"{label} {getattr(error, 'code', error)}")

        return called

    async def over(self) -> None:
        self.socket.destroy()
        await until(lambda: self.socket.closed)
        self.peer.close()


def test_forms_of_write(play: Player, transport: Transport) -> None:
    """Rule 2.6.1: the callback may stand where the encoding would."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket, cb = watched.socket, watched.cb
        assert socket.write(b"a") is True
        assert socket.write("b", cb("two")) is True
        assert socket.write("c3a9", "hex", cb("three")) is True
        assert socket.write(bytearray(b"d"), None, cb("three with None")) is True
        assert socket.write("e", callback=cb("keyword")) is True
        for bad in (5, "x", [1]):
            with pytest.raises(TypeError):
                socket.write("x", "utf8", bad)  # Node takes it for no callback
        await until(lambda: len(watched.log) == 4)
        assert watched.log == ["two", "three", "three with None", "keyword"]
        received = b""
        while len(received) < 6:
            received += read_now(watched.peer) or b""
        assert received == b"ab\xc3\xa9de"
        await watched.over()

    play(scenario)


def test_a_write_that_goes_out_at_once(play: Player, transport: Transport) -> None:
    """Rules 0.4.1, 2.7.2 and 2.7.8: nothing waits for the poll phase, and the callback comes on a tick."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket = watched.socket

        def dispatch(chunk: bytes) -> None:
            uvnet.next_tick(watched.log.append, "before")
            assert socket.write(b"x", watched.cb("written")) is True
            uvnet.next_tick(watched.log.append, "after")
            assert socket.writable_length == 0
            watched.log.append("sync")

        socket.once("data", dispatch)
        watched.peer.send(b"go")
        await until(lambda: watched.log)
        assert watched.log == ["sync", "before", "written", "after"]
        assert read_now(watched.peer) == b"x"
        await watched.over()

    play(scenario)


def test_what_is_left_comes_in_the_poll_phase(play: Player, transport: Transport) -> None:
    """Rules 0.1.3, 0.4.1, 2.7.2 and 2.7.5: a write behind another is queued; 'drain', then the callbacks."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket, log = watched.socket, watched.log
        assert socket.write(bytes(BIG), watched.cb("first")) is False
        assert socket.write(b"second", watched.cb("second")) is False
        assert socket.writable_length == BIG + 6
        assert socket.writable_need_drain
        uvnet.next_tick(log.append, "tick")
        received = bytearray()
        while len(received) < BIG + 6:
            received += read_now(watched.peer) or b""
            await turn()
        assert bytes(received) == bytes(BIG) + b"second"
        await until(lambda: len(log) == 4)
        assert log == ["tick", "drain", "first", "second"]
        assert socket.writable_length == 0
        await watched.over()

    play(scenario)


async def turn() -> None:
    """Let the loop look for I/O once."""
    await asyncio.sleep(0)


def test_bytes_written_counts_what_was_handed_over(play: Player, transport: Transport) -> None:
    """Rules 0.4.3 and 2.7.13: sent or not, and what is queued too; strings in their encoding."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket = watched.socket
        socket.write(bytes(BIG))
        assert socket.bytes_written == BIG
        socket.write("é" * 10)
        assert socket.bytes_written == BIG + 20
        socket.cork()
        socket.write("é" * 10, "latin1")
        assert socket.bytes_written == BIG + 30
        socket.destroy()
        # What the handle had was the first write alone.
        await event(socket, "close")
        assert socket.bytes_written == BIG
        watched.peer.close()

    play(scenario)


def test_buffer_size(play: Player, transport: Transport) -> None:
    """Rule 2.7.12: writable_length while there is a connection."""

    async def scenario() -> None:
        assert uvnet.Socket().buffer_size is None
        watched = Watched(transport)
        socket = watched.socket
        assert socket.buffer_size == 0
        socket.cork()
        socket.write(b"abc")
        assert socket.buffer_size == socket.writable_length == 3
        # Bytes; Node counts one character.
        socket.write("é")
        assert socket.buffer_size == socket.writable_length == 5
        await watched.over()
        assert socket.buffer_size is None

    play(scenario)


def test_a_broken_connection_is_found_in_write(play: Player, transport: Transport) -> None:
    """Rules 0.4.2, 2.8.6 and 2.8.9: the error comes later: callbacks first, then 'error', then 'close'."""

    async def scenario() -> None:
        watched = Watched(transport, readable=False)
        socket = watched.socket
        reset(watched.peer)
        socket.write(b"a", watched.cb("first"))
        await until(lambda: watched.log)
        if watched.log == ["first"]:
            socket.write(b"b", watched.cb("second"))
            socket.end(watched.cb("ended"))
            assert watched.log == ["first"]
        await until(lambda: socket.closed)
        code = socket.errored.code
        assert code in ("EPIPE", "ECONNRESET")
        assert (socket.errored.syscall, socket.errored.strerror) == ("write", f"write {code}")
        expected = [f"first {code}"]
        if watched.log[0] == "first":
            expected = ["first", f"second {code}", f"ended {code}"]
        assert watched.log == [*expected, "error", "close"]

    play(scenario)


def test_end_after_the_peer_has_gone(play: Player, transport: Transport) -> None:
    """Rule 2.9.5: a connection that is not there any more counts as shut down."""

    async def scenario() -> None:
        watched = Watched(transport, readable=False)
        reset(watched.peer)
        closed = upcoming(watched.socket, "close")
        watched.socket.end(watched.cb("ended"))
        assert await closed == (False,)
        assert watched.log == ["prefinish", "ended", "finish", "close"]

    play(scenario)


def test_finish_means_everything_is_with_the_system(play: Player, transport: Transport) -> None:
    """Rules 2.9.1, 3.2.3 and 3.2.4: never inside end(), and not before the last byte and the FIN."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket, log = watched.socket, watched.log
        socket.write(bytes(BIG), watched.cb("written"))
        socket.end(b"last", watched.cb("ended"))
        assert log == []
        assert (socket.writable_ended, socket.writable_finished) == (True, False)
        received = 0
        while received < BIG:
            received += len(read_now(watched.peer) or b"")
            await turn()
            if received < BIG // 2:
                assert log == []
                assert not socket.writable_finished
        await until(lambda: "finish" in log)
        assert log == ["written", "prefinish", "ended", "finish"]
        assert socket.writable_finished
        while chunk := watched.peer.recv(65_536):
            received += len(chunk)
        assert received == BIG + 4
        await watched.over()
        assert log[4:] == ["close"]

    play(scenario)


def test_no_finish_after_destroy(play: Player, transport: Transport) -> None:
    """Rules 3.2.4 and 2.11.4: neither with an error nor without."""

    async def scenario() -> None:
        for error in (None, ConnectionAbortedError("by the test")):
            watched = Watched(transport)
            watched.socket.end(b"x", watched.cb("ended"))
            watched.socket.destroy(error)
            await until(lambda socket=watched.socket: socket.closed)
            watched.peer.close()
            assert "finish" not in watched.log
            assert watched.log[-1] == "close"
            assert len([entry for entry in watched.log if entry.startswith("ended")]) == 1

    play(scenario)


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data)), memoryview, bytes])
def test_a_buffer_is_its_owners_again(play: Player, transport: Transport, kind: Any) -> None:
    """Rule 2.6.2: what was written does not change, whatever becomes of the object."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket = watched.socket
        pattern = bytes(range(256)) * (BIG // 256)
        sent = [kind(pattern[number:] + pattern[:number]) for number in range(2)]
        for data in sent:
            socket.write(data)
            if not isinstance(data, bytes) and not memoryview(data).readonly:
                data[:] = bytes(len(data))
            if isinstance(data, memoryview):
                data.release()
        socket.end()
        received = bytearray()
        while (chunk := read_now(watched.peer)) != b"":
            received += chunk or b""
            await turn()
        assert bytes(received) == pattern + pattern[1:] + pattern[:1]
        await watched.over()

    play(scenario)


def test_a_view_with_gaps_is_refused(play: Player, transport: Transport) -> None:
    """Its bytes do not lie together, so what goes out would be others; nothing of it is written."""

    async def scenario() -> None:
        watched = Watched(transport)
        for data in (b"a-b-c-", bytearray(b"a-b-c-")):
            for gaps in (memoryview(data)[::2], memoryview(data)[::-1]):
                with pytest.raises(BufferError):
                    watched.socket.write(gaps, watched.cb("never"))
            watched.socket.write(memoryview(data)[2:4])
        received = b""
        while len(received) < 4:
            received += read_now(watched.peer) or b""
            await asyncio.sleep(0)
        assert received == b"b-b-"
        assert watched.log == []
        await watched.over()

    play(scenario)


def test_corked_writes_go_out_together(play: Player, transport: Transport) -> None:
    """Rules 2.7.10 and 2.7.11: nothing leaves before the last uncork()."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket = watched.socket
        socket.cork()
        socket.cork()
        for number in range(20):
            socket.write(b"%02d" % number, watched.cb(str(number)))
        socket.uncork()
        assert (socket.writable_corked, socket.writable_length) == (1, 40)
        await turn()
        assert read_now(watched.peer) is None
        socket.uncork()
        await until(lambda: len(watched.log) == 20)
        assert watched.log == [str(number) for number in range(20)]
        assert read_now(watched.peer) == b"".join(b"%02d" % number for number in range(20))
        await watched.over()

    play(scenario)


def test_the_default_encoding(play: Player, transport: Transport) -> None:
    """Rules 3.2.1 and 2.6.3: of str that is written without one, from now on."""

    async def scenario() -> None:
        watched = Watched(transport)
        socket = watched.socket
        socket.write("é")
        assert socket.set_default_encoding("latin1") is socket
        socket.write("é")
        socket.write("é", "utf8")
        with pytest.raises(TypeError):
            socket.set_default_encoding("klingon")
        socket.end("é")
        received = b""
        while (chunk := read_now(watched.peer)) != b"":
            received += chunk or b""
            await turn()
        assert received == b"\xc3\xa9\xe9\xc3\xa9\xe9"
        await watched.over()

    play(scenario)
