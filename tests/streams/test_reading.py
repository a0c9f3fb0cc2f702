"""Reading: when data is given out, what is kept, and what becomes of it when the connection breaks.

Rules 2.15, 2.16 and 3.1.
"""

from __future__ import annotations

import asyncio
import socket as plain
from typing import Any

import pytest
from harness import Player, Transport, event
from pairs import reset, take_over
from waiting import turns, until, upcoming

import uvnet

MARK = 65_536


async def over(socket: uvnet.Socket, peer: plain.socket) -> None:
    socket.destroy()
    await until(lambda: socket.closed)
    peer.close()


async def arrived(socket: uvnet.Socket, count: int) -> None:
    """Wait until so many bytes have been read."""
    await until(lambda: socket.bytes_read >= count)


def test_data_comes_from_the_read_callback(play: Player, transport: Transport) -> None:
    """Rule 2.15.5: with nothing buffered, before any tick."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        log: list[Any] = []
        socket.on("data", lambda chunk: (log.append(chunk), uvnet.next_tick(log.append, "tick")))
        await until(lambda: socket.readable_flowing)
        await asyncio.sleep(0)
        peer.send(b"one")
        await arrived(socket, 3)
        peer.send(b"two")
        await arrived(socket, 6)
        assert log == [b"one", "tick", b"two", "tick"]
        assert socket.readable_length == 0
        await over(socket, peer)

    play(scenario)


def test_readable_flowing(play: Player, transport: Transport) -> None:
    """Rules 3.1.2 and 3.1.1: None, True, False; is_paused() is told by pause(), not by nobody asking."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        assert (socket.readable_flowing, socket.is_paused()) == (None, False)
        assert socket.pause() is socket
        assert (socket.readable_flowing, socket.is_paused()) == (False, True)
        socket.on("data", lambda chunk: None)
        assert (socket.readable_flowing, socket.is_paused()) == (False, True)
        assert socket.resume() is socket
        assert (socket.readable_flowing, socket.is_paused()) == (True, False)
        socket.on("readable", lambda: None)
        assert socket.readable_flowing is False
        socket.resume()
        assert socket.readable_flowing is False
        await over(socket, peer)

    play(scenario)


def test_reading_stops_at_the_mark(play: Player, transport: Transport) -> None:
    """Rules 2.15.1 and 0.4.4: with nobody to consume, up to one read beyond the high-water mark."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind, readable_high_water_mark=10_000)
        sent = 0
        while True:
            try:
                sent += peer.send(bytes(100_000))
            except BlockingIOError:
                if socket.readable_length >= 10_000:
                    break
                await asyncio.sleep(0)
        stored = socket.readable_length
        assert 10_000 <= stored < 10_000 + MARK
        for _ in range(5):
            await asyncio.sleep(0.002)
        assert socket.readable_length == socket.bytes_read == stored
        peer.shutdown(plain.SHUT_WR)
        socket.resume()
        await event(socket, "end")
        assert socket.bytes_read == sent
        await over(socket, peer)

    play(scenario)


def test_a_broken_connection_drops_what_nobody_took(play: Player) -> None:
    """Rules 2.15.8 and 2.10.4: 'error' and 'close', and no 'end'."""

    async def scenario() -> None:
        socket, peer = take_over("tcp")
        log: list[str] = []
        for name in ("data", "end", "finish", "close"):
            socket.on(name, lambda *arguments, name=name: log.append(name))
        socket.pause()
        peer.send(b"unread")
        await arrived(socket, 6)
        assert socket.readable_length == 6
        reset(peer)
        closed = upcoming(socket, "close")
        (error,) = await event(socket, "error")
        assert isinstance(error, ConnectionResetError)
        assert error.strerror == "read ECONNRESET"
        assert (error.code, error.syscall, error.errno) == ("ECONNRESET", "read", 104)
        assert await closed == (True,)
        socket.resume()
        await asyncio.sleep(0)
        assert log == ["close"]

    play(scenario)


def test_what_was_buffered_before_a_listener(play: Player, transport: Transport) -> None:
    """Rules 2.15.2 and 3.1.8: 'resume' on a tick, and then the data."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        peer.send(b"early")
        await arrived(socket, 5)
        log: list[Any] = []
        socket.on("resume", lambda: log.append("resume"))
        socket.on("data", log.append)
        uvnet.next_tick(log.append, "tick")
        assert log == []
        await until(lambda: len(log) == 3)
        assert log == ["resume", b"early", "tick"]
        await over(socket, peer)

    play(scenario)


def test_there_is_no_push(play: Player) -> None:
    """Rule 3.1.6: for implementers in Node; a socket's data comes from its connection alone."""

    async def scenario() -> None:
        assert not hasattr(uvnet.Socket(), "push")

    play(scenario)


# === Into buffers ===


def test_a_function_gives_the_next_buffer(play: Player, transport: Transport) -> None:
    """Rule 2.16.2: called at first and after every callback; what is no buffer keeps the old one."""

    async def scenario() -> None:
        given: list[Any] = []
        chunks: list[tuple[int, Any]] = []

        def buffer() -> Any:
            given.append(None if len(given) == 2 else bytearray(3))
            return given[-1]

        def callback(count: int, used: Any) -> None:
            chunks.append((bytes(used[:count]), used))

        socket, peer = take_over(transport.kind, onread={"buffer": buffer, "callback": callback})
        assert len(given) == 1
        peer.send(b"abcdefghi")
        await until(lambda: len(chunks) == 3)
        assert [chunk for chunk, _ in chunks] == [b"abc", b"def", b"ghi"]
        assert len(given) == 4
        assert chunks[0][1] is given[0]
        assert chunks[1][1] is chunks[2][1] is given[1]
        assert socket.bytes_read == 9
        assert socket.readable_length == 0
        await over(socket, peer)

    play(scenario)


