"""What a program waits for comes to an end, whatever the listeners of any event do.

Generated: every way to wait for a socket or a server, beside every event, with a listener for it that raises, takes
all listeners away, or ends the object in the middle of the event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from harness import Player, event
from waiting import turns, until

import uvnet

LIMIT = 5  # seconds, far more than any of this takes


class Trouble(Exception):
    """What a listener raises."""


class Scene:
    """A server, a client of it that connects when the waiting has begun, and what is misbehaved about."""

    def __init__(self) -> None:
        self.server = uvnet.create_server(self.accept).listen(0, "127.0.0.1")
        self.sink_server = uvnet.create_server(lambda socket: socket.resume()).listen(0, "127.0.0.1")
        self.client = uvnet.Socket()
        self.sink = uvnet.Socket()
        self.accepted: list[uvnet.Socket] = []
        self.over = False

    def accept(self, socket: uvnet.Socket) -> None:
        self.accepted.append(socket)
        socket.on("error", lambda _error: None)
        socket.resume()
        socket.end(b"hello\n" * 10)

    def connect(self) -> None:
        self.client.connect(self.server.address().port, "127.0.0.1")  # type: ignore[union-attr]

    async def end(self) -> None:
        """Everything that is still there goes away; the server stays, in case that it is what is waited for."""
        await turns()
        self.client.end()
        await turns()
        for socket in (self.client, self.sink, *self.accepted):
            socket.destroy()
        self.server.close()
        self.sink_server.close()


def called(start: Callable[[Callable[..., None]], Any]) -> asyncio.Future[None]:
    """A future that is done when a callback is called; fails when it is called twice."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    start(lambda *_arguments: future.set_result(None))
    return future


async def leave(entered: Any, error: BaseException | None = None) -> None:
    await entered.__aexit__(None if error is None else type(error), error, None)


async def take(chunks: Any) -> None:
    async for _ in chunks:
        pass


async def drain(socket: uvnet.Socket) -> None:
    socket.write(bytes(10_000_000))
    await socket.drain()


async def pipe(scene: Scene) -> None:
    scene.sink.connect(scene.sink_server.address().port, "127.0.0.1")  # type: ignore[union-attr]
    await uvnet.pipeline(scene.client, scene.sink)


Wait = Callable[[Scene], Awaitable[Any]]

OF_A_SOCKET: dict[str, Wait] = {
    "close()": lambda scene: scene.client.close(),
    "close(0)": lambda scene: scene.client.close(0),
    "close(later)": lambda scene: scene.client.close(0.01),
    "leaving": lambda scene: leave(scene.client),
    "leaving with an error": lambda scene: leave(scene.client, Trouble()),
    "entering": lambda scene: scene.client.__aenter__(),
    "finished()": lambda scene: uvnet.finished(scene.client),
    "finished(readable)": lambda scene: uvnet.finished(scene.client, writable=False),
    "finished(writable)": lambda scene: uvnet.finished(scene.client, readable=False),
    "finished(callback)": lambda scene: called(lambda done: uvnet.finished(scene.client, done)),
    "pipeline()": pipe,
    "pipeline(callback)": lambda scene: called(lambda done: uvnet.pipeline(scene.client, scene.sink, done)),
    "write(callback)": lambda scene: called(lambda done: scene.client.write(b"x", done)),
    "end(callback)": lambda scene: called(lambda done: scene.client.end(b"x", done)),
    "drain()": lambda scene: drain(scene.client),
    "read_exactly()": lambda scene: scene.client.read_exactly(1000),
    "read_until()": lambda scene: scene.client.read_until(b"nothing like it"),
    "iterating": lambda scene: take(scene.client),
    "destroy_soon()": lambda scene: called(lambda done: uvnet.finished(scene.client.destroy_soon(), done)),
}
OF_A_SERVER: dict[str, Wait] = {
    "shutdown()": lambda scene: scene.server.shutdown(),
    "shutdown(0)": lambda scene: scene.server.shutdown(0),
    "shutdown(later)": lambda scene: scene.server.shutdown(0.01),
    "leaving": lambda scene: leave(scene.server),
    "leaving with an error": lambda scene: leave(scene.server, Trouble()),
    "entering": lambda scene: scene.server.__aenter__(),
    "closed()": lambda scene: scene.server.closed(),
    "close(callback)": lambda scene: called(scene.server.close),
    "iterating": lambda scene: take(scene.server),
}

