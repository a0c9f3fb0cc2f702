"""An 'error' event that nobody listens for is reported once, and says so.  Rules 0.3.1 and 2.11.9; decision 23."""

from __future__ import annotations

from harness import Player, Transport, close, event, listen
from waiting import until

import uvnet


def test_of_a_socket(play: Player, transport: Transport) -> None:
    async def scenario() -> uvnet.Socket:
        socket = uvnet.connect(1, "127.0.0.1") if transport.kind == "tcp" else uvnet.connect(transport.path)
        assert await event(socket, "close") == (True,)
        assert socket.destroyed
        return socket

    socket = play(scenario)
    error = play.expect_report(OSError)
    (context,) = play.reported
    assert context["message"] == "an 'error' event of Socket had no listener"
    assert context["exception"] is error is socket.errored
    assert context["source"] is socket


def test_of_a_server(play: Player, transport: Transport) -> None:
    """Rule 2.11.9 for a server, which may be used again."""

    async def scenario() -> uvnet.Server:
        first = await listen(uvnet.create_server(), transport)
        address = first.address()
        second = uvnet.create_server()
        second.listen(address if isinstance(address, str) else address.port, *transport.listen_arguments[1:])
        await until(lambda: play.reported)
        await close(first)
        assert not second.listening
        return second

    server = play(scenario)
    assert play.expect_report(OSError).code == "EADDRINUSE"  # type: ignore[attr-defined]
    (context,) = play.reported
    assert context["message"] == "an 'error' event of Server had no listener"
    assert context["source"] is server


def test_an_exception_of_an_error_listener_is_another_thing(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.Socket()

        def listener(error: BaseException) -> None:
            raise LookupError("in the listener")

        socket.on("error", listener)
        socket.destroy(ConnectionAbortedError("unheard"))
        await event(socket, "close")

    play(scenario)
    play.expect_report(LookupError)
    assert play.reported[0]["message"] == "exception in a listener of Socket"
