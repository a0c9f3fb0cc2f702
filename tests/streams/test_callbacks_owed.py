"""Whatever a listener raises, every callback of write() and end() is called, once, and 'close' comes."""

from __future__ import annotations

import asyncio
import errno
import socket as plain
from typing import Any

import pytest
from harness import Player, Transport, event, listen
from pairs import take_over
from waiting import until

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


async def written_to(kind: str, refused: bool) -> tuple[uvnet.Socket, plain.socket]:
    """A connected socket and its peer; `refused`: the system takes nothing for it any more."""
    socket, peer = take_over(kind, allow_half_open=True)
    socket.on("error", lambda error: None)
    if refused:
        peer.close()
        if kind == "tcp":
            # The first is answered with RST, and only then the system refuses one.
            socket.write(b"x")
            await asyncio.sleep(0)
    return socket, peer


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("how", ["write", "cork"])
@pytest.mark.parametrize("anew", [False, True])
def test_the_callback_of_a_write_has_its_place(
    play: Player, transport: Transport, anew: bool, how: str, refused: bool
) -> None:
    """Whether the write goes well or not, and though the socket connects anew at once."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        socket, peer = await written_to(transport.kind, refused)
        log: list[Any] = []
        uvnet.next_tick(log.append, "before")
        if how == "cork":
            socket.cork()
        socket.write(b"x", log.append)
        if how == "cork":
            socket.uncork()
        uvnet.next_tick(log.append, "after")
        if anew:
            socket.destroy()
            socket.connect(*transport.connect_arguments(server))
            await event(socket, "connect")
        else:
            await until(lambda: len(log) == 3)
        before, outcome, after = log
        assert (before, after) == ("before", "after")
        assert outcome.errno in (errno.EPIPE, errno.ECONNRESET) if refused else outcome is None
        socket.destroy()
        peer.close()
        await server.shutdown(0)

    play(scenario)
