"""Ends that always come: socket.close(), server.shutdown() and closed(), `async with` and `async for` a server."""

from __future__ import annotations

import asyncio
import os
import socket as plain
from typing import Any

import pytest
from harness import Player, Transport, event, listen
from pairs import reset
from waiting import turns, until, upcoming

import uvnet

MEBIBYTE = 2**20
BULK = b"x" * 16 * MEBIBYTE
SOON = 0.05


def connect(transport: Transport, server: uvnet.Server) -> plain.socket:
    """A peer that does nothing by itself; it never reads, never ends."""
    if transport.kind == "unix":
        peer = plain.socket(plain.AF_UNIX)
        peer.connect(transport.path)
    else:
        peer = plain.create_connection(transport.connect_arguments(server)[::-1])
    peer.setblocking(False)
    return peer


async def accept(transport: Transport, **options: Any) -> tuple[uvnet.Server, uvnet.Socket, plain.socket]:
    server = await listen(uvnet.create_server(options), transport)
    accepted = upcoming(server, "connection")
    peer = connect(transport, server)
    (socket,) = await accepted
    return server, socket, peer


async def receive_all(peer: plain.socket) -> bytes:
    """What the peer gets until the other end is over."""
    loop = asyncio.get_running_loop()
    parts = []
    while part := await loop.sock_recv(peer, MEBIBYTE):
        parts.append(part)
    return b"".join(parts)


# === socket.close() ===


@pytest.mark.parametrize("timeout", [None, 20])
def test_close_sends_everything_first(play: Player, transport: Transport, timeout: float | None) -> None:
    async def scenario() -> None:
        server, socket, peer = await accept(transport)
        socket.write(BULK)
        closing = socket.close(timeout)
        assert socket.writable_ended and not socket.destroyed
        assert await receive_all(peer) == BULK
        assert await closing is True
        assert socket.closed
        assert await socket.close() is True
        peer.close()
        assert await server.shutdown() == 0

    play(scenario)


@pytest.mark.parametrize("timeout", [0, SOON])
def test_close_on_a_peer_that_never_reads(play: Player, transport: Transport, timeout: float) -> None:
    """The descriptor is free although the peer holds its end open."""

    async def scenario() -> None:
        server, socket, peer = await accept(transport)
        before = len(os.listdir("/dev/fd"))
        finished: list[Any] = []
        socket.write(BULK, lambda error: finished.append(error))
        closing = socket.close(timeout)
        assert await closing is False
        assert len(os.listdir("/dev/fd")) == before - 1
        assert [type(error) for error in finished] == [OSError]
        peer.close()
        assert await server.shutdown() == 0

    play(scenario)


