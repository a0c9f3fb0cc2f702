"""Awaiting on a socket: read_exactly(), read_until(), drain(), `async for`, `async with`, open_connection()."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket as plain
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import uvloop
from conftest import Player, Transport, event, listen
from pairs import reset
from waiting import upcoming

import uvnet

MEBIBYTE = 2**20
Reading = Callable[[uvnet.Socket], Any]
READINGS: dict[str, Reading] = {
    "exactly": lambda socket: socket.read_exactly(5),
    "until": lambda socket: socket.read_until(b"e"),
    "chunk": lambda socket: next_chunk(socket),
}
readings = pytest.mark.parametrize("read", READINGS.values(), ids=READINGS.keys())


async def next_chunk(socket: uvnet.Socket) -> bytes:
    # An iterator that is dropped destroys its socket.
    chunks = aiter(socket)
    iterators.append(chunks)
    return await anext(chunks)


iterators: list[Any] = []


@contextlib.asynccontextmanager
async def pair(transport: Transport, **options: Any) -> AsyncIterator[tuple[uvnet.Socket, uvnet.Socket]]:
    """A connected client and the server's socket for it."""
    server = await listen(uvnet.create_server(options), transport)
    accepted = upcoming(server, "connection")
    client = await uvnet.open_connection(*transport.connect_arguments(server))
    (socket,) = await accepted
    try:
        yield client, socket
    finally:
        iterators.clear()
        client.destroy()
        socket.destroy()
        await server.shutdown()


async def turns(count: int = 5) -> None:
    """Let the loop poll a few times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def step(awaitable: Any) -> Any:
    """What an awaitable gives without suspending; fails where it would."""
    with pytest.raises(StopIteration) as stopped:
        next(awaitable.__await__())
    return stopped.value.value


# === What is read ===


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


# === Cancelling, errors, several readers ===


@readings
def test_cancelled_before_data(play: Player, transport: Transport, read: Reading) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            waiting = asyncio.create_task(read(socket))
            await turns()
            if read is not READINGS["chunk"]:
                client.write(b"abcd")
                await until(lambda: socket.readable_length == 4)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            client.write(b"abcde"[socket.readable_length :])
            assert await socket.read_exactly(5) == b"abcde"

    play(scenario)


@readings
def test_cancelled_when_the_data_is_there(play: Player, transport: Transport, read: Reading) -> None:
    """The task has been woken and has not run: in the same tick, before it and after."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            waiting = asyncio.create_task(read(socket))
            await turns()
            # unshift() wakes the reader at once, and it goes on before the loop polls.
            socket.unshift(b"abcde")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert step(socket.read_exactly(5)) == b"abcde"
            waiting = asyncio.create_task(read(socket))
            await turns()
            waiting.cancel()
            socket.unshift(b"abcde")
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert step(socket.read_exactly(5)) == b"abcde"

    play(scenario)


@readings
def test_a_second_reader_is_told(play: Player, transport: Transport, read: Reading) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            first = asyncio.create_task(socket.read_exactly(5))
            await turns()
            with pytest.raises(RuntimeError, match="another coroutine") as failure:
                await read(socket)
            assert failure.value.code == "ERR_SOCKET_BEING_READ"
            with pytest.raises(RuntimeError, match="another coroutine"):
                socket.read()
            client.write(b"abcde")
            assert await first == b"abcde"
            used = socket.read_exactly(0)
            assert await used == b""
            with pytest.raises(RuntimeError, match="reuse"):
                await used

    play(scenario)


@pytest.mark.parametrize("waiting", [True, False])
@readings
def test_an_error_is_raised_and_not_reported(
    play: Player, transport: Transport, read: Reading, waiting: bool
) -> None:
    """Decision 23: what somebody awaits is not unhandled."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            assert await socket.read_exactly(0) == b""
            if waiting:
                asyncio.get_running_loop().call_later(0, socket.destroy, LookupError("mine"))
            else:
                socket.destroy(LookupError("mine"))
                await event(socket, "close")
            with pytest.raises(LookupError, match="mine"):
                await read(socket)
            with pytest.raises(LookupError, match="mine"):
                await socket.drain()

    play(scenario)


def test_a_reset(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1")
        async with server:
            peer = plain.create_connection(("127.0.0.1", server.address().port))
            async for socket in server:
                waiting = asyncio.create_task(socket.read_exactly(5))
                await turns()
                reset(peer)
                with pytest.raises(ConnectionResetError):
                    await waiting
                break

    play(scenario)


def test_a_reset_after_the_wait_was_cancelled(play: Player) -> None:
    """Nobody waits when it comes: the next who does hears of it, after what has arrived before."""

    async def scenario() -> None:
        async with uvnet.create_server().listen(0, "127.0.0.1") as server:
            peer = plain.create_connection(("127.0.0.1", server.address().port))
            async for socket in server:
                waiting = asyncio.create_task(socket.read_exactly(5))
                await turns()
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                closed = upcoming(socket, "close")
                reset(peer)
                assert await closed == (True,)
                for again in (socket.read_exactly(5), socket.drain()):
                    with pytest.raises(ConnectionResetError):
                        await again
                break

    play(scenario)


def test_a_cancelled_drain_of_a_peer_that_never_reads(play: Player, transport: Transport) -> None:
    """What waits goes on waiting, and arrives once the peer reads after all."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.pause()
            assert client.write(b"x" * 16 * MEBIBYTE) is False
            waiting = asyncio.create_task(client.drain())
            await turns()
            left = client.writable_length
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert client.writable_length == left > 0
            assert not client.destroyed
            reading = asyncio.create_task(socket.read_exactly(16 * MEBIBYTE))
            await client.drain()
            assert await reading == b"x" * 16 * MEBIBYTE

    play(scenario)


