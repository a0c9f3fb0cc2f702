"""The constructor of a server, and what its options do to the sockets it accepts (rule 1.1)."""

from __future__ import annotations

import socket as plain
from collections.abc import Callable
from typing import Any

import pytest
from descriptors import option_of
from harness import Player, close, event
from waiting import upcoming

import uvnet


async def accepted(server: uvnet.Server) -> tuple[uvnet.Socket, uvnet.Socket]:
    """A client and the socket of the server, on IPv4."""
    if not server.listening:
        server.listen(0, "127.0.0.1")
        await event(server, "listening")
    accepting = upcoming(server, "connection")
    client = uvnet.connect(server.address().port, "127.0.0.1")
    await event(client, "connect")
    (socket,) = await accepting
    return client, socket


async def over(server: uvnet.Server, *sockets: uvnet.Socket) -> None:
    for socket in sockets:
        socket.destroy()
    await close(server)


def test_create_server_is_the_constructor(play: Player) -> None:
    """Rule 1.1.1."""

    async def scenario() -> None:
        server = uvnet.create_server(allow_half_open=True)
        assert type(server) is uvnet.Server
        assert server.allow_half_open
        assert uvnet.Server({"allow_half_open": True}).allow_half_open

    play(scenario)


@pytest.mark.parametrize(
    "make",
    [
        lambda listener: uvnet.Server(listener),
        lambda listener: uvnet.Server({}, listener),
        lambda listener: uvnet.Server(None, listener),
        lambda listener: uvnet.Server(connection_listener=listener),
        lambda listener: uvnet.Server(listener, allow_half_open=True),
        lambda listener: uvnet.create_server(listener),
        lambda listener: uvnet.create_server({"pause_on_connect": False}, listener),
    ],
)
def test_forms_with_a_listener(
    play: Player, make: Callable[[Callable[..., Any]], uvnet.Server]
) -> None:
    """Rule 1.1.2."""

    async def scenario() -> None:
        seen: list[uvnet.Socket] = []
        server = make(seen.append)
        assert server.listener_count("connection") == 1
        client, socket = await accepted(server)
        assert seen == [socket]
        await over(server, client, socket)

    play(scenario)


@pytest.mark.parametrize("bad", ["path", 0, 1.5, True, b"x", object()])
def test_what_is_no_options(play: Player, bad: Any) -> None:
    """Rule 1.1.2."""

    async def scenario() -> None:
        with pytest.raises(uvnet.NetTypeError) as caught:
            uvnet.Server(bad)
        assert caught.value.code == "ERR_INVALID_ARG_TYPE"

    play(scenario)


def test_the_options_are_copied(play: Player) -> None:
    """Rule 1.1.2."""

    async def scenario() -> None:
        options = {"allow_half_open": True}
        server = uvnet.Server(options)
        options["allow_half_open"] = False
        assert server.allow_half_open
        assert options == {"allow_half_open": False}

    play(scenario)


def test_the_listener_is_an_ordinary_one(play: Player) -> None:
    """Rule 1.1.3: it stays, may be added twice, and may be removed."""

    async def scenario() -> None:
        seen: list[uvnet.Socket] = []
        add = seen.append
        server = uvnet.Server(add)
        server.on("connection", add)
        for expected in (2, 4):
            client, _ = await accepted(server)
            assert len(seen) == expected
            client.destroy()
        server.off("connection", add)
        client, _ = await accepted(server)
        assert len(seen) == 5
        server.off("connection", add)
        client.destroy()
        client, _ = await accepted(server)
        assert len(seen) == 5
        await over(server, client)

    play(scenario)


@pytest.mark.parametrize("value", [1, "yes", [0], True])
def test_flags_are_taken_by_their_truth(play: Player, value: Any) -> None:
    """Rule 1.1.4."""

    async def scenario() -> None:
        server = uvnet.Server(allow_half_open=value, pause_on_connect=value)
        assert server.allow_half_open
        assert server.pause_on_connect

    play(scenario)


def test_allow_half_open_is_read_when_a_connection_comes(play: Player) -> None:
    """Rule 1.1.4."""

    async def scenario() -> None:
        server = uvnet.Server(allow_half_open=True)
        client, socket = await accepted(server)
        server.allow_half_open = False
        assert socket.allow_half_open
        client.destroy()
        socket.destroy()
        client, socket = await accepted(server)
        assert not socket.allow_half_open
        await over(server, client)

    play(scenario)


