"""Awaiting what is read: read_exactly(), read_until(), `async for`, and when a coroutine goes on."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from awaitable import MEBIBYTE, Reading, pair
from harness import Player, Transport
from waiting import step, turns, until, upcoming

import uvnet


def test_what_is_ready_is_returned_without_suspending(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"12345line\nrest")
            await until(lambda: socket.readable_length == 14)
            assert step(socket.read_exactly(5)) == b"12345"
            assert step(socket.read_exactly(0)) == b""
            assert step(socket.read_until()) == b"line\n"
            chunks = aiter(socket)
            assert step(anext(chunks)) == b"rest"
            assert step(socket.drain()) is None

    play(scenario)


def test_a_coroutine_goes_on_once_there_is_enough(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            exactly = asyncio.create_task(socket.read_exactly(5))
            for part in (b"1", b"23", b"45|"):
                await turns()
                assert not exactly.done()
                client.write(part)
            assert await exactly == b"12345"
            lines = asyncio.create_task(socket.read_until(b"\r\n"))
            for part in (b"ab\r", b"c\n\r", b"\nrest"):
                await turns()
                assert not lines.done()
                client.write(part)
            assert await lines == b"|ab\rc\n\r\n"
            assert await socket.read_exactly(4) == b"rest"

    play(scenario)


def test_more_than_the_high_water_mark(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport, high_water_mark=1024) as (client, socket):
            client.write(b"x" * MEBIBYTE + b"y" * MEBIBYTE + b"\n")
            assert await socket.read_exactly(MEBIBYTE) == b"x" * MEBIBYTE
            assert await socket.read_until(limit=2 * MEBIBYTE) == b"y" * MEBIBYTE + b"\n"

    play(scenario)


def test_text(play: Player, transport: Transport) -> None:
    """After set_encoding() characters are counted, and a separator is text, however it was given."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.set_encoding("utf8")
            client.write("größe|ä\nrest".encode())
            assert await socket.read_exactly(5) == "größe"
            assert await socket.read_until("|") == "|"
            assert await socket.read_until() == "ä\n"
            client.end()
            with pytest.raises(asyncio.IncompleteReadError) as failure:
                await socket.read_exactly(5)
            assert failure.value.partial == "rest"
        async with pair(transport) as (client, socket):
            client.write("ä|".encode())
            assert await socket.read_until("ä") == "ä".encode()
            waiting = asyncio.create_task(socket.read_until("ü\n"))
            await turns()
            socket.set_encoding("utf8")
            client.write("ü\n".encode())
            assert await waiting == "|ü\n"

    play(scenario)


@pytest.mark.parametrize("at_once", [True, False])
def test_the_limit_of_a_line(play: Player, transport: Transport, at_once: bool) -> None:
    """As in asyncio: the data stays, and the error says how much of it is no line."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            if at_once:
                client.write(b"123456789\n")
                await until(lambda: socket.readable_length == 10)
            else:
                asyncio.get_running_loop().call_later(0, client.write, b"123456789\n")
            with pytest.raises(asyncio.LimitOverrunError) as failure:
                await socket.read_until(limit=8)
            assert failure.value.consumed == 9
            assert await socket.read_until(limit=9) == b"123456789\n"
            client.write(b"1234567890")
            with pytest.raises(asyncio.LimitOverrunError) as failure:
                await socket.read_until(b"\r\n", limit=8)
            assert failure.value.consumed == 9
            assert await socket.read_exactly(10) == b"1234567890"

    play(scenario)


def test_the_end(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            ended = upcoming(socket, "end")
            client.end(b"123")
            with pytest.raises(asyncio.IncompleteReadError) as failure:
                await socket.read_exactly(5)
            assert (failure.value.partial, failure.value.expected) == (b"123", 5)
            await ended
            with pytest.raises(asyncio.IncompleteReadError) as failure:
                await socket.read_until()
            assert (failure.value.partial, failure.value.expected) == (b"", None)
            assert [chunk async for chunk in socket] == []

    play(scenario)


def test_in_the_tick_of_the_data(play: Player, transport: Transport) -> None:
    """A coroutine goes on after the callback that brought the data, before any other I/O, in its context."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            log: list[str] = []

            async def echo() -> None:
                task = asyncio.current_task()
                while True:
                    await socket.read_exactly(1)
                    assert asyncio.current_task() is task
                    log.append("read")

            reader = asyncio.create_task(echo())
            await turns()
            client.write(b"x")
            await until(lambda: log)
            socket.on("end", lambda: log.append("end"))
            client.end(b"yz")
            with pytest.raises(asyncio.IncompleteReadError):
                await reader
            await until(lambda: "end" in log)
            assert log == ["read", "read", "read", "end"]

    play(scenario)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda socket: socket.read_exactly(-1), ValueError),
        (lambda socket: socket.read_exactly(True), TypeError),
        (lambda socket: socket.read_exactly("1"), TypeError),
        (lambda socket: socket.read_until(b""), ValueError),
        (lambda socket: socket.read_until(""), ValueError),
        (lambda socket: socket.read_until(1), TypeError),
        (lambda socket: socket.read_until(limit=0), ValueError),
        (lambda socket: socket.read_until(limit=1.5), TypeError),
    ],
)
def test_bad_arguments(play: Player, call: Reading, kind: type[Exception]) -> None:
    async def scenario() -> None:
        socket = uvnet.Socket()
        with pytest.raises(kind):
            call(socket)
        socket.destroy()

    play(scenario)


def test_the_context_of_a_task(play: Player, transport: Transport) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")

    async def scenario() -> None:
        async with pair(transport) as (client, socket):

            async def read() -> str:
                variable.set("inside")
                await socket.read_exactly(1)
                return variable.get()

            seen: list[str] = []
            reading = asyncio.create_task(read())
            await turns()
            socket.on("data", lambda _: seen.append(variable.get()))
            client.write(b"x")
            assert await reading == "inside"
            assert seen == ["inside"]
            socket.unshift(b"y")
            socket.read()
            assert seen == ["inside", "outside"]

    play(scenario)
