"""`async for chunk in socket` and how it may end.  Rule 3.5; decision 17."""

from __future__ import annotations

import asyncio
import gc
import socket as plain
from typing import Any

import pytest
from harness import Player, Transport, event
from pairs import read_now, take_over
from waiting import until

import uvnet


async def over(socket: uvnet.Socket, peer: plain.socket) -> None:
    socket.destroy()
    await until(lambda: socket.closed)
    peer.close()


@pytest.mark.parametrize("encoding", [None, "utf8"])
def test_chunks_until_the_end(play: Player, transport: Transport, encoding: str | None) -> None:
    """Rules 3.5.1 and 3.5.4: bytes, or str with an encoding; by hand, not in a flow."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind, encoding=encoding)
        chunks: list[Any] = []
        peer.send(b"first")
        async for chunk in socket:
            assert socket.readable_flowing is False
            chunks.append(chunk)
            if len(chunks) == 1:
                peer.send(b"second")
            elif len(chunks) == 2:
                peer.shutdown(plain.SHUT_WR)
        expected = [b"first", b"second"]
        assert chunks == (expected if encoding is None else [chunk.decode() for chunk in expected])
        await until(lambda: socket.closed)
        assert socket.errored is None
        peer.close()

    play(scenario)


@pytest.mark.parametrize("how", ["break", "raise", "return"])
def test_leaving_early(play: Player, transport: Transport, how: str) -> None:
    """Rule 3.5.2 and decision 17: destroys the socket, quietly."""

    async def leave(socket: uvnet.Socket) -> None:
        async for _ in socket:
            if how == "break":
                break
            if how == "raise":
                raise LookupError("in the loop")
            return

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        errors: list[Any] = []
        socket.on("error", errors.append)
        peer.send(b"data")
        try:
            await leave(socket)
        except LookupError:
            assert how == "raise"
        gc.collect()
        await until(lambda: socket.closed)
        assert (errors, socket.errored) == ([], None)
        peer.close()

    play(scenario)


def test_a_half_open_socket_may_answer(play: Player, transport: Transport) -> None:
    """Rule 3.5.2 and decision 17: after a normal end it is still writable."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind, allow_half_open=True)
        peer.send(b"question")
        peer.shutdown(plain.SHUT_WR)
        received = [chunk async for chunk in socket]
        assert received == [b"question"]
        gc.collect()
        assert (socket.destroyed, socket.writable) == (False, True)
        socket.end(b"answer")
        await event(socket, "close")
        assert read_now(peer) == b"answer"
        peer.close()

    play(scenario)


@pytest.mark.parametrize("waiting", [True, False])
def test_destroyed_with_an_error(play: Player, transport: Transport, waiting: bool) -> None:
    """Rule 3.5.3: the loop raises it, whether it waits or not; nobody else needs to listen."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        error = ConnectionAbortedError("by the test")
        if waiting:
            asyncio.get_running_loop().call_later(0.005, socket.destroy, error)
        else:
            peer.send(b"data")
        with pytest.raises(ConnectionAbortedError) as caught:
            async for _ in socket:
                socket.destroy(error)
        assert caught.value is error
        await until(lambda: socket.closed)
        peer.close()

    play(scenario)


def test_destroyed_without_an_error(play: Player, transport: Transport) -> None:
    """Rule 3.5.3 and decision 17: the loop ends."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        asyncio.get_running_loop().call_later(0.005, socket.destroy)
        assert [chunk async for chunk in socket] == []
        await until(lambda: socket.closed)
        assert [chunk async for chunk in socket] == []
        peer.close()

    play(scenario)


def test_one_reader_at_a_time(play: Player, transport: Transport) -> None:
    """Rule 3.5.4: a second one is told; cancelling the first loses nothing."""

    async def scenario() -> None:
        socket, peer = take_over(transport.kind)
        iterator = socket.__aiter__()
        first = asyncio.ensure_future(iterator.__anext__())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another coroutine"):
            await iterator.__anext__()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        peer.send(b"data")
        assert await iterator.__anext__() == b"data"
        await over(socket, peer)

    play(scenario)