def test_a_fresh_server(play: Player) -> None:
    """Rule 1.1.5."""

    async def scenario() -> None:
        server = uvnet.Server()
        assert server.listening is False
        assert server.address() is None
        assert server.max_connections is None
        assert repr(server) == "<Server not listening>"

    play(scenario)


def test_unknown_options_are_refused(play: Player) -> None:
    """Rule 1.1.6, but a typing error must not be ignored here."""

    async def scenario() -> None:
        with pytest.raises(TypeError, match="half_opne"):
            uvnet.Server(half_opne=True)
        with pytest.raises(TypeError, match="allowHalfOpen"):
            uvnet.Server({"allowHalfOpen": True})

    play(scenario)


@pytest.mark.parametrize("wanted", [True, False])
def test_no_delay(play: Player, wanted: bool) -> None:
    """Section 8 (noDelay of a server)."""

    async def scenario() -> None:
        server = uvnet.Server(no_delay=wanted)
        client, socket = await accepted(server)
        assert bool(option_of(socket, plain.IPPROTO_TCP, plain.TCP_NODELAY)) is wanted
        await over(server, client)

    play(scenario)


@pytest.mark.parametrize("wanted", [True, False])
def test_keep_alive(play: Player, wanted: bool) -> None:
    """Section 8 (keepAlive of a server)."""

    async def scenario() -> None:
        server = uvnet.Server(keep_alive=wanted, keep_alive_initial_delay=77.9)
        client, socket = await accepted(server)
        assert bool(option_of(socket, plain.SOL_SOCKET, plain.SO_KEEPALIVE)) is wanted
        if wanted:
            assert option_of(socket, plain.IPPROTO_TCP, plain.TCP_KEEPIDLE) == 77
        await over(server, client)

    play(scenario)


def test_a_negative_delay_leaves_the_system_s(play: Player) -> None:
    """Section 8 (keepAliveInitialDelay)."""

    async def scenario() -> None:
        server = uvnet.Server(keep_alive=True, keep_alive_initial_delay=-5)
        client, socket = await accepted(server)
        with plain.socket() as fresh:
            usual = fresh.getsockopt(plain.IPPROTO_TCP, plain.TCP_KEEPIDLE)
        assert option_of(socket, plain.SOL_SOCKET, plain.SO_KEEPALIVE)
        assert option_of(socket, plain.IPPROTO_TCP, plain.TCP_KEEPIDLE) == usual
        await over(server, client)

    play(scenario)


def test_high_water_mark(play: Player) -> None:
    """Section 8 (highWaterMark of a server), decision 20."""

    async def scenario() -> None:
        server = uvnet.Server(high_water_mark=10)
        client, socket = await accepted(server)
        assert socket.readable_high_water_mark == socket.writable_high_water_mark == 10
        client.destroy()
        await close(server)
        server = uvnet.Server()
        client, socket = await accepted(server)
        assert socket.readable_high_water_mark == socket.writable_high_water_mark == 65_536
        await over(server, client)

    play(scenario)


def test_options_that_do_not_apply_to_unix_sockets(play: Player, tmp_path: Any) -> None:
    """Section 8: no_delay and keep_alive are of TCP; a Unix socket goes without them."""

    async def scenario() -> None:
        server = uvnet.Server(no_delay=True, keep_alive=True, keep_alive_initial_delay=5)
        server.on("connection", lambda socket: socket.end("hello"))
        server.listen(tmp_path / "socket")
        client = uvnet.connect(str(tmp_path / "socket"))
        assert await event(client, "data") == (b"hello",)
        await event(client, "close")
        await close(server)

    play(scenario)


def test_an_exception_in_a_listener_of_new_listeners(play: Player) -> None:
    """Rule 0.3.3: a subclass may watch its own listeners; what it raises comes out of the constructor."""

    class Strict(uvnet.Server):
        def on(self, event: str, listener: Any) -> Any:
            raise LookupError(event)

    async def scenario() -> None:
        with pytest.raises(LookupError, match="connection"):
            Strict(print)
        server = Strict().listen(0)
        assert server.listening
        await close(server)

    play(scenario)
