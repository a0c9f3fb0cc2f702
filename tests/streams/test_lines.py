"""`async for line in socket.lines()`, and read_until() with several separators."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from typing import Any

import pytest
from awaitable import MEBIBYTE, pair
from harness import Player, Transport
from pairs import reset, take_over
from waiting import step, turns, until

import uvnet


async def collected(lines: Any) -> list[Any]:
    return [line async for line in lines]


@pytest.mark.parametrize("keep_ends", [False, True])
def test_lines_to_the_end(play: Player, transport: Transport, keep_ends: bool) -> None:
    """A "\\r" alone is no end, and the last line may lack one."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.end(b"one\r\ntwo\n\n\r\n\rthree\rfour\r\r\nlast\r")
            wanted = [b"one\r\n", b"two\n", b"\n", b"\r\n", b"\rthree\rfour\r\r\n", b"last\r"]
            if not keep_ends:
                wanted = [b"one", b"two", b"", b"", b"\rthree\rfour\r", b"last\r"]
            assert await collected(socket.lines(keep_ends=keep_ends)) == wanted
            assert await collected(socket.lines()) == []
            await until(lambda: socket.readable_ended)

    play(scenario)


def test_text_has_lines_too(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.set_encoding("utf8")
            client.end("größe\r\nä\nrest".encode())
            assert await collected(socket.lines()) == ["größe", "ä", "rest"]

    play(scenario)


def test_what_follows_the_lines_is_still_there(play: Player, transport: Transport) -> None:
    """A head of lines and a body: nothing but whole lines was taken, and the socket lives."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"GET / HTTP/1.0\r\nLength: 4\r\n\r\nbodynext\n")
            head = []
            async for line in socket.lines():
                if not line:
                    break
                head.append(line)
            assert head == [b"GET / HTTP/1.0", b"Length: 4"]
            assert await socket.read_exactly(4) == b"body"
            assert await anext(socket.lines()) == b"next"
            assert not socket.destroyed

    play(scenario)


def test_any_pieces_and_any_lines(play: Player) -> None:
    """However the text comes in, the lines are those of the text; some go the short way, some do not."""
    draw = random.Random(17)

    async def scenario() -> None:
        socket, peer = take_over("unix", high_water_mark=64)
        lines = [bytes(draw.choices(b"ab\r\0", k=draw.choice((0, 1, 2, 7, 80, 500)))) for _ in range(400)]
        text = b"".join(line + draw.choice((b"\n", b"\r\n")) for line in lines)
        wanted = [line.removesuffix(b"\r") for line in text.split(b"\n")[:-1]]

        async def feed() -> None:
            place = 0
            while place < len(text):
                size = draw.choice((1, 3, 90, 700))
                try:
                    place += peer.send(text[place : place + size])
                except BlockingIOError:
                    await asyncio.sleep(0)
                if draw.random() < 0.3:
                    await asyncio.sleep(0)
            peer.close()

        feeding = asyncio.create_task(feed())
        assert await collected(socket.lines(limit=501)) == wanted
        await feeding

    play(scenario)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_line_that_is_too_long_stays(play: Player, transport: Transport, at_once: bool) -> None:
    async def scenario() -> None:
        async with pair(transport, high_water_mark=16) as (client, socket):
            lines = socket.lines(limit=4)
            if at_once:
                client.write(b"four\nfive5\nx\n")
                await until(lambda: socket.readable_length == 13)
            else:
                asyncio.get_running_loop().call_later(0, client.write, b"four\nfive5\nx\n")
            assert await anext(lines) == b"four"
            with pytest.raises(asyncio.LimitOverrunError) as failure:
                await anext(lines)
            assert failure.value.consumed == 5
            assert await socket.read_exactly(6) == b"five5\n"
            assert await anext(lines) == b"x"
            client.write(b"without an end")
            with pytest.raises(asyncio.LimitOverrunError):
                await anext(lines)
            assert await socket.receive() == b"without an end"

    play(scenario)


def test_the_limit_is_one_of_memory(play: Player, transport: Transport) -> None:
    """Who sends a line without an end fills the buffer to the limit and one read, not further."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(bytes(4 * MEBIBYTE))
            with pytest.raises(asyncio.LimitOverrunError):
                await anext(socket.lines(limit=100_000))
            await turns(20)
            assert socket.readable_length <= 100_000 + 3 * 262_144

    play(scenario)


def test_listeners_hear_of_lines_as_of_reads(play: Player, transport: Transport) -> None:
    """What read() gives is also 'data': a line too, whichever way it is taken."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            heard: list[bytes] = []
            client.write(b"a\nb\nc\n")
            await until(lambda: socket.readable_length == 6)
            lines = socket.lines()
            assert step(anext(lines)) == b"a"
            socket.on("data", heard.append)
            assert step(anext(lines)) == b"b"
            assert step(anext(lines)) == b"c"
            assert heard == [b"b\n", b"c\n"]

    play(scenario)


def test_awaiting_the_same_line_twice(play: Player, transport: Transport) -> None:
    """Only what nobody holds is used again for the next line."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"a\nb\nc\n")
            await until(lambda: socket.readable_length == 6)
            lines = socket.lines()
            first = anext(lines)
            assert step(first) == b"a"
            second = anext(lines)
            assert step(second) == b"b"
            with pytest.raises(RuntimeError, match="reuse"):
                step(first)
            del first, second
            assert step(anext(lines)) == b"c"
            never = anext(lines)
            with pytest.warns(RuntimeWarning, match=r"LineIterator\.__anext__"):
                del never, lines
                gc.collect()

    play(scenario)


def test_lines_keep_nothing_alive(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.end(b"a\nb\n")
            assert await collected(socket.lines()) == [b"a", b"b"]
            lines = socket.lines()
            assert await collected(lines) == []
            held = weakref.ref(socket)
        del socket, client
        await turns()
        assert held() is not None
        gc.disable()
        try:
            del lines
            assert held() is None
        finally:
            gc.enable()

    play(scenario)


def test_lines_of_another_life(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            lines = client.lines()
            socket.write(b"old\n")
            assert await anext(lines) == b"old"
            client.destroy()
            server = socket.server
            client.connect(*transport.connect_arguments(server))
            await uvnet.once(client, "connect")
            with pytest.raises(StopAsyncIteration):
                await anext(lines)

    play(scenario)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"limit": 0}, ValueError),
        ({"limit": -1}, ValueError),
        ({"limit": 2**40}, ValueError),
        ({"limit": True}, TypeError),
        ({"limit": "9"}, TypeError),
        ({"limit": None}, TypeError),
    ],
)
def test_bad_limits(play: Player, arguments: dict[str, Any], error: type[Exception]) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        with pytest.raises(error, match="limit"):
            socket.lines(**arguments)
        assert socket.readable_flowing is None
        socket.destroy()
        peer.close()

    play(scenario)


