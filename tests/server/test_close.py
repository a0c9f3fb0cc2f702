"""close() of a server: when 'close' comes, how often, and with what (rule 1.9)."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Player, Transport, event, listen
from waiting import turns, until, upcoming

import uvnet


class Watched:
    """A server, and what it has emitted and called back."""

    def __init__(self) -> None:
        self.server = uvnet.create_server()
        self.seen: list[Any] = []
        self.server.on("close", lambda *arguments: self.seen.append(("close", *arguments)))
        self.server.on("error", lambda error: self.seen.append(error.code))

    def close(self, name: str) -> None:
        """close() with a callback that is noted."""

        def called(error: Any) -> None:
            self.seen.append((name, getattr(error, "code", error)))

        assert self.server.close(called) is self.server


async def connected(server: uvnet.Server, transport: Transport) -> tuple[uvnet.Socket, uvnet.Socket]:
    accepting = upcoming(server, "connection")
    client = uvnet.connect(*transport.connect_arguments(server))
    await event(client, "connect")
    (socket,) = await accepting
    return client, socket


def test_it_stops_to_listen_at_once(play: Player, transport: Transport) -> None:
    """Rules 1.9.1 and 1.9.2: 'close' comes on a tick."""

    async def scenario() -> None:
        watched = Watched()
        await listen(watched.server, transport)
        arguments = transport.connect_arguments(watched.server)
        watched.close("callback")
        assert not watched.server.listening
        assert watched.server.address() is None
        assert watched.seen == []
        uvnet.next_tick(lambda: watched.seen.append("tick"))
        await event(watched.server, "close")
        await turns()
        assert watched.seen == [("close",), ("callback", None), "tick"]
        (error,) = await event(uvnet.connect(*arguments), "error")
        assert error.code in ("ECONNREFUSED", "ENOENT")

    play(scenario)


def test_connections_delay_it(play: Player, transport: Transport) -> None:
    """Rules 1.9.2 and 1.9.5: they go on as before, and the last one ends it."""

    async def scenario() -> None:
        watched = Watched()
        await listen(watched.server, transport)
        pairs = [await connected(watched.server, transport) for _ in range(2)]
        watched.close("first")
        watched.close("second")
        for client, socket in pairs:
            client.write(b"still here")
            assert await event(socket, "data") == (b"still here",)
            assert watched.seen == []
        over = upcoming(watched.server, "close")
        for client, socket in pairs:
            ended = upcoming(socket, "close")
            client.destroy()
            await ended
        await over
        await turns()
        assert watched.seen == [
            ("close",),
            ("first", None),
            ("second", "ERR_SERVER_NOT_RUNNING"),
        ]

    play(scenario)


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_server_that_does_not_listen(play: Player, calls: int) -> None:
    """Rules 1.9.3 and 1.9.4: a 'close' for every call."""

    async def scenario() -> None:
        watched = Watched()
        for number in range(calls):
            watched.close(str(number))
        await turns()
        errors = [(str(number), "ERR_SERVER_NOT_RUNNING") for number in range(calls)]
        assert watched.seen == [("close",), *errors, *[("close",)] * (calls - 1)]

    play(scenario)


def test_two_calls(play: Player, transport: Transport) -> None:
    """Rule 1.9.4: two 'close' events."""

    async def scenario() -> None:
        watched = Watched()
        await listen(watched.server, transport)
        watched.close("first")
        watched.close("second")
        await turns()
        assert watched.seen == [
            ("close",),
            ("first", None),
            ("second", "ERR_SERVER_NOT_RUNNING"),
            ("close",),
        ]

    play(scenario)


@pytest.mark.parametrize("bad", ["x", 5, [], {}])
def test_what_is_no_callback(play: Player, bad: Any) -> None:
    """Rule 1.9.3, but it is refused, and the server goes on listening."""

    async def scenario() -> None:
        watched = Watched()
        watched.server.listen(0)
        with pytest.raises(uvnet.NetTypeError):
            watched.server.close(bad)
        assert watched.server.listening
        watched.close("callback")
        await turns()
        assert watched.seen == [("close",), ("callback", None)]

    play(scenario)


def test_listening_again_puts_it_off(play: Player, transport: Transport) -> None:
    """Rule 1.9.6: 'close' of the old life waits for the end of the new one."""

    async def scenario() -> None:
        watched = Watched()
        await listen(watched.server, transport)
        client, socket = await connected(watched.server, transport)
        watched.close("first")
        await listen(watched.server, transport)
        ended = upcoming(socket, "close")
        client.destroy()
        socket.destroy()
        await ended
        await turns()
        assert watched.seen == []
        new_client, new_socket = await connected(watched.server, transport)
        watched.close("second")
        await turns()
        assert watched.seen == []
        over = upcoming(watched.server, "close")
        new_client.destroy()
        new_socket.destroy()
        await over
        await turns()
        assert watched.seen == [("close",), ("first", None), ("second", None)]

    play(scenario)


def test_it_comes_before_close_of_the_last_connection(play: Player, transport: Transport) -> None:
    """Rule 1.9.7."""

    async def scenario() -> None:
        watched = Watched()
        await listen(watched.server, transport)
        client, socket = await connected(watched.server, transport)
        socket.on("close", lambda _: watched.seen.append("socket"))
        watched.close("callback")
        ended = upcoming(socket, "close")
        socket.destroy()
        client.destroy()
        await ended
        assert watched.seen == [("close",), ("callback", None), "socket"]

    play(scenario)


@pytest.mark.parametrize("first", ["callback", "listener"])
def test_the_callback_has_its_place_among_the_listeners(play: Player, first: str) -> None:
    """Rule 1.9.3: Node adds it as a listener.  Nobody sees it, and a listener that raises does not stop it."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        log: list[str] = []

        def listener() -> None:
            log.append("listener")
            raise LookupError

        if first == "listener":
            server.on("close", listener)
        server.close(lambda _error: log.append("callback"))
        if first == "callback":
            server.on("close", listener)
        assert server.listener_count("close") == 1
        await until(lambda: len(log) == 2)
        assert log[0] == first

    play(scenario)
    play.expect_report(LookupError)


def test_an_error_is_no_close(play: Player) -> None:
    """Rule 1.9.8."""

    async def scenario() -> None:
        watched = Watched()
        watched.server.listen("/etc/passwd")
        await event(watched.server, "error")
        await turns()
        assert watched.seen == ["EADDRINUSE"]
        watched.close("callback")
        await turns()
        assert watched.seen[1:] == [("close",), ("callback", "ERR_SERVER_NOT_RUNNING")]

    play(scenario)


def test_many_lives(play: Player, transport: Transport) -> None:
    """Rule 1.9.6: one 'close' for each."""

    async def scenario() -> None:
        watched = Watched()
        for number in range(1, 20):
            await listen(watched.server, transport)
            client, socket = await connected(watched.server, transport)
            over = upcoming(watched.server, "close")
            watched.server.close()
            client.destroy()
            socket.destroy()
            await over
            assert watched.seen == [("close",)] * number

    play(scenario)
