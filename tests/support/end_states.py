"""Sockets in every state in which a wait can begin, above all in those in which nothing can come any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from pairs import reset, take_over
from waiting import until

import uvnet

__all__ = ["STATES", "Scene", "cells", "scene", "settle", "show"]

BULK = bytes(16_000_000)
# Outcomes that tables have a shorter word for.
_WORDS = {
    "closed": "SOCKET_CLOSED_BEFORE_CONNECTION",
    "early": "PREMATURE_CLOSE",
    "late": "WRITE_AFTER_END",
    "never": "SOCKET_CLOSED",
    "reset": "ECONNRESET",
}


class Scene:
    """A server that accepts, and what was made with it."""

    def __init__(self, server: uvnet.Server) -> None:
        self.server = server
        self.sockets: list[uvnet.Socket] = []
        self.peers: list[Any] = []

    def keep(self, socket: uvnet.Socket) -> uvnet.Socket:
        self.sockets.append(socket)
        return socket.on("error", lambda _error: None)

    async def pair(self) -> tuple[uvnet.Socket, uvnet.Socket]:
        """A connected client, and the server's socket for it."""
        accepted = asyncio.get_running_loop().create_future()
        self.server.once("connection", accepted.set_result)
        client = await uvnet.open_connection(self.server.address().port, "127.0.0.1", allow_half_open=True)
        return self.keep(client), self.keep(await accepted)

    def adopted(self, **options: Any) -> uvnet.Socket:
        socket, peer = take_over("tcp", allow_half_open=True, **options)
        self.peers.append(peer)
        return self.keep(socket)

    async def make(self, state: str) -> uvnet.Socket:
        return await STATES[state](self)


@contextlib.asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    server = uvnet.create_server(allow_half_open=True).listen(0, "127.0.0.1")
    await uvnet.once(server, "listening")
    made = Scene(server)
    try:
        yield made
    finally:
        for socket in made.sockets:
            socket.destroy()
        for peer in made.peers:
            peer.close()
        await server.shutdown(0)


async def never_connected(scene: Scene) -> uvnet.Socket:
    return scene.keep(uvnet.Socket(allow_half_open=True))


async def connecting(scene: Scene) -> uvnet.Socket:
    return scene.keep(uvnet.connect(1, "name", lookup=lambda *_: None, allow_half_open=True))


async def failing_to_connect(scene: Scene) -> uvnet.Socket:
    socket = uvnet.connect(1, "name", lookup=lambda name, _, done: done(LookupError("mine")))
    return scene.keep(socket)


async def open_(scene: Scene) -> uvnet.Socket:
    return (await scene.pair())[0]


async def paused(scene: Scene) -> uvnet.Socket:
    return (await scene.pair())[0].pause()


async def ending(scene: Scene) -> uvnet.Socket:
    """end() was called, and the other end does not read."""
    socket, peer = await scene.pair()
    peer.pause()
    socket.write(BULK)
    return socket.end()


async def finished(scene: Scene) -> uvnet.Socket:
    socket, _ = await scene.pair()
    socket.end()
    await until(lambda: socket.writable_finished)
    return socket


async def ended_by_the_peer(scene: Scene) -> uvnet.Socket:
    socket, peer = await scene.pair()
    peer.end()
    socket.resume()
    await until(lambda: socket.readable_ended)
    return socket


async def ended_with_a_rest(scene: Scene) -> uvnet.Socket:
    """The end has come, and what was before it has not been read."""
    socket, peer = await scene.pair()
    peer.end(b"rest")
    await until(lambda: socket.readable_length == 4)
    return socket


async def closed(scene: Scene) -> uvnet.Socket:
    socket, peer = await scene.pair()
    peer.end()
    socket.resume().end()
    await until(lambda: socket.closed)
    return socket


async def destroyed(scene: Scene) -> uvnet.Socket:
    return (await scene.pair())[0].destroy()


async def destroyed_and_closed(scene: Scene) -> uvnet.Socket:
    socket = await destroyed(scene)
    await until(lambda: socket.closed)
    return socket


async def failed(scene: Scene) -> uvnet.Socket:
    return (await scene.pair())[0].destroy(LookupError("mine"))


async def failed_and_closed(scene: Scene) -> uvnet.Socket:
    socket = await failed(scene)
    await until(lambda: socket.closed)
    return socket


async def finished_and_destroyed(scene: Scene) -> uvnet.Socket:
    return (await finished(scene)).destroy()


async def ended_and_destroyed(scene: Scene) -> uvnet.Socket:
    return (await ended_by_the_peer(scene)).destroy()


async def failing_to_write(scene: Scene) -> uvnet.Socket:
    """The system has refused a write, and nobody has been told."""
    socket = scene.adopted()
    reset(scene.peers.pop())
    socket.write(b"x" * 100_000)
    assert not socket.destroyed
    return socket


async def without_a_writable_side(scene: Scene) -> uvnet.Socket:
    return scene.adopted(writable=False)


async def without_a_readable_side(scene: Scene) -> uvnet.Socket:
    return scene.adopted(readable=False)


STATES: dict[str, Callable[[Scene], Awaitable[uvnet.Socket]]] = {
    maker.__name__.strip("_").replace("_", "-"): maker
    for maker in (
        never_connected, connecting, failing_to_connect, open_, paused, ending, finished,
        ended_by_the_peer, ended_with_a_rest, closed, destroyed, destroyed_and_closed, failed, failed_and_closed,
        finished_and_destroyed, ended_and_destroyed, failing_to_write, without_a_writable_side,
        without_a_readable_side,
    )
}  # fmt: skip


def show(outcome: Any) -> str:
    """A result or an exception in one word."""
    if isinstance(outcome, BaseException):
        text = getattr(outcome, "code", None) or str(outcome)
        if isinstance(outcome, asyncio.IncompleteReadError):
            text = "incomplete"
        elif isinstance(outcome, StopAsyncIteration):
            text = "stop"
        return str(text).removeprefix("ERR_").removeprefix("STREAM_").strip("'")
    if isinstance(outcome, uvnet.Socket):
        return "socket"
    return "ok" if outcome is None else str(outcome).replace(" ", "")


async def settle(awaitable: Awaitable[Any], subject: Any = None) -> str:
    """How it ends; "waits" where it did not before `subject` was destroyed, which must end it."""
    task = asyncio.ensure_future(_await(awaitable))
    if subject is None:
        return await task
    await asyncio.wait([task], timeout=0.05)
    waits = not task.done()
    subject.destroy()
    outcome = await task
    return "waits" if waits else outcome


async def _await(awaitable: Awaitable[Any]) -> str:
    try:
        return show(await awaitable)
    except Exception as error:
        return show(error)


def _expected(word: str) -> str:
    name = word.rstrip("+-")
    return _WORDS.get(name, name) + word[len(name) :]


def cells(table: str) -> list[Any]:
    """A parameter of a test for each cell: the state, the name of the column, and what is expected."""
    (_, *columns), *rows = (line.split() for line in table.strip().splitlines())
    return [
        pytest.param(state, column, _expected(word), id=f"{column}-{state}")
        for state, *words in rows
        for column, word in zip(columns, words, strict=True)
    ]
