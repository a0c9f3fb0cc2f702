"""A connection that goes from one socket to another: the handle is as new, and nothing of it is lost."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from descriptors import open_sockets
from harness import Player, event
from pairs import connected_pair

import uvnet

KINDS = ("tcp", "unix")


def onread(socket: uvnet.Socket) -> None:
    """Only an option, see OPTIONS."""


def timeout(socket: uvnet.Socket) -> None:
    socket.set_timeout(0.05)


def parked_timeout(socket: uvnet.Socket) -> None:
    socket.set_timeout(60)


def unreferenced(socket: uvnet.Socket) -> None:
    socket.unref()


def listening(socket: uvnet.Socket) -> None:
    socket.on("data", lambda _: pytest.fail("the old owner hears of data"))
    socket.on("readable", lambda: pytest.fail("the old owner hears of data"))


def paused(socket: uvnet.Socket) -> None:
    socket.pause()


def named(socket: uvnet.Socket) -> None:
    assert socket.remote_port is None or socket.remote_port > 0
    assert repr(socket)


def relayed(socket: uvnet.Socket) -> None:
    socket.pipe(socket)


def relay_begun(socket: uvnet.Socket) -> None:
    socket.pipe(socket)


OLD: dict[str, Callable[[uvnet.Socket], None]] = {
    "onread": onread, "timeout": timeout, "a long timeout": parked_timeout, "unref": unreferenced,
    "listeners": listening, "pause": paused, "names": named, "pipe": relayed, "a relay": relay_begun,
}  # fmt: skip


@pytest.mark.parametrize("what", OLD)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_old_owner_stays(play: Player, kind: str, what: str) -> None:
    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        buffer = bytearray(4096)
        filled: list[int] = []
        options: dict[str, Any] = {}
        if what == "onread":
            options["onread"] = {"buffer": buffer, "callback": lambda count, _: filled.append(count)}
        first = uvnet.Socket(handle=ours, **options)
        events: list[str] = []
        for name in ("timeout", "end", "close", "error"):
            first.on(name, lambda *_, name=name: events.append(name))
        OLD[what](first)
        for _ in range(3):
            await asyncio.sleep(0)
        if what == "a relay":
            theirs.send(b"back")
            theirs.setblocking(True)
            assert await asyncio.to_thread(theirs.recv, 10) == b"back"
        before = first.bytes_read
        second = uvnet.Socket(handle=first)
        assert first.pending
        assert not first.destroyed
        gone = weakref.ref(first)
        del first
        gc.collect()
        assert gone() is None
        received = bytearray()
        second.on("data", received.extend)
        data = bytes(range(256)) * 1024
        theirs.setblocking(True)
        await asyncio.to_thread(theirs.sendall, data)
        while len(received) < len(data):
            await event(second, "data")
        assert received == data
        assert second.bytes_read == before + len(data)
        assert not filled
        assert buffer == bytes(4096)
        buffer.append(0)
        if what == "timeout":
            await asyncio.sleep(0.12)
        assert second in uvnet.active_handles()
        assert second.timeout is None
        second.write(b"answer")
        assert await asyncio.to_thread(theirs.recv, 10) == b"answer"
        theirs.close()
        assert await event(second, "close") == (False,)
        assert events == []

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_received_and_not_read_goes_along(play: Player, kind: str) -> None:
    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        first = uvnet.Socket(handle=ours)
        theirs.sendall(b"abcdef")
        first.on("readable", lambda: None)
        await event(first, "readable")
        assert first.read(2) == b"ab"
        second = uvnet.Socket(handle=first)
        theirs.sendall(b"ghi")
        theirs.close()
        received = b"".join([chunk async for chunk in second])
        assert received == b"cdefghi"
        assert first.readable_length == 0

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_still_sends_is_kept(play: Player, kind: str) -> None:
    async def scenario() -> None:
        ours, theirs = connected_pair(kind)
        first = uvnet.Socket(handle=ours)
        called: list[Any] = []
        data = bytes(2_000_000)
        first.write(data, called.append)
        sockets = open_sockets()
        for taking in (lambda: uvnet.Socket(handle=first), lambda: uvnet.create_server().listen(first)):
            with pytest.raises(uvnet.NetRuntimeError) as caught:
                taking()
            assert caught.value.code == "ERR_SOCKET_SENDING"
            assert not first.pending
            assert open_sockets() == sockets
        theirs.setblocking(True)
        left = len(data)
        while left:
            left -= len(await asyncio.to_thread(theirs.recv, 1_000_000))
        while not called:
            await asyncio.sleep(0)
        assert called == [None]
        second = uvnet.Socket(handle=first)
        second.end(b"more")
        assert await asyncio.to_thread(theirs.recv, 100) == b"more"
        theirs.close()
        second.resume()
        assert await event(second, "close") == (False,)

    play(scenario)


def test_its_server_counts_it_no_more(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "127.0.0.1")
        await event(server, "listening")
        client = uvnet.connect(server.address().port, "127.0.0.1")
        (accepted,) = await event(server, "connection")
        second = uvnet.Socket(handle=accepted)
        server.close()
        await event(server, "close")
        second.write(b"still there")
        assert await event(client, "data") == (b"still there",)
        client.destroy()
        second.resume()
        assert await event(second, "close") == (False,)

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_onread_sockets_in_cycles_are_collected(play: Player, kind: str) -> None:
    """What Cython clears of an object in a cycle must not be what its destructor needs."""

    async def scenario() -> None:
        for _ in range(300):
            ours, theirs = connected_pair(kind)
            buffer = bytearray(100)
            socket = uvnet.Socket(handle=ours, onread={"buffer": buffer, "callback": lambda *_: None})
            socket.cycle = [socket, buffer]  # type: ignore[attr-defined]
            theirs.close()
            socket.destroy()
            del socket, buffer
        # Ones that were never open.
        for _ in range(3000):
            buffer = bytearray(100)
            socket = uvnet.Socket(onread={"buffer": lambda buffer=buffer: buffer, "callback": lambda *_: None})
            socket.cycle = [socket, buffer]  # type: ignore[attr-defined]
            del socket, buffer
        await asyncio.sleep(0)
        gc.collect()

    play(scenario)