def test_an_exception_of_onread(play: Player, transport: Transport) -> None:
    """Rule 2.16.4, as DESIGN 2 has it for every listener: reported once, and the socket is destroyed."""

    async def scenario() -> None:
        def callback(count: int, buffer: bytearray) -> None:
            raise LookupError("in onread")

        socket, peer = take_over(transport.kind, onread={"buffer": bytearray(3), "callback": callback})
        peer.send(b"abcdef")
        await until(lambda: socket.closed)
        assert socket.bytes_read == 3
        peer.close()

    play(scenario)
    assert str(play.expect_report(LookupError)) == "in onread"
    # The buffer stays pinned as long as the socket is there, for its next life.
    del play.reported[0]["source"]


def test_a_server_has_no_onread(play: Player) -> None:
    """Rule 2.16.6."""

    async def scenario() -> None:
        with pytest.raises(TypeError, match="onread"):
            uvnet.create_server(onread={"buffer": bytearray(3), "callback": print})

    play(scenario)


@pytest.mark.parametrize("how", ["pause", "False"])
def test_nothing_is_read_until_resume(play: Player, transport: Transport, how: str) -> None:
    """Rule 2.16.3: in this mode both act on the handle itself."""

    async def scenario() -> None:
        chunks: list[bytes] = []

        def callback(count: int, buffer: bytearray) -> bool | None:
            chunks.append(bytes(buffer[:count]))
            if how == "False":
                return False
            socket.pause()
            return None

        socket, peer = take_over(transport.kind, onread={"buffer": bytearray(2), "callback": callback})
        peer.send(b"abcdef")
        await until(lambda: chunks)
        for expected in ([b"ab"], [b"ab", b"cd"], [b"ab", b"cd", b"ef"]):
            await until(lambda expected=expected: len(chunks) == len(expected))
            await asyncio.sleep(0.002)
            assert chunks == expected
            assert socket.bytes_read == 2 * len(expected)
            socket.resume()
        await over(socket, peer)

    play(scenario)


# === Decoding ===

TEXT = "aé€\U0001f600z" * 3
ENCODINGS = {
    "utf8": (TEXT.encode(), TEXT),
    "utf16le": (TEXT.encode("utf-16-le"), TEXT),
    "latin1": (bytes(range(256)), bytes(range(256)).decode("latin1")),
    "ascii": (bytes(range(256)), (bytes(range(128)) * 2).decode("ascii")),
    "hex": (b"\x00\xffabc", "00ff616263"),
    "base64": (b"\xfb\xff\xfeabcd", "+//+YWJjZA=="),
    "base64url": (b"\xfb\xff\xfeabcd", "-__-YWJjZA"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_characters_split_across_chunks(play: Player, transport: Transport, encoding: str) -> None:
    """Rule 2.15.7: byte by byte, and nothing is lost; bytes_read stays bytes."""

    async def scenario() -> None:
        data, text = ENCODINGS[encoding]
        socket, peer = take_over(transport.kind, encoding=encoding)
        chunks: list[str] = []
        socket.on("data", chunks.append)
        for index in range(len(data)):
            peer.send(data[index : index + 1])
            await arrived(socket, index + 1)
        peer.shutdown(plain.SHUT_WR)
        await event(socket, "end")
        assert "".join(chunks) == text
        assert all(isinstance(chunk, str) and chunk for chunk in chunks)
        assert socket.bytes_read == len(data)
        await over(socket, peer)

    play(scenario)


@pytest.mark.parametrize(
    ("sent", "encoding", "text"),
    [
        (b"a\xc3", "utf8", "a\ufffd"),
        (b"\xf0\x9f\x98", "utf8", "\ufffd"),
        (b"a\x00\x3d", "utf16le", "a\ufffd"),
        (b"abcd", "base64", "YWJjZA=="),
        (b"a", "base64url", "YQ"),
        (b"a\xc3", "hex", "61c3"),
        (b"a\xc3", "latin1", "a\xc3"),
        (b"a\xc3", "ascii", "aC"),
    ],
)
@pytest.mark.parametrize("ended", [True, False], ids=["after the end", "before the end"])
def test_an_encoding_keeps_the_rest_of_a_split_character(
    play: Player, sent: bytes, encoding: str, text: str, ended: bool
) -> None:
    """Rule 2.15.7: the same, whether it is set before or after the end has been read."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        peer.send(sent)
        await arrived(socket, len(sent))
        if ended:
            peer.close()
            await turns(3)
        socket.set_encoding(encoding)
        peer.close()
        end = upcoming(socket, "end")
        received: list[Any] = []
        socket.on("data", received.append)
        await end
        assert "".join(received) == text
        await until(lambda: socket.closed)

    play(scenario)


@pytest.mark.parametrize("first", ["utf8", "utf16le", "base64"])
@pytest.mark.parametrize("second", ["utf8", "latin1", "hex"])
def test_another_encoding_takes_over_what_the_first_one_holds(play: Player, first: str, second: str) -> None:
    expected = {"utf8": "\xe9", "latin1": "\xc3\xa9", "hex": "c3a9"}[second]

    async def scenario() -> None:
        socket, peer = take_over("unix")
        socket.set_encoding(first)
        received: list[str] = []
        socket.on("data", received.append)
        peer.send(b"\xc3")
        await arrived(socket, 1)
        assert received == []
        socket.set_encoding(second)
        peer.send(b"\xa9")
        peer.close()
        await upcoming(socket, "end")
        assert "".join(received) == expected
        await until(lambda: socket.closed)

    play(scenario)
