"""Options of the connection as the system sees them, and what keeps run() going.  Rule 2.13."""

from __future__ import annotations

import socket as plain
from typing import Any

import pytest
from descriptors import KEEP_ALIVE, NO_DELAY, system_option
from harness import Player, Transport, close, event, listen
from pairs import Listening, connected_pair, take_over
from waiting import until

import uvnet

needs_idle = pytest.mark.skipif(not hasattr(plain, "TCP_KEEPIDLE"), reason="no TCP_KEEPIDLE on this system")


async def over(socket: uvnet.Socket, peer: plain.socket) -> None:
    socket.destroy()
    await until(lambda: socket.closed)
    peer.close()


def test_no_delay_is_off(play: Player) -> None:
    """Rule 2.13.5: for clients and for accepted sockets."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1")
        await event(server, "listening")
        accepted: list[uvnet.Socket] = []
        server.on("connection", accepted.append)
        client = uvnet.connect(server.address().port, "127.0.0.1")
        await until(lambda: accepted)
        assert [bool(system_option(socket, NO_DELAY)) for socket in (client, accepted[0])] == [False, False]
        client.destroy()
        await event(accepted[0], "close")
        await close(server)

    play(scenario)


@pytest.mark.parametrize("how", ["before", "option", "connecting", "connected"])
def test_options_are_applied(play: Player, how: str) -> None:
    """Rules 2.13.1, 2.13.2 and 2.13.3: remembered before the connection, or set at once."""

    def change(socket: uvnet.Socket) -> None:
        assert socket.set_no_delay() is socket
        assert socket.set_keep_alive(True) is socket

    async def scenario() -> None:
        server = uvnet.create_server(lambda peer: peer.resume()).listen(0, "127.0.0.1")
        await event(server, "listening")
        where = (server.address().port, "127.0.0.1")
        options = {"no_delay": True, "keep_alive": True} if how == "option" else {}
        socket = uvnet.Socket(options)
        if how == "before":
            change(socket)
        socket.connect(*where)
        if how == "connecting":
            change(socket)
        await event(socket, "connect")
        if how == "connected":
            change(socket)
        assert system_option(socket, NO_DELAY)
        assert system_option(socket, KEEP_ALIVE)
        socket.set_no_delay(False).set_keep_alive()
        assert not system_option(socket, NO_DELAY)
        assert not system_option(socket, KEEP_ALIVE)
        socket.end()
        await event(socket, "close")
        await close(server)

    play(scenario)


@needs_idle
@pytest.mark.parametrize(("delay", "seconds"), [(7, 7), (7.9, 7), (0, None), (0.5, None)])
def test_keep_alive_delay(play: Player, delay: float, seconds: int | None) -> None:
    """Rule 2.13.3: whole seconds, rounded down; 0 leaves the system's."""

    async def scenario() -> None:
        ours, peer = connected_pair("tcp")
        with ours.dup() as system:
            usual = system.getsockopt(plain.IPPROTO_TCP, plain.TCP_KEEPIDLE)
            socket = uvnet.Socket(handle=ours)
            socket.set_keep_alive(True, delay)
            assert system.getsockopt(*KEEP_ALIVE)
            assert system.getsockopt(plain.IPPROTO_TCP, plain.TCP_KEEPIDLE) == (seconds or usual)
        await over(socket, peer)

    play(scenario)


def test_without_effect(play: Player, transport: Transport) -> None:
    """Rule 2.13.4: on Unix sockets nothing happens, on destroyed ones nothing breaks."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        for state in ("open", "destroyed", "closed"):
            assert socket.set_no_delay() is socket
            assert socket.set_no_delay(False) is socket
            assert socket.set_keep_alive(True, 5) is socket
            assert socket.ref() is socket
            assert socket.unref() is socket
            if state == "open":
                socket.destroy()
            else:
                await until(lambda: socket.closed)
        assert socket.errored is None
        peer.close()

    play(scenario)


@pytest.mark.parametrize("calls", [("unref",), ("unref", "ref", "unref")])
def test_an_unreferenced_connection_does_not_keep_run_going(transport: Transport, calls: Any) -> None:
    """Rule 2.13.6: unref() before connect() is remembered."""
    events: list[str] = []
    with Listening.on(transport) as listening:
        socket = uvnet.Socket()
        for name in ("connect", "error", "close"):
            socket.on(name, lambda *arguments, name=name: events.append(name))
        for call in calls:
            getattr(socket, call)()
        socket.connect(*listening.where)
        uvnet.run()
        assert "close" not in events
        assert "error" not in events


@pytest.mark.parametrize("calls", [(), ("unref", "ref"), ("ref",)])
def test_a_referenced_connection_does(transport: Transport, calls: Any) -> None:
    """Rule 2.13.6: run() comes back when the connection is over."""
    events: list[str] = []
    with Listening.on(transport) as listening:
        socket = uvnet.Socket()
        for name in ("connect", "end", "close"):
            socket.on(name, lambda *arguments, name=name: events.append(name))
        for call in calls:
            getattr(socket, call)()
        socket.connect(*listening.where, lambda: listening.accept().close())
        uvnet.run()
        assert events == ["connect", "end", "close"]


def test_options_of_accepted_sockets(play: Player, transport: Transport) -> None:
    """Rule 2.13.1: a socket that was never connect()ed takes them as well."""

    async def scenario() -> None:
        accepted: list[uvnet.Socket] = []
        server = await listen(uvnet.create_server(accepted.append), transport)
        client = uvnet.connect(*transport.connect_arguments(server))
        await until(lambda: accepted)
        (socket,) = accepted
        assert socket.set_no_delay().set_keep_alive(True, 3).unref().ref() is socket
        if transport.kind == "tcp":
            assert system_option(socket, NO_DELAY)
            assert system_option(socket, KEEP_ALIVE)
        client.destroy()
        await event(socket, "close")
        await close(server)

    play(scenario)
