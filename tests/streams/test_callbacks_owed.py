"""Whatever a listener raises, every callback of write() and end() is called, once, and 'close' comes."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest
from harness import Player, Transport, event, listen
from pairs import take_over

import uvnet

EVENTS = (
    "connectionAttempt", "connect", "ready", "drain", "data", "readable", "end", "prefinish", "finish", "resume",
    "timeout", "error", "close",
)  # fmt: skip
SIZES = {"small": 1, "big": 3_000_000}  # bytes


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("mark", [0, 1, 65536])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("gathered", [False, True], ids=["alone", "gathered"])
def test_no_callback_is_lost_behind_a_listener(
    play: Player, name: str, mark: int, size: str, gathered: bool
) -> None:
    """Written before there is a connection, and in 'connect', where small writes are gathered."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.pipe(peer)).listen(0, "127.0.0.1")
        await event(server, "listening")
        socket = uvnet.Socket(writable_high_water_mark=mark)
        called: dict[str, list[Any]] = {}
        closed = asyncio.Event()

        def callback(of: str) -> Any:
            called[of] = []
            return lambda error: called[of].append(error)

        def end(error: BaseException | None) -> None:
            # Not before: after end() there is no 'drain'.
            called["last"].append(error)
            socket.end("the end", callback=callback("end"))

        def write() -> None:
            if gathered:
                socket.write(bytes(SIZES[size]), callback("first"))
            called["last"] = []
            socket.write(bytes(SIZES[size]), end)

        if gathered:
            socket.once("connect", write)
        socket.on("error", lambda error: None)
        socket.on("close", lambda had_error: closed.set())
        socket.on("readable", socket.read) if name == "readable" else socket.resume()
        socket.set_timeout(10)

        @socket.on(name)
        def fails(*arguments: object) -> None:
            raise ZeroDivisionError

        socket.connect(server.port, "127.0.0.1")
        if not gathered:
            write()
        await closed.wait()
        await server.shutdown(1)
        assert all(len(calls) == 1 for calls in called.values()), called

    play(scenario)
    # The other end may be cut off in the middle.
    assert all(
        isinstance(context["exception"], ZeroDivisionError | OSError) for context in play.reported
    )
    play.expected = len(play.reported)


async def refusing(kind: str, **options: Any) -> uvnet.Socket:
    """A connected socket of which the system takes nothing any more."""
    socket, peer = take_over(kind, allow_half_open=True, **options)
    socket.on("error", lambda error: None)
    peer.close()
    if kind == "tcp":
        # The first is answered with RST, and only then the system refuses one.
        socket.write(b"x")
        await asyncio.sleep(0)
    return socket


def test_the_callback_of_a_write_that_failed_has_its_place(play: Player, transport: Transport) -> None:
    """Among what else waits for a tick it is where that of a write that went well would be."""

    async def scenario() -> None:
        socket = await refusing(transport.kind)
        log: list[object] = []
        uvnet.next_tick(log.append, "before")
        socket.write(b"x", lambda error: log.append(error.errno))
        uvnet.next_tick(log.append, "after")
        closed = event(socket, "close")
        await closed
        assert log[0::2] == ["before", "after"]
        assert log[1] in (errno.EPIPE, errno.ECONNRESET)

    play(scenario)


@pytest.mark.parametrize("size", [1, 65_536])
def test_a_write_that_failed_says_so_in_the_next_life(play: Player, transport: Transport, size: int) -> None:
    """Its callback is still to be called when the socket connects anew."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        socket = await refusing(transport.kind)
        called: list[Any] = []
        socket.write(bytes(size), called.append)
        socket.destroy()
        socket.connect(*transport.connect_arguments(server))
        await event(socket, "connect")
        assert [error.errno in (errno.EPIPE, errno.ECONNRESET) for error in called] == [True]
        socket.destroy()
        await server.shutdown(0)

    play(scenario)