def test_destroyed_while_it_waits(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"123")
            await until(lambda: socket.readable_length == 3)
            asyncio.get_running_loop().call_later(0, socket.destroy)
            with pytest.raises(asyncio.IncompleteReadError):
                await socket.read_exactly(5)

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


# === drain() ===


def test_drain(play: Player, transport: Transport) -> None:
    """Rule 2.7.4, for any number of coroutines; cancelling one leaves the others."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.pause()
            assert client.write(b"x" * 16 * MEBIBYTE) is False
            drainers = [asyncio.create_task(client.drain()) for _ in range(20)]
            await turns()
            drainers[3].cancel()
            await turns()
            assert [task.done() for task in drainers] == [index == 3 for index in range(20)]
            socket.resume()
            done, _ = await asyncio.wait(drainers)
            assert sum(task.cancelled() for task in done) == 1
            assert not client.writable_need_drain

    play(scenario)


@pytest.mark.parametrize("how", ["error", "destroy", "end"])
def test_the_end_of_drain(play: Player, transport: Transport, how: str) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.pause()
            client.write(b"x" * 16 * MEBIBYTE)
            waiting = asyncio.create_task(client.drain())
            await turns()
            if how == "error":
                client.destroy(LookupError("mine"))
                with pytest.raises(LookupError, match="mine"):
                    await waiting
            elif how == "destroy":
                client.destroy()
                with pytest.raises(uvnet.NetRuntimeError) as failure:
                    await waiting
                assert failure.value.code == "ERR_STREAM_DESTROYED"
            else:
                client.end()
                await waiting

    play(scenario)


# === Connecting, `async with` ===


def test_open_connection_that_fails(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        where = ("/nonexistent/socket",) if transport.kind == "unix" else (1, "127.0.0.1")
        kind = FileNotFoundError if transport.kind == "unix" else ConnectionRefusedError
        with pytest.raises(kind):
            await uvnet.open_connection(*where)
        with pytest.raises(kind):
            async with uvnet.connect(*where):
                raise AssertionError
        with pytest.raises(TypeError):
            await uvnet.open_connection()

    play(scenario)


def test_a_cancelled_connection_is_gone(play: Player) -> None:
    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []

        def lookup(host: str, options: Any, callback: Any) -> None:
            """Never answers."""

        async def connect() -> None:
            socket = uvnet.connect(1, "name", lookup=lookup)
            sockets.append(socket)
            async with socket:
                raise AssertionError

        opening = [asyncio.create_task(uvnet.open_connection(1, "name", lookup=lookup))]
        opening.append(asyncio.create_task(connect()))
        await turns()
        for task in opening:
            task.cancel()
        await asyncio.wait(opening)
        assert [task.cancelled() for task in opening] == [True, True]
        assert sockets[0].destroyed

    play(scenario)


def test_destroyed_while_connecting(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.connect(1, "name", lookup=lambda *_: None)
        asyncio.get_running_loop().call_later(0, socket.destroy)
        with pytest.raises(uvnet.NetRuntimeError) as failure:
            async with socket:
                raise AssertionError
        assert failure.value.code == "ERR_SOCKET_CLOSED_BEFORE_CONNECTION"

    play(scenario)


def test_leaving_a_socket(play: Player, transport: Transport) -> None:
    """Everything written arrives; an exception destroys; an error that nobody has heard of is raised."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            received = asyncio.create_task(socket.read_exactly(4 * MEBIBYTE))
            async with client:
                client.write(b"x" * 4 * MEBIBYTE)
            assert client.closed
            assert await received == b"x" * 4 * MEBIBYTE
        async with pair(transport) as (client, socket):
            with pytest.raises(LookupError):
                async with client:
                    raise LookupError
            assert client.destroyed
        async with pair(transport) as (client, socket):
            with pytest.raises(LookupError, match="unheard"):
                async with client:
                    client.destroy(LookupError("unheard"))

    play(scenario)


def test_leaving_a_socket_whose_error_was_raised(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket), client:
            client.destroy(LookupError("heard"))
            with pytest.raises(LookupError, match="heard"):
                await client.read_exactly(1)

    play(scenario)


def test_a_pending_reader_of_a_closed_loop() -> None:
    """A task that waits is ended by the end of the run, and nothing is left."""

    async def main() -> None:
        server = uvnet.create_server().listen(0)
        client = await uvnet.open_connection(server.address().port, "127.0.0.1")
        tasks.append(asyncio.create_task(client.read_exactly(5)))
        await turns()

    tasks: list[Any] = []
    uvloop.run(main())
    assert tasks[0].cancelled()


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


def test_leaving_the_run_from_a_coroutine() -> None:
    """SystemExit of a coroutine that data has woken leaves run(), as from any other task."""

    async def leave(socket: uvnet.Socket) -> None:
        await socket.read_exactly(1)
        raise SystemExit(3)

    async def main() -> None:
        server = uvnet.create_server(leave).listen(0)
        client = await uvnet.open_connection(server.address().port, "127.0.0.1")
        client.write(b"x")
        await server.closed()

    with pytest.raises(SystemExit) as left:
        uvnet.run(main())
    assert left.value.code == 3


def test_an_exception_of_a_woken_coroutine(play: Player, transport: Transport) -> None:
    """It belongs to the task alone."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):

            async def fail() -> None:
                await socket.read_exactly(1)
                raise LookupError("mine")

            failing = asyncio.create_task(fail())
            await turns()
            client.write(b"x")
            with pytest.raises(LookupError, match="mine"):
                await failing
            assert not socket.destroyed

    play(scenario)
