"""Idle timeouts that depend on what the other end does; the rest of rule 2.12 is in oracle/timing.py."""

from __future__ import annotations

import asyncio

from harness import Player, Transport, event
from pairs import read_now, take_over

PERIOD = 0.25  # seconds; beside it a pause of the test is short
PAUSE = 0.01
SIZE = 64 * 2**20


def test_a_slow_write_is_no_idleness(play: Player, transport: Transport) -> None:
    """Rule 2.12.7: while the peer takes some of it no 'timeout' comes, and when it stops one does."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        timeouts: list[int] = []
        called: list[BaseException | None] = []
        socket.on("timeout", lambda: timeouts.append(socket.writable_length))
        socket.set_timeout(PERIOD)
        socket.write(bytes(SIZE), called.append)
        assert socket.writable_length == SIZE
        loop = asyncio.get_running_loop()
        over = loop.time() + 4 * PERIOD
        while loop.time() < over:
            read_now(peer)
            await asyncio.sleep(PAUSE)
        assert timeouts == []
        await event(socket, "timeout")
        # It is still the same write, of which nothing has been called back.
        assert timeouts == [SIZE]
        assert called == []
        closed = event(socket, "close")
        socket.destroy()
        assert await closed == (False,)
        assert [error.code for error in called] == ["ECANCELED"]
        peer.close()

    play(scenario)


def test_a_stuck_write_times_out(play: Player, transport: Transport) -> None:
    """Rule 2.12.7: with a peer that reads nothing at all."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        socket.set_timeout(0.02)
        socket.write(bytes(SIZE))
        await event(socket, "timeout")
        assert socket.writable_length == SIZE
        socket.destroy()
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_progress_after_a_timeout_is_no_second_one(play: Player, transport: Transport) -> None:
    """Rules 2.12.5 and 2.12.7: what arms the timeout again is the end of the write, not its progress."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        socket.set_timeout(0.02)
        socket.write(bytes(2**20))
        timeouts: list[int] = []
        socket.on("timeout", lambda: timeouts.append(socket.writable_length))
        await event(socket, "timeout")
        for _ in range(8):
            read_now(peer, 1000)
            await asyncio.sleep(0.02)
        assert timeouts == [2**20]
        while socket.writable_length:
            read_now(peer)
            await asyncio.sleep(0)
        await event(socket, "timeout")
        assert timeouts == [2**20, 0]
        socket.destroy()
        await event(socket, "close")
        peer.close()

    play(scenario)


def test_a_destroyed_life_keeps_its_number(play: Player, transport: Transport) -> None:
    """Rule 2.14.3: `timeout` still says what was set, but the clock does not run in the next life."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        timeouts: list[str] = []
        socket.on("timeout", lambda: timeouts.append("timeout"))
        socket.set_timeout(0.01)
        socket.destroy()
        await event(socket, "close")
        peer.close()
        assert socket.timeout == 0.01
        socket.on("error", lambda error: None)
        socket.connect(transport.path)  # nobody listens there
        await event(socket, "close")
        await asyncio.sleep(0.05)
        assert timeouts == []
        assert socket.timeout == 0.01

    play(scenario)
