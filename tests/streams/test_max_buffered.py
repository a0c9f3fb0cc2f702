"""The options max_buffered and on_max_buffered: a peer that does not read cannot eat the memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket as plain
from typing import Any

import pytest
from harness import Player, Transport, event, listen
from pairs import connected_pair, fill_kernel, reset
from waiting import upcoming

import uvnet

LIMIT = 2**20
CHUNK = b"x" * 2**18


async def slow_pair(
    transport: Transport, options: dict[str, Any], side: str = "client"
) -> tuple[uvnet.Server, uvnet.Socket, uvnet.Socket]:
    """A server, a socket with the options, and its peer, which does not read."""
    server = await listen(uvnet.create_server(options if side == "server" else None), transport)
    accepted = upcoming(server, "connection")
    if side == "client":
        names = ("port", "host") if transport.kind == "tcp" else ("path",)
        where = dict(zip(names, transport.connect_arguments(server), strict=True))
        client = uvnet.connect(**where, **options)
    else:
        client = uvnet.connect(*transport.connect_arguments(server))
    await event(client, "connect")
    (socket,) = await accepted
    writer, peer = (client, socket) if side == "client" else (socket, client)
    peer.pause()
    return server, writer, peer


async def end(server: uvnet.Server, *sockets: uvnet.Socket) -> None:
    for socket in sockets:
        socket.destroy()
    await server.shutdown()


def fill(writer: uvnet.Socket, callback: Any = None) -> int:
    """Write until the limit says no; returns how many bytes were accepted."""
    accepted = 0
    while not writer.destroyed and accepted < 2**28:
        writer.write(CHUNK, callback)
        if not writer.destroyed:
            accepted += len(CHUNK)
        assert writer.writable_length <= LIMIT
    return accepted


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_slow_peer_is_destroyed(play: Player, transport: Transport, side: str) -> None:
    """Every callback is called once; the write too many and those that wait get the error."""

    async def scenario() -> None:
        server, writer, peer = await slow_pair(transport, {"max_buffered": LIMIT}, side)
        failed, closed = upcoming(writer, "error"), upcoming(writer, "close")
        results: list[BaseException | None] = []
        accepted = fill(writer, results.append)
        assert LIMIT <= accepted < 2**28
        (error,) = await failed
        assert isinstance(error, uvnet.NetRuntimeError)
        assert error.code == "ERR_SOCKET_BUFFER_FULL"
        assert await closed == (True,)
        assert len(results) == accepted // len(CHUNK) + 1
        assert results.count(error) >= 1
        assert results.count(None) * len(CHUNK) <= accepted
        await end(server, writer, peer)

    play(scenario)


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_writer_is_told(play: Player, transport: Transport, side: str) -> None:
    """A write that raises has not happened: what was written before arrives, and nothing else."""

    async def scenario() -> None:
        options = {"max_buffered": LIMIT, "on_max_buffered": "raise"}
        server, writer, peer = await slow_pair(transport, options, side)
        results: list[BaseException | None] = []
        refused: list[BaseException | None] = []
        accepted = 0
        with pytest.raises(uvnet.NetRuntimeError) as failure:
            while accepted < 2**28:
                writer.write(CHUNK, results.append)
                accepted += len(CHUNK)
        assert failure.value.code == "ERR_SOCKET_BUFFER_FULL"
        assert str(LIMIT) in str(failure.value)
        with pytest.raises(uvnet.NetRuntimeError):
            writer.write(CHUNK, refused.append)
        with pytest.raises(uvnet.NetRuntimeError):
            writer.end(CHUNK, refused.append)
        assert writer.writable and not writer.destroyed
        received = 0
        done = asyncio.get_running_loop().create_future()

        def count(chunk: bytes) -> None:
            nonlocal received
            received += len(chunk)

        peer.on("data", count).on("end", lambda: done.set_result(None))
        drained = upcoming(writer, "drain")
        peer.resume()
        await drained
        assert writer.write(b"more") is True
        writer.end()
        await done
        assert received == accepted + 4
        assert results == [None] * (accepted // len(CHUNK))
        assert refused == []
        await end(server, writer, peer)

    play(scenario)


def test_one_write_that_is_too_long(play: Player, transport: Transport) -> None:
    """What may wait is bounded whatever the system would take at once."""

    async def scenario() -> None:
        options = {"max_buffered": 100, "on_max_buffered": "raise"}
        server, writer, peer = await slow_pair(transport, options)
        with pytest.raises(uvnet.NetRuntimeError):
            writer.write(b"x" * 101)
        for _ in range(50):
            # The system takes them all: together they are more than may wait, but none does.
            writer.write(b"x" * 100)
        writer.cork()
        writer.write(b"y" * 100)
        with pytest.raises(uvnet.NetRuntimeError):
            writer.write(b"y")
        writer.uncork()
        assert await peer.read_exactly(5100) == b"x" * 5000 + b"y" * 100
        await end(server, writer, peer)

    play(scenario)


def test_before_the_connection(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        socket = uvnet.Socket(max_buffered=10)
        socket.connect(*transport.connect_arguments(server))
        failed = upcoming(socket, "error")
        assert socket.write(b"0123456789") is True
        assert socket.write(b"0") is False
        assert (await failed)[0].code == "ERR_SOCKET_BUFFER_FULL"
        await end(server, socket)

    play(scenario)


@pytest.mark.parametrize("resets", [True, False])
def test_peers_that_do_nothing_else(play: Player, resets: bool) -> None:
    """Who never closes keeps no descriptor; who resets ends the write that waits."""

    async def scenario() -> None:
        server = uvnet.create_server(max_buffered=LIMIT).listen(0, "127.0.0.1")
        await event(server, "listening")
        accepted = upcoming(server, "connection")
        peer = plain.create_connection(("127.0.0.1", server.address().port))
        (writer,) = await accepted
        before = len(os.listdir("/dev/fd"))
        failed, closed = upcoming(writer, "error"), upcoming(writer, "close")
        results: list[BaseException | None] = []
        if resets:
            count = 1
            while writer.write(CHUNK, results.append):
                count += 1
                await asyncio.sleep(0)
            reset(peer)
        else:
            count = fill(writer, results.append) // len(CHUNK)
        (error,) = await failed
        assert await closed == (True,)
        if resets:
            assert isinstance(error, ConnectionError)
            assert len(results) == count
            assert isinstance(results[-1], OSError)
            assert set(results[:-1]) <= {None}
        else:
            assert error.code == "ERR_SOCKET_BUFFER_FULL"
            assert len(results) == count + 1
            assert len(os.listdir("/dev/fd")) == before - 1
        assert writer.writable_length == 0
        peer.close()
        await end(server, writer)

    play(scenario)


def test_awaiting_it(play: Player, transport: Transport) -> None:
    """Who waits for 'drain' hears of it there."""

    async def scenario() -> None:
        server, writer, peer = await slow_pair(transport, {"max_buffered": LIMIT})
        await writer.drain()
        fill(writer)
        with pytest.raises(uvnet.NetRuntimeError, match="reads too slowly"):
            await writer.drain()
        await event(writer, "close")
        await end(server, writer, peer)

    play(scenario)


def test_the_property(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.Socket()
        assert socket.max_buffered is None
        socket.max_buffered = 3
        assert socket.max_buffered == 3
        socket.write(b"123")
        socket.max_buffered = None
        socket.write(b"4")
        for bad, kind in ((0, ValueError), (-1, ValueError), (True, TypeError), ("1", TypeError)):
            with pytest.raises(kind):
                socket.max_buffered = bad
            with pytest.raises(kind):
                uvnet.Socket(max_buffered=bad)
            with pytest.raises(kind):
                uvnet.create_server(max_buffered=bad)
        with pytest.raises(ValueError):
            uvnet.Socket(on_max_buffered="drop")
        with pytest.raises(ValueError):
            uvnet.create_server(on_max_buffered=None)
        assert socket.max_buffered is None
        socket.destroy()

    play(scenario)


@pytest.mark.parametrize("length", [201, 1000])
def test_what_is_gathered_counts(play: Player, length: int) -> None:
    """The system takes nothing, and nothing waits yet: the limit holds for the first writes too."""

    async def scenario() -> None:
        ours, theirs = connected_pair("unix")
        filling = fill_kernel(ours)
        socket = uvnet.Socket(handle=ours, max_buffered=1000, on_max_buffered="raise")
        assert socket.write(b"a" * 800)
        with pytest.raises(RuntimeError) as caught:
            socket.write(b"b" * length)
        assert caught.value.code == "ERR_SOCKET_BUFFER_FULL"
        assert socket.write(b"c" * 200)
        assert socket.writable_length == 1000
        received = bytearray()
        theirs.setblocking(False)
        while len(received) < filling + 1000:
            with contextlib.suppress(BlockingIOError):
                received += theirs.recv(65_536)
            await asyncio.sleep(0)
        assert received[filling:] == b"a" * 800 + b"c" * 200
        assert socket.writable_length == 0
        socket.destroy()
        await event(socket, "close")
        theirs.close()

    play(scenario)
