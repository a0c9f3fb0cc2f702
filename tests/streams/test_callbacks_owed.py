"""Whatever a listener raises, every callback of write() and end() is called, once, and 'close' comes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from harness import Player, event

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
