"""The tick queue: after each callback of uvnet and before any further I/O.

Rules 0.1.1 to 0.1.4; decision 22.
"""

from __future__ import annotations

import asyncio
import socket as plain
from typing import Any

import pytest
from harness import Player, event
from waiting import upcoming

import uvnet


def pair(**options: Any) -> tuple[uvnet.Socket, plain.socket]:
    """A connection of which uvnet has one end."""
    ours, theirs = plain.socketpair()
    return uvnet.Socket(handle=ours, **options), theirs


async def flowing(socket: uvnet.Socket, listener: Any) -> uvnet.Socket:
    """Add a 'data' listener, and wait until data flows."""
    socket.on("data", listener)
    await event(socket, "resume")
    return socket


def test_first_in_first_out(play: Player) -> None:
    """Rule 0.1.2; beyond what the queue holds at first, and around its end."""

    async def scenario() -> None:
        ran: list[int] = []
        done = asyncio.Event()

        def more(first: int, count: int) -> None:
            ran.append(first)
            for number in range(first + 1, first + count):
                uvnet.next_tick(ran.append, number)
            if first < 5000:
                uvnet.next_tick(more, first + count, count * 2)
            else:
                uvnet.next_tick(done.set)

        uvnet.next_tick(more, 0, 3)
        await done.wait()
        assert len(ran) > 5000
        assert ran == list(range(len(ran)))

    play(scenario)


def test_ticks_are_not_synchronous(play: Player) -> None:
    async def scenario() -> None:
        log: list[str] = []
        done = asyncio.Event()
        uvnet.next_tick(log.append, "tick")
        uvnet.next_tick(done.set)
        log.append("sync")
        await done.wait()
        assert log == ["sync", "tick"]

    play(scenario)


def test_ticks_queued_by_ticks_run_in_the_same_drain(play: Player) -> None:
    """Rule 0.1.2: all of them before the data that already waits in the system."""

    async def scenario() -> None:
        log: list[Any] = []
        socket, peer = pair()
        await flowing(socket, log.append)

        def again(left: int) -> None:
            log.append(left)
            if left:
                uvnet.next_tick(again, left - 1)

        peer.send(b"data")
        uvnet.next_tick(again, 3)
        await event(socket, "data")
        assert log == [3, 2, 1, 0, b"data"]
        socket.destroy()
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_ticks_run_between_the_callbacks_of_one_poll(play: Player) -> None:
    """Rule 0.1.2: not once per turn of the loop."""

    async def scenario() -> None:
        log: list[str] = []
        connections = []
        for name in "abc":

            def received(_chunk: bytes, name: str = name) -> None:
                log.append(f"data {name}")
                uvnet.next_tick(log.append, f"tick {name}")

            socket, peer = pair()
            connections.append((await flowing(socket, received), peer))
        closed = [upcoming(socket, "close") for socket, _ in connections]
        for _, peer in connections:
            peer.send(b"x")
        for _, peer in connections:
            peer.close()
        await asyncio.gather(*closed)
        assert sorted(log[::2]) == ["data a", "data b", "data c"]
        assert log[1::2] == [entry.replace("data", "tick") for entry in log[::2]]

    play(scenario)


def test_ticks_run_between_the_reads_of_one_connection(play: Player) -> None:
    """Rules 0.1.2 and 0.4.4: libuv reads several times in a row, with a callback each."""

    async def scenario() -> None:
        log: list[str] = []

        def received(_chunk: bytes) -> None:
            log.append("data")
            uvnet.next_tick(log.append, "tick")

        socket, peer = pair()
        await flowing(socket, received)
        peer.setblocking(False)
        assert peer.send(bytes(150_000)) > 65_536
        peer.close()
        await event(socket, "close")
        assert log.count("data") >= 2
        assert log == ["data", "tick"] * log.count("data")

    play(scenario)


