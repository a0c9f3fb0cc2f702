"""Writes that leave together are complete each for itself, and what waits is counted exactly (rules 2.7.1 and 2.7.3)."""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket as plain
from typing import Any

import pytest
from harness import Player, event
from pairs import connected_pair, fill_kernel, read_now

import uvnet
from uvnet._loop.counters import snapshot

KINDS = ("tcp", "unix")
BIG = 3_000_000  # bytes: more than the system takes at once


def patterned(size: int, seed: int) -> bytes:
    return bytes((seed + index) % 251 for index in range(251)) * (size // 251) + bytes(size % 251)


async def drained(socket: uvnet.Socket, theirs: plain.socket, size: int) -> bytes:
    """What the other end gets, of which there are so many bytes."""
    received = bytearray()
    while len(received) < size:
        chunk = read_now(theirs, 1 << 20)
        if chunk is None:
            await asyncio.sleep(0)
        else:
            assert chunk
            received += chunk
    return bytes(received)


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_write_before_a_big_one_is_complete(play: Player, kind: str) -> None:
    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        socket = uvnet.Socket(handle=ours)
        called: list[tuple[str, Any]] = []
        socket.write(b"x", lambda error: called.append(("small", error)))
        assert not socket.write(bytes(BIG), lambda error: called.append(("big", error)))
        assert socket.writable_length == BIG
        assert socket.bytes_written == BIG + 1
        await asyncio.sleep(0)
        assert called == [("small", None)]
        socket.destroy()
        await event(socket, "close")
        assert [what for what, _ in called] == ["small", "big"]
        assert called[1][1].errno == errno.ECANCELED
        theirs.close()

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_callbacks", ["all", "none", "some"])
@pytest.mark.parametrize(
    "sizes",
    [*itertools.product((0, 1, BIG), repeat=3), (1, BIG, 0, 0, 1), (0, 0, BIG, 0, 1), (1,) * 9 + (BIG,) + (1,) * 9],
    ids=str,
)
def test_each_is_complete_in_its_turn(play: Player, kind: str, sizes: tuple[int, ...], with_callbacks: str) -> None:
    """Callbacks in order, once, and each as soon as the bytes up to its end are out, not before."""

    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        # Not to be sent at the call, however many there are.
        socket = uvnet.Socket(handle=ours, writable_high_water_mark=100 * BIG)
        called: list[int] = []
        sent = b""
        ends: list[int] = []

        def write() -> None:
            nonlocal sent
            for number, size in enumerate(sizes):
                chunk = patterned(size, number)
                sent += chunk
                ends.append(len(sent))
                if with_callbacks == "all" or (with_callbacks == "some" and number % 2):
                    socket.write(chunk, lambda error, number=number: (called.append(number), check(error, number)))
                else:
                    socket.write(chunk)

        def check(error: Any, number: int) -> None:
            assert error is None
            # What the peer has read, and what the system holds, covers it.
            waiting = socket.writable_length
            assert len(sent) - waiting >= ends[number]

        write()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        left = socket.writable_length
        # Whole writes, from the first that is not complete.
        assert left in {0, *(len(sent) - (end - size) for size, end in zip(sizes, ends, strict=True))}
        assert socket.bytes_written == len(sent)
        assert await drained(socket, theirs, len(sent)) == sent
        while socket.writable_length:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        wanted = range(len(sizes)) if with_callbacks == "all" else range(1, len(sizes), 2)
        assert called == ([] if with_callbacks == "none" else list(wanted))
        socket.destroy()
        theirs.close()
        await event(socket, "close")

    play(scenario)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_behind_is_kept_in_order_with_cork(play: Player, kind: str, at_once: bool) -> None:
    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        socket = uvnet.Socket(handle=ours, writable_high_water_mark=100 * BIG)
        first, second, third, fourth = (patterned(size, size) for size in (10, BIG, 20, 30))
        socket.write(first)
        socket.write(second)
        socket.write(third)
        socket.cork()
        socket.write(fourth)
        if not at_once:
            await asyncio.sleep(0)
            assert socket.writable_length == len(second + third + fourth)
        socket.uncork()
        assert socket.writable_length == len(second + third + fourth)
        socket.end()
        assert await drained(socket, theirs, BIG + 60) == first + second + third + fourth
        theirs.close()
        socket.resume()
        await event(socket, "close")

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_destroyed_with_some_complete(play: Player, kind: str) -> None:
    """The one under way is cancelled, those behind it were never begun, as in Node."""

    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        socket = uvnet.Socket(handle=ours, writable_high_water_mark=100 * BIG)
        called: list[Any] = []
        for size in (1, 1, BIG, 1, 1):
            socket.write(bytes(size), called.append)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        socket.destroy()
        await event(socket, "close")
        assert called[:2] == [None, None]
        assert called[2].errno == errno.ECANCELED
        assert [error.code for error in called[3:]] == ["ERR_STREAM_DESTROYED"] * 2
        theirs.close()

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_write_that_failed_no_other_is_tried(play: Player, kind: str) -> None:
    """Nothing may follow what was lost; whoever wrote behind it hears of the same error, in order."""

    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        socket = uvnet.Socket(handle=ours, allow_half_open=True)
        theirs.close()
        if kind == "tcp":
            # The first is answered with RST, and only then the system refuses one.
            socket.write(b"x")
            await asyncio.sleep(0)
        called: list[tuple[str, Any]] = []
        reported: list[Any] = []
        socket.on("error", reported.append)
        assert not socket.write(bytes(65_536), lambda error: called.append(("first", error)))
        written = socket.bytes_written
        assert not socket.write(b"y", lambda error: called.append(("second", error)))
        assert not socket.write(bytes(65_536), lambda error: called.append(("third", error)))
        assert socket.bytes_written - written == 65_537
        assert called == []
        await event(socket, "close")
        assert [what for what, _ in called] == ["first", "second", "third"]
        assert len({id(error) for _, error in called} | {id(error) for error in reported}) == 1
        assert reported[0].errno in (errno.EPIPE, errno.ECONNRESET)

    play(scenario)


@pytest.mark.parametrize("corked", [False, True])
def test_the_system_takes_exactly_the_first(play: Player, corked: bool) -> None:
    """A write all of whose bytes are out is complete and given back, however little of the next one is."""

    async def scenario() -> None:
        probe, probed = plain.socketpair()
        probe.setblocking(False)
        taken = probe.send(bytes(2 * BIG))
        assert taken < BIG
        ours, theirs = plain.socketpair()
        theirs.setblocking(False)
        # Sent at the second write.
        socket = uvnet.Socket(handle=ours, writable_high_water_mark=2 * BIG)
        first, second = patterned(taken, 1), patterned(2 * BIG - taken, 2)
        called: list[str] = []
        if corked:
            socket.cork()
        socket.write(first, lambda error: called.append("first"))
        socket.write(second, lambda error: called.append("second"))
        if corked:
            socket.uncork()
        # What is corked is one request: it is complete as a whole.
        assert socket.writable_length == (2 * BIG if corked else len(second))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert called == ([] if corked else ["first"])
        assert snapshot()["pinned"] == 1
        assert await drained(socket, theirs, 2 * BIG) == first + second
        while len(called) < 2:
            await asyncio.sleep(0)
        assert called == ["first", "second"]
        for one in (probe, probed, theirs):
            one.close()
        socket.destroy()
        await event(socket, "close")

    play(scenario)


@pytest.mark.parametrize("with_callbacks", [False, True])
@pytest.mark.parametrize(
    ("sizes", "accepted"),
    [((1,), True), ((1000,), False), ((999,), True), ((1, 999), False), ((1, 1, 998), False), ((1, 1, 997), True)],
    ids=str,
)
def test_the_mark_is_told_at_the_call(
    play: Player, sizes: tuple[int, ...], accepted: bool, with_callbacks: bool
) -> None:
    """What is gathered up to the high-water mark is tried at once, so that write() says whether it waits."""

    async def scenario() -> None:
        ours, theirs = connected_pair("unix")
        filling = fill_kernel(ours)
        socket = uvnet.Socket(handle=ours, writable_high_water_mark=1000)
        called: list[Any] = []
        drains: list[bool] = []
        socket.on("drain", lambda: drains.append(True))
        answers = [socket.write(bytes(size), called.append if with_callbacks else None) for size in sizes]
        assert answers == [True] * (len(sizes) - 1) + [accepted]
        assert socket.writable_need_drain is not accepted
        await asyncio.sleep(0)
        assert socket.writable_length == sum(sizes)
        await drained(socket, theirs, filling + sum(sizes))
        while socket.writable_length:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert called == [None] * (len(sizes) if with_callbacks else 0)
        assert drains == ([] if accepted else [True])
        socket.destroy()
        theirs.close()
        await event(socket, "close")

    play(scenario)


@pytest.mark.parametrize("with_callbacks", [False, True])
@pytest.mark.parametrize("which", range(4))
def test_one_of_several_is_sent_before_the_others(play: Player, which: int, with_callbacks: bool) -> None:
    """Whichever of them has gathered enough, it goes out at once, and the others at the end all the same."""

    async def scenario() -> None:
        pairs = [connected_pair("unix") for _ in range(4)]
        sockets = [uvnet.Socket(handle=ours, writable_high_water_mark=100) for ours, _ in pairs]
        called: list[Any] = []
        callback = called.append if with_callbacks else None
        for number, socket in enumerate(sockets):
            socket.write(b"%d first" % number, callback)
        sockets[which].write(b"x" * 100)
        received = [read_now(theirs) for _, theirs in pairs]
        assert received == [b"%d first" % which + b"x" * 100 if number == which else None for number in range(4)]
        for number, socket in enumerate(sockets):
            socket.write(b"%d second" % number, callback)
        await asyncio.sleep(0)
        received = [read_now(theirs) for _, theirs in pairs]
        assert received == [
            b"%d second" % number if number == which else b"%d first%d second" % (number, number) for number in range(4)
        ]
        assert called == [None] * (8 if with_callbacks else 0)
        for socket, (_, theirs) in zip(sockets, pairs, strict=True):
            socket.destroy()
            theirs.close()
            await event(socket, "close")

    play(scenario)


@pytest.mark.parametrize("with_callback", [False, True])
def test_a_write_of_nothing_asks_the_system_nothing(play: Player, with_callback: bool) -> None:
    """It is complete, though the connection would take no byte any more."""

    async def scenario() -> None:
        ours, theirs = connected_pair("unix")
        socket = uvnet.Socket(handle=ours)
        called: list[Any] = []
        theirs.shutdown(plain.SHUT_RD)
        socket.cork()
        socket.write(b"", called.append if with_callback else None)
        socket.uncork()
        for _ in range(5):
            await asyncio.sleep(0)
        assert called == [None] * with_callback
        assert socket.writable and socket.writable_length == socket.bytes_written == 0
        socket.destroy()
        theirs.close()
        await event(socket, "close")

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_corked_stays_while_the_one_before_goes_out(play: Player, kind: str) -> None:
    """As often as cork() was called, uncork() has to be."""

    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        socket = uvnet.Socket(handle=ours)
        first = patterned(BIG, 1)
        socket.write(first)
        socket.cork()
        socket.cork()
        socket.write(b"corked")
        assert await drained(socket, theirs, BIG) == first
        for _ in range(5):
            await asyncio.sleep(0)
        assert socket.writable_length == len(b"corked")
        socket.uncork()
        assert socket.writable_length == len(b"corked")
        socket.uncork()
        assert socket.writable_length == 0
        assert await drained(socket, theirs, 6) == b"corked"
        socket.destroy()
        theirs.close()
        await event(socket, "close")

    play(scenario)


def test_what_was_corked_is_not_tried_behind_a_write_that_failed(play: Player) -> None:
    """uncork() sends what was gathered before it first, and that fails: there is one error for all."""

    async def scenario() -> None:
        ours, theirs = connected_pair("unix")
        socket = uvnet.Socket(handle=ours, allow_half_open=True)
        theirs.close()
        called: list[Any] = []
        reported: list[Any] = []
        socket.on("error", reported.append)
        socket.write(b"gathered", called.append)
        socket.cork()
        socket.write(b"corked", called.append)
        socket.uncork()
        await event(socket, "close")
        assert len(called) == 2
        assert len({id(error) for error in called + reported}) == 1
        assert reported[0].errno == errno.EPIPE

    play(scenario)
