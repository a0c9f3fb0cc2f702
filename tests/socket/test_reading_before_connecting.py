"""Reads that are asked for before there is a connection count as soon as there is one (rules 2.15 and 3.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness import Player, Transport
from pairs import Listening, reset
from waiting import turns, until

import uvnet

Connect = Callable[[], object]
Log = list[Any]


def _listen(socket: uvnet.Socket, log: Log) -> None:
    def readable() -> None:
        while (chunk := socket.read()) is not None:
            log.append(chunk)

    socket.on("readable", readable)


async def readable_then_connect(socket: uvnet.Socket, connect: Connect, log: Log) -> None:
    _listen(socket, log)
    await turns(2)
    connect()


async def connect_then_unshift(socket: uvnet.Socket, connect: Connect, log: Log) -> None:
    connect()
    socket.unshift(b"")
    _listen(socket, log)


async def data_and_pause(socket: uvnet.Socket, connect: Connect, log: Log) -> None:
    socket.on("data", log.append)
    socket.pause()
    await turns(2)
    connect()
    socket.once("connect", lambda: uvnet.next_tick(socket.resume))


async def resume_connect_pause(socket: uvnet.Socket, connect: Connect, log: Log) -> None:
    socket.on("data", log.append)
    socket.resume()
    await turns(2)
    connect()
    socket.pause()
    socket.once("connect", lambda: uvnet.next_tick(socket.resume))


async def read_nothing(socket: uvnet.Socket, connect: Connect, log: Log) -> None:
    socket.pause()
    assert socket.read(0) is None
    connect()
    socket.on("end", lambda: None)
    socket.once("ready", lambda: _listen(socket, log))


async def in_a_second_life(socket: uvnet.Socket, connect: Connect, log: Log) -> None:
    _listen(socket, log)
    socket.on("error", lambda error: None)
    socket.destroy(ConnectionError("the first one"))
    await until(lambda: socket.closed)
    connect()


WAYS: list[Callable[[uvnet.Socket, Connect, Log], Awaitable[None]]] = [
    readable_then_connect,
    connect_then_unshift,
    data_and_pause,
    resume_connect_pause,
    read_nothing,
    in_a_second_life,
]


@pytest.mark.parametrize("end", ["FIN", "RST", "data and FIN"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_connection_is_not_deaf(play: Player, transport: Transport, way: Any, end: str) -> None:
    log: Log = []

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            events: list[str] = []
            for event in ("end", "close"):
                socket.on(event, lambda *_, event=event: events.append(event))
            await way(socket, lambda: socket.connect(*listening.where), log)
            socket.on("error", lambda error: events.append("error"))
            await until(lambda: not socket.connecting)
            peer = listening.accept()
            closed = events.count("close")
            if end == "data and FIN":
                peer.send(b"abc")
            if end == "RST":
                reset(peer)
            else:
                peer.close()
            await until(lambda: events.count("close") > closed)
            broken = end == "RST" and transport.kind == "tcp"
            assert ("error" if broken else "end") in events
            assert b"".join(log) == (b"abc" if end == "data and FIN" else b"")

    play(scenario)


def test_what_is_put_back_while_connecting_asks_for_more(play: Player, transport: Transport) -> None:
    """The example: one 'readable' for what was put back, and one for what comes."""

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            log: list[int] = []
            socket.connect(*listening.where)
            socket.unshift(b"u")
            socket.on("readable", lambda: log.append(socket.readable_length))
            await until(lambda: not socket.connecting)
            peer = listening.accept()
            peer.send(b"abc")
            await until(lambda: socket.bytes_read == 3)
            await turns(2)
            assert log[0] == 1 and log[-1] == 4
            assert socket.read() == b"uabc"
            peer.close()
            socket.resume()
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)


@pytest.mark.parametrize("where", ["before", "connect", "ready"])
@pytest.mark.parametrize("soon", [True, False], ids=["fails at once", "fails later"])
def test_what_is_put_back_after_a_life_that_failed_is_given_out(
    play: Player, transport: Transport, where: str, soon: bool
) -> None:
    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            log: list[bytes] = []
            socket.on("error", lambda error: None)
            socket.on("data", log.append)
            if not soon:
                await turns(1)
            socket.destroy(ConnectionError("the first one"))
            await until(lambda: socket.closed)
            if where != "before":
                socket.once(where, lambda: socket.unshift(b"u"))
            socket.connect(*listening.where)
            if where == "before":
                socket.unshift(b"u")
            await until(lambda: log and not socket.connecting)
            assert log == [b"u"]
            assert socket.readable_length == 0
            listening.accept().close()
            await until(lambda: socket.closed)

    play(scenario)


def test_reading_that_a_failed_life_asked_for_is_over(play: Player, transport: Transport) -> None:
    """Rule 2.14.1: listeners and flowing state stay, and nothing else."""

    async def scenario() -> None:
        with Listening.on(transport) as listening:
            socket = uvnet.Socket()
            socket.read(0)
            socket.destroy()
            await until(lambda: socket.closed)
            socket.pause()
            socket.connect(*listening.where)
            await until(lambda: not socket.connecting)
            peer = listening.accept()
            peer.send(b"abc")
            await asyncio.sleep(0.01)
            assert socket.bytes_read == 0
            peer.close()
            socket.destroy()
            await until(lambda: socket.closed)

    play(scenario)