SOCKET_EVENTS = (
    "lookup", "connectionAttempt", "connectionAttemptFailed", "connect", "ready", "data", "readable", "end", "pause",
    "resume", "drain", "prefinish", "finish", "pipe", "unpipe", "timeout", "error", "close", "newListener",
    "removeListener",
)  # fmt: skip
SERVER_EVENTS = ("listening", "connection", "drop", "error", "close", "newListener", "removeListener")


def raises(_emitter: Any) -> None:
    raise Trouble


def removes(emitter: Any) -> None:
    """Takes away whatever can be seen."""
    for name in emitter.event_names():
        for listener in emitter.listeners(name):
            emitter.off(name, listener)
    emitter.remove_all_listeners()


def ends(emitter: Any) -> None:
    if isinstance(emitter, uvnet.Socket):
        emitter.destroy()
    elif emitter.listening:
        emitter.close()


def fails(emitter: Any) -> None:
    if isinstance(emitter, uvnet.Socket):
        emitter.destroy(Trouble())
    else:
        ends(emitter)
        raise Trouble


MISDEEDS = {deed.__name__: deed for deed in (raises, removes, ends, fails)}


async def settle(wait: Wait, misbehave: Callable[[Scene], None], connected: bool) -> None:
    scene = Scene()
    await until(lambda: scene.server.listening and scene.sink_server.listening)
    if connected:
        scene.connect()
        await event(scene.client, "connect")
    misbehave(scene)
    with contextlib.suppress(Trouble):
        waiting = asyncio.ensure_future(wait(scene))
        try:
            if not connected:
                with contextlib.suppress(Trouble):
                    scene.connect()
            with contextlib.suppress(Trouble):
                await scene.end()
            # Ended or raised: it does not wait.
            await asyncio.wait([waiting], timeout=LIMIT)
            assert waiting.done()
        finally:
            waiting.cancel()
            await asyncio.wait([waiting], timeout=LIMIT)
            if not waiting.cancelled():
                waiting.exception()
    scene.over = True
    for socket in (scene.client, scene.sink, *scene.accepted):
        socket.destroy()
    await asyncio.gather(scene.server.shutdown(0), scene.sink_server.shutdown(0))


def check(play: Player, wait: Wait, emitter: str, events: tuple[str, ...], misdeed: str, connected: bool) -> None:
    deed = MISDEEDS[misdeed]
    for name in events:

        def misbehave(scene: Scene, name: str = name) -> None:
            # It is there before the waiting begins, so it is called first.
            target: Any = getattr(scene, emitter)
            if name != "error":
                target.on("error", lambda _error: None)
            target.on(name, lambda *_arguments: scene.over or deed(target))

        play(lambda misbehave=misbehave: settle(wait, misbehave, connected), 4 * LIMIT)
    for context in play.reported:
        assert isinstance(context["exception"], (Trouble, OSError, RuntimeError)), context
    play.expected = len(play.reported)


@pytest.mark.parametrize("misdeed", MISDEEDS)
@pytest.mark.parametrize("connected", [False, True], ids=["connecting", "connected"])
@pytest.mark.parametrize("wait", OF_A_SOCKET)
def test_waiting_for_a_socket(play: Player, wait: str, connected: bool, misdeed: str) -> None:
    check(play, OF_A_SOCKET[wait], "client", SOCKET_EVENTS, misdeed, connected)


@pytest.mark.parametrize("misdeed", MISDEEDS)
@pytest.mark.parametrize("emitter", ["server", "client"])
@pytest.mark.parametrize("wait", OF_A_SERVER)
def test_waiting_for_a_server(play: Player, wait: str, emitter: str, misdeed: str) -> None:
    events = SERVER_EVENTS if emitter == "server" else SOCKET_EVENTS
    check(play, OF_A_SERVER[wait], emitter, events, misdeed, True)