@pytest.mark.parametrize(
    ("separators", "found"),
    [
        ((b"\r\n", b"\n"), [b"ab\n", b"c\r\n", b"d;e\r\n"]),
        ((b"\n", b";"), [b"ab\n", b"c\r\n", b"d;", b"e\r\n"]),
        ((";", "\r\n"), [b"ab\nc\r\n", b"d;", b"e\r\n"]),
        ((b"c\r\nd", b"\nd"), [b"ab\nc\r\nd"]),
        ((b"d;e\r", b";", b"e"), [b"ab\nc\r\nd;", b"e"]),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_the_separator_that_ends_first(
    play: Player, separators: tuple[Any, ...], found: list[bytes], whole: bool
) -> None:
    """asyncio: the shortest possible that has any separator at its end; and however it comes in."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        text = b"ab\nc\r\nd;e\r\n"
        if whole:
            peer.send(text)

        async def feed() -> None:
            for index in range(len(text)):
                peer.send(text[index : index + 1])
                await turns(2)

        feeding = asyncio.create_task(asyncio.sleep(0) if whole else feed())
        assert [await socket.read_until(separators) for _ in found] == found
        await feeding
        reader = asyncio.StreamReader()
        reader.feed_data(text)
        if all(isinstance(separator, bytes) for separator in separators) and hasattr(asyncio, "QueueShutDown"):
            assert [await reader.readuntil(separators) for _ in found] == found  # type: ignore[arg-type]
        socket.destroy()
        peer.close()

    play(scenario)


def test_separators_that_are_far_apart(play: Player) -> None:
    """Each is found at once where it is: windows grow, and one may lie over the border of two."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        for gap in (0, 1, 253, 254, 255, 256, 257, 511, 512, 700, 767, 768, 5000):
            peer.send(b"x" * gap + b"<end>" + b"y" * 3000 + b"!")
            assert await socket.read_until((b"!", b"<end>")) == b"x" * gap + b"<end>"
            assert await socket.read_until((b"!", b"<end>")) == b"y" * 3000 + b"!"
        peer.send(b"0123456789ab!")
        with pytest.raises(asyncio.LimitOverrunError) as failure:
            await socket.read_until((b"!", b"<end>"), limit=11)
        assert failure.value.consumed == 12
        peer.close()
        with pytest.raises(asyncio.IncompleteReadError, match="one of the separators b'!!', b'<end>'") as ended:
            await socket.read_until((b"<end>", b"!!"))
        assert ended.value.partial == b"0123456789ab!"

    play(scenario)


@pytest.mark.parametrize(
    ("separator", "error"),
    [((), ValueError), ((b"\n", b""), ValueError), ((b"\n", 3), TypeError), ([b"\n"], TypeError), (None, TypeError)],
)
def test_bad_separators(play: Player, separator: Any, error: type[Exception]) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        with pytest.raises(error, match="separator"):
            socket.read_until(separator)
        assert socket.readable_flowing is None
        socket.destroy()
        peer.close()

    play(scenario)


def test_whole_lines_come_before_the_reset(play: Player) -> None:
    """Half a line is no line: it is left to whoever takes what there is."""

    async def scenario() -> None:
        socket, peer = take_over("tcp")
        peer.send(b"one\ntwo\nhal")
        lines = socket.lines()
        assert await anext(lines) == b"one"
        reset(peer)
        await until(lambda: socket.destroyed)
        assert await anext(lines) == b"two"
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                await anext(lines)
        assert await socket.receive() == b"hal"

    play(scenario)