def test_emit_runs_no_ticks(play: Player) -> None:
    """Rule 0.1.1: everything that emit() calls comes before the ticks it queues."""

    async def scenario() -> None:
        log: list[str] = []
        socket, peer = pair()

        def received(_chunk: bytes) -> None:
            uvnet.next_tick(log.append, "tick")
            socket.emit("mine")
            log.append("data")

        socket.on("mine", lambda: log.append("mine"))
        await flowing(socket, received)
        peer.send(b"x")
        peer.close()
        await event(socket, "close")
        assert log == ["mine", "data", "tick"]

    play(scenario)


def test_connect_and_ready_belong_to_one_callback(play: Player) -> None:
    """Rules 0.1.2 and 2.3.5."""

    async def scenario() -> None:
        log: list[str] = []
        server = uvnet.create_server(lambda socket: socket.end(b"x"))
        server.listen(0)
        socket = uvnet.connect(server.address().port, "127.0.0.1")
        for name in ("connect", "ready", "data", "end"):

            def listener(*_: Any, name: str = name) -> None:
                log.append(name)
                uvnet.next_tick(log.append, f"tick of {name}")

            socket.on(name, listener)
        await event(socket, "close")
        server.close()
        await event(server, "close")
        assert log[:4] == ["connect", "ready", "tick of connect", "tick of ready"]
        assert log[4:] == ["data", "tick of data", "end", "tick of end"]

    play(scenario)


def test_write_callbacks_have_their_place_in_the_queue(play: Player) -> None:
    """Rule 2.7.8."""

    async def scenario() -> None:
        log: list[Any] = []
        socket, peer = pair()

        def received(_chunk: bytes) -> None:
            uvnet.next_tick(log.append, 1)
            socket.write(b"a", lambda _: log.append(2))
            uvnet.next_tick(log.append, 3)
            socket.write(b"b", lambda _: log.append(4))
            uvnet.next_tick(log.append, 5)
            socket.end(lambda _: log.append("end"))

        await flowing(socket, received)
        peer.send(b"x")
        await event(socket, "finish")
        assert log == [1, 2, 3, 4, 5, "end"]
        assert peer.recv(10) == b"ab"
        peer.close()
        await event(socket, "close")

    play(scenario)


def test_close_comes_later_than_ticks(play: Player) -> None:
    """Rules 0.1.4 and 2.11.2: [sync] [error] [tick] [immediate] [close]."""

    async def scenario() -> None:
        log: list[str] = []
        socket, peer = pair()
        loop = asyncio.get_running_loop()

        def received(_chunk: bytes) -> None:
            socket.destroy(LookupError("mine"))
            uvnet.next_tick(uvnet.next_tick, log.append, "tick of a tick")
            loop.call_soon(log.append, "immediate")
            log.append("sync")

        socket.on("error", lambda _: log.append("error"))
        await flowing(socket, received)
        peer.send(b"x")
        await event(socket, "close")
        log.append("close")
        peer.close()
        assert [entry for entry in log if entry != "immediate"] == [
            "sync", "error", "tick of a tick", "close",
        ]  # fmt: skip

    play(scenario)


@pytest.mark.parametrize("origin", ["coroutine", "call_soon", "call_later", "reader"])
def test_from_anywhere_else_before_further_io(play: Player, origin: str) -> None:
    """Rule 0.1.2: the data waits in the system already, and still the ticks are first."""

    async def scenario() -> None:
        log: list[Any] = []
        loop = asyncio.get_running_loop()
        socket, peer = pair()
        await flowing(socket, log.append)
        waker, sleeper = plain.socketpair()

        def work() -> None:
            loop.remove_reader(sleeper)
            peer.send(b"data")
            uvnet.next_tick(uvnet.next_tick, log.append, 2)
            uvnet.next_tick(log.append, 1)

        if origin == "coroutine":
            work()
        elif origin == "call_soon":
            loop.call_soon(work)
        elif origin == "call_later":
            loop.call_later(0.01, work)
        else:
            loop.add_reader(sleeper, work)
            waker.send(b"x")
        await event(socket, "data")
        assert log == [1, 2, b"data"]
        socket.destroy()
        await event(socket, "close")
        for end in (peer, waker, sleeper):
            end.close()

    play(scenario)
