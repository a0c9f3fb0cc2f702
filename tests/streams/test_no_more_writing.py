"""When one is told to write on, and what becomes of it who writes when it is over."""

from __future__ import annotations

import asyncio
import socket as plain
from typing import Any

import pytest
from harness import Player, Transport
from pairs import take_over
from waiting import turns, until

import uvnet

EVENTS = ("drain", "prefinish", "finish", "error", "close")


def taken_over(transport: Transport, **options: Any) -> tuple[uvnet.Socket, plain.socket, list[str]]:
    """A connected socket, its peer, and its events and callbacks in their order."""
    socket, peer = take_over(transport.kind, **options)
    log: list[str] = []
    for name in EVENTS:
        socket.on(name, lambda *arguments, name=name: log.append(name))
    return socket, peer, log


async def over(socket: uvnet.Socket, peer: plain.socket) -> None:
    socket.destroy()
    await until(lambda: socket.closed)
    peer.close()


@pytest.mark.parametrize("with_callback", [False, True])
def test_with_a_mark_of_0_every_write_owes_a_drain(
    play: Player, transport: Transport, with_callback: bool
) -> None:
    """Rule 2.7.6; it comes on a tick, once for all writes until then."""

    async def scenario() -> None:
        socket, peer, log = taken_over(transport, writable_high_water_mark=0)
        callback = (lambda error: log.append("written")) if with_callback else None
        for _ in range(2):
            assert socket.write(b"x", callback) is False
            assert socket.writable_need_drain
            assert socket.write(b"") is False
            assert log == []
            await until(lambda: not socket.writable_need_drain)
            await turns(3)
            assert sorted(log) == ["drain", "written"][: 1 + with_callback]
            log.clear()
        await over(socket, peer)

    play(scenario)


@pytest.mark.parametrize("how", ["end", "destroy"])
def test_nobody_is_told_to_write_on_after_the_end(play: Player, transport: Transport, how: str) -> None:
    async def scenario() -> None:
        socket, peer, log = taken_over(transport, writable_high_water_mark=0)
        assert socket.writable
        assert socket.write(b"x") is False
        assert socket.writable_need_drain
        getattr(socket, how)()
        assert not socket.writable
        assert not socket.writable_need_drain
        await turns(3)
        await over(socket, peer)
        assert "drain" not in log

    play(scenario)


def test_what_is_corked_when_the_socket_is_destroyed(play: Player, transport: Transport) -> None:
    """uncork() sends nothing of it any more, and asks nobody."""

    async def scenario() -> None:
        socket, peer, log = taken_over(transport)
        socket.cork()
        socket.write(b"never", lambda error: log.append(error.code))
        socket.destroy()
        socket.uncork()
        await over(socket, peer)
        assert log == ["ERR_STREAM_DESTROYED", "close"]

    play(scenario)


@pytest.mark.parametrize("allow_half_open", [False, True])
def test_a_write_after_the_end(play: Player, transport: Transport, allow_half_open: bool) -> None:
    """Rule 2.8.5: where it ended because the other end did, the error says so."""

    async def scenario() -> None:
        socket, peer, log = taken_over(transport, allow_half_open=allow_half_open)
        if allow_half_open:
            socket.on("end", socket.end)
        # It is ended then, and not destroyed yet.
        socket.on("prefinish", lambda: socket.write(b"late", lambda error: log.append(error.code)))
        socket.resume()
        peer.shutdown(plain.SHUT_WR)
        await until(lambda: socket.closed)
        code = "ERR_STREAM_WRITE_AFTER_END" if allow_half_open else "EPIPE"
        assert log == ["prefinish", code, "error", "close"]
        assert socket.errored.code == code
        await over(socket, peer)

    play(scenario)


def test_after_a_write_that_failed_the_socket_is_not_writable(play: Player, transport: Transport) -> None:
    """At once, and not when it is destroyed, which is on a tick."""

    async def scenario() -> None:
        socket, peer, log = taken_over(transport, allow_half_open=True)
        peer.close()
        if transport.kind == "tcp":
            # The first is answered with RST, and only then the system refuses one.
            socket.write(b"x")
            await asyncio.sleep(0)
        assert socket.writable
        assert not socket.write(bytes(65_536))
        assert not socket.destroyed
        assert not socket.writable
        await until(lambda: socket.closed)
        assert log == ["error", "close"]

    play(scenario)