def test_close_at_once_with_everything_sent(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server, socket, peer = await accept(transport)
        socket.write(b"last words")
        assert await socket.close(0) is True
        assert await receive_all(peer) == b"last words"
        peer.close()
        await server.shutdown()

    play(scenario)


def test_close_without_waiting(play: Player, transport: Transport) -> None:
    """It begins without an await, and goes on when the waiting is cancelled; the deadline holds."""

    async def scenario() -> None:
        server, socket, peer = await accept(transport)
        closed = upcoming(socket, "close")
        socket.write(BULK)
        socket.close(SOON)
        waiting = asyncio.ensure_future(socket.close(SOON))
        await turns()
        waiting.cancel()
        assert not socket.destroyed
        assert await closed == (False,)
        peer.close()
        await server.shutdown()

    play(scenario)


def test_close_of_a_peer_that_resets(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        accepted = upcoming(server, "connection")
        peer = plain.create_connection(("127.0.0.1", server.address().port))
        (socket,) = await accepted
        failed = upcoming(socket, "error")
        socket.write(BULK)
        closing = socket.close()
        await turns()
        reset(peer)
        assert await closing is False
        assert isinstance((await failed)[0], ConnectionError)
        await server.shutdown()

    play(scenario)


def test_close_without_a_connection(play: Player) -> None:
    async def scenario() -> None:
        assert await uvnet.Socket().close() is True
        connecting = uvnet.connect(1, "name", lookup=lambda *_: None)
        assert await connecting.close(0) is True
        unsent = uvnet.connect(1, "name", lookup=lambda *_: None)
        unsent.write(b"x")
        assert await unsent.close(0) is False
        destroyed = uvnet.Socket().destroy()
        assert await destroyed.close() is False
        left, right = plain.socketpair()
        read_only = uvnet.Socket(fd=left, writable=False)
        await read_only.close()
        right.close()
        for bad, kind in ((-1, ValueError), ("1", TypeError), (float("nan"), ValueError)):
            with pytest.raises(kind):
                connecting.close(bad)

    play(scenario)


def test_leaving_on_a_peer_that_never_reads(play: Player, transport: Transport) -> None:
    """`async with` waits as long as it is let; cancelled, it destroys."""

    async def scenario() -> None:
        server, socket, peer = await accept(transport)

        async def serve() -> None:
            async with socket:
                socket.write(BULK)

        serving = asyncio.create_task(serve())
        await turns()
        assert not socket.destroyed
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert socket.destroyed
        peer.close()
        await server.shutdown()

    play(scenario)


# === server.shutdown() and closed() ===


def test_shutdown_lets_connections_finish(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server, socket, peer = await accept(transport)
        socket.on("data", socket.write)
        down = server.shutdown(20)
        closed = asyncio.create_task(server.closed())
        assert not server.listening
        await asyncio.get_running_loop().sock_sendall(peer, b"echo")
        assert await asyncio.get_running_loop().sock_recv(peer, 10) == b"echo"
        assert not down.done()
        peer.close()
        assert await down == 0
        await closed
        assert await server.shutdown() == 0
        await server.closed()

    play(scenario)


@pytest.mark.parametrize("wait", ["closed", "shutdown"])
def test_a_close_that_is_due_is_waited_for(play: Player, transport: Transport, wait: str) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        log: list[Any] = []
        server.on("close", lambda: log.append("close"))
        server.close(log.append)
        await getattr(server, wait)()
        assert log == ["close", None]
        await getattr(server, wait)()
        await turns(2)
        assert log == ["close", None]

    play(scenario)


@pytest.mark.parametrize("timeout", [0, SOON])
def test_shutdown_cuts_what_is_left(play: Player, transport: Transport, timeout: float) -> None:
    """Peers that never read and never close are cut, those of another server are not."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        sockets: list[uvnet.Socket] = []
        server.on("connection", sockets.append)
        other = uvnet.create_server().listen(0)
        others: list[uvnet.Socket] = []
        other.on("connection", others.append)
        peers = [connect(transport, server) for _ in range(10)]
        client = uvnet.connect(other.address().port, "127.0.0.1")
        await until(lambda: len(sockets) == 10 and others)
        sockets[0].write(BULK)
        sockets[1].destroy()
        peers[2].close()
        await until(lambda: sockets[1].closed and sockets[2].closed)
        closed = upcoming(server, "close")
        down = server.shutdown(timeout)
        assert await down == 8
        assert closed.done()
        assert all(socket.closed for socket in sockets)
        assert not others[0].destroyed and not client.destroyed
        client.destroy()
        assert await other.shutdown() == 0
        for peer in peers:
            peer.close()

    play(scenario)


def test_shutdown_with_a_peer_that_resets(play: Player) -> None:
    """A connection that fails meanwhile has not been cut, and holds nothing up."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        accepted = upcoming(server, "connection")
        peer = plain.create_connection(("127.0.0.1", server.address().port))
        (socket,) = await accepted
        failed = upcoming(socket, "error")
        socket.write(BULK)
        down = server.shutdown(20)
        await turns()
        assert not down.done()
        reset(peer)
        assert await down == 0
        assert isinstance((await failed)[0], ConnectionError)

    play(scenario)


def test_shutdown_goes_on_when_the_waiting_is_cancelled(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server, socket, peer = await accept(transport)
        closed = upcoming(server, "close")
        server.shutdown(SOON).cancel()
        assert not server.listening and not socket.destroyed
        await closed
        assert socket.closed
        peer.close()
        with pytest.raises(ValueError):
            server.shutdown(-1)

    play(scenario)


# === `async with` and `async for` ===


def test_leaving_a_server(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with uvnet.create_server().listen(*transport.listen_arguments) as server:
            assert server.listening
            accepted = upcoming(server, "connection")
            peer = connect(transport, server)
            (socket,) = await accepted
            asyncio.get_running_loop().call_later(SOON, peer.close)
        assert socket.closed and not server.listening
        with pytest.raises(LookupError):
            async with uvnet.create_server().listen(*transport.listen_arguments) as server:
                accepted = upcoming(server, "connection")
                peer = connect(transport, server)
                (socket,) = await accepted
                raise LookupError
        assert socket.closed
        peer.close()
        async with uvnet.create_server() as server:
            assert not server.listening

    play(scenario)


def test_a_server_that_is_not_entered(play: Player) -> None:
    """Cancelled while a name is looked up: nobody would leave it, so it does not listen later."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(0, "localhost")
        closed = upcoming(server, "close")

        # By hand: a turn of the loop may already bring the answer of the look-up.
        entering = server.__aenter__()
        entering.send(None)
        with pytest.raises(asyncio.CancelledError):
            entering.throw(asyncio.CancelledError())
        await closed
        assert not server.listening
        # The look-up that nobody waits for any more is all that keeps run() going.
        await until(lambda: not uvnet.active_handles())

    play(scenario)


@pytest.mark.parametrize("host", [(), ("127.0.0.1",)])
def test_a_listen_that_fails_is_raised(play: Player, host: tuple[str, ...]) -> None:
    async def scenario() -> None:
        async with uvnet.create_server().listen(0, *host) as first:
            port = first.address().port
            with pytest.raises(OSError) as failure:
                async with uvnet.create_server().listen(port, *host):
                    raise AssertionError
            assert failure.value.code == "EADDRINUSE"
            with pytest.raises(OSError) as failure:
                async for _ in uvnet.create_server().listen(port, *host):
                    raise AssertionError
            assert failure.value.code == "EADDRINUSE"

    play(scenario)


def test_connections_in_turn(play: Player, transport: Transport) -> None:
    """Many more than are accepted ahead; each comes once, and those that wait lose no data."""

    async def scenario() -> None:
        peers: list[plain.socket] = []
        taken: list[uvnet.Socket] = []
        async with uvnet.create_server().listen(*transport.listen_arguments) as server:
            for number in range(50):
                peers.append(connect(transport, server))
                peers[-1].send(b"%02d" % number)
            counts: list[int] = []
            await asyncio.sleep(SOON)
            server.get_connections(lambda _, count: counts.append(count))
            await turns()
            assert counts == [16]
            async for socket in server:
                taken.append(socket)
                if len(taken) == 20:
                    break
            async for socket in server:
                taken.append(socket)
                if len(taken) == 50:
                    server.close()
            assert sorted([await socket.read_exactly(2) for socket in taken]) == [b"%02d" % n for n in range(50)]
            for socket in taken:
                assert await socket.close() is True
        for peer in peers:
            peer.close()

    play(scenario)


def test_nobody_takes_them(play: Player, transport: Transport) -> None:
    """What waits when the server closes goes the way of the backlog; the loop ends."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        connections = aiter(server)
        peers = [connect(transport, server) for _ in range(20)]
        await asyncio.sleep(SOON)
        closed = upcoming(server, "close")
        server.close()
        await closed
        with pytest.raises(StopAsyncIteration):
            await anext(connections)
        for peer in peers:
            peer.close()

    play(scenario)


def test_cancelling_loses_no_connection(play: Player, transport: Transport) -> None:
    """Cancelled before there is one, and when one has woken the task that has not run yet."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        connections = aiter(server)
        waiting = asyncio.create_task(take(connections))
        await turns()
        with pytest.raises(RuntimeError, match="another coroutine"):
            await anext(connections)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        waiting = asyncio.create_task(take(connections))
        await turns()
        server.once("connection", lambda _: waiting.cancel())
        accepted = upcoming(server, "connection")
        peer = connect(transport, server)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        socket = await anext(connections)
        assert socket is (await accepted)[0]
        socket.destroy()
        peer.close()
        await server.shutdown()

    play(scenario)


async def take(connections: Any) -> Any:
    return await anext(connections)


def test_listeners_that_come_later(play: Player, transport: Transport) -> None:
    """`async with` collects for an `async for`; where there is a listener instead, it collects nothing."""

    async def scenario() -> None:
        sockets: list[uvnet.Socket] = []
        peers: list[plain.socket] = []
        async with uvnet.create_server().listen(*transport.listen_arguments) as server:
            server.on("connection", sockets.append)
            for _ in range(40):
                peers.append(connect(transport, server))
            await until(lambda: len(sockets) == 40)
            for peer in peers:
                peer.close()

    play(scenario)


def test_an_error_of_the_server_is_raised(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        connections = aiter(server)
        asyncio.get_running_loop().call_later(0, server.emit, "error", LookupError("mine"))
        with pytest.raises(LookupError, match="mine"):
            await anext(connections)
        server.emit("error", LookupError("stored"))
        with pytest.raises(LookupError, match="stored"):
            await anext(connections)
        server.close()
        await event(server, "close")

    play(scenario)
