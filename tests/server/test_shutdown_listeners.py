"""shutdown() and the async listeners of connections: waited for, cancelled at the limit, counted.

And the option shutdown_timeout, with which `async with` shuts down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from harness import Player, Transport, event, listen
from waiting import turns, until, upcoming

import uvnet
import uvnet.server.shutdown
import uvnet.socket.scope
from uvnet.server import scope, shutdown

SOON = 0.05


class Listener:
    """An `async def` that runs until it is let go, or for ever."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.go = asyncio.Event()

    async def __call__(self, *_arguments: Any) -> None:
        self.log.append("begun")
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise
        self.log.append("ended")


async def serve(on_accept: Callable[[uvnet.Socket], Any]) -> tuple[uvnet.Server, uvnet.Socket, uvnet.Socket]:
    """A server, the connection it has accepted, and its client."""
    server = uvnet.create_server(allow_half_open=True)
    accepted = upcoming(server, "connection")
    server.on("connection", on_accept)
    server.listen(0, "127.0.0.1")
    await event(server, "listening")
    client = await uvnet.open_connection(server.address().port, "127.0.0.1")  # type: ignore[union-attr]
    return server, (await accepted)[0], client


# What starts a listener of a connection, and what has to happen for that.
STARTS: dict[str, Callable[[uvnet.Socket, Listener], Any]] = {
    "data": lambda socket, listener: socket.once("data", listener),
    "end": lambda socket, listener: socket.resume().once("end", listener),
    "finish": lambda socket, listener: socket.once("finish", listener).end(),
    "close": lambda socket, listener: socket.once("close", listener),
    "write": lambda socket, listener: socket.write(b"x", listener),
    "finished()": lambda socket, listener: uvnet.finished(socket, listener),
}


@pytest.mark.parametrize("start", STARTS)
def test_a_listener_is_waited_for(play: Player, start: str) -> None:
    async def scenario() -> None:
        listener = Listener()
        server, socket, client = await serve(lambda socket: STARTS[start](socket, listener))
        client.end(b"x")
        down = server.shutdown()
        await turns()
        socket.destroy()
        await until(lambda: socket.closed and listener.log)
        await turns()
        assert not down.done()
        listener.go.set()
        assert await asyncio.wait_for(down, 5) == 0
        assert listener.log == ["begun", "ended"]
        client.destroy()

    play(scenario)


def test_the_listener_of_connection_is_waited_for(play: Player, transport: Transport) -> None:
    """It is a listener of the server's, for a connection."""

    async def scenario() -> None:
        listener = Listener()

        async def handle(socket: uvnet.Socket) -> None:
            socket.resume()
            await listener()

        server = await listen(uvnet.create_server(handle), transport)
        client = await uvnet.open_connection(*transport.connect_arguments(server))
        await until(lambda: listener.log)
        down = server.shutdown(20)
        client.destroy()
        await server.closed()
        await turns(20)
        assert not down.done()
        listener.go.set()
        assert await down == 0
        assert listener.log == ["begun", "ended"]
        # And where the server was closed before.
        again = server.shutdown(0)
        assert again.done() and again.result() == 0

    play(scenario)


@pytest.mark.parametrize("timeout", [0, SOON])
def test_at_the_limit_it_is_cancelled(play: Player, timeout: float) -> None:
    async def scenario() -> None:
        listener = Listener()
        server, socket, client = await serve(listener)
        cut = await server.shutdown(timeout)
        assert socket.closed
        assert isinstance(cut, uvnet.Cut) and isinstance(cut, int)
        assert (cut, cut.connections, cut.listeners) == (2, 1, 1)
        assert f"{cut}" == "2"
        assert listener.log == ["begun", "cancelled"]
        client.destroy()

    play(scenario)


def test_a_listener_whose_connection_has_ended(play: Player) -> None:
    """The server is closed, and it is waited for all the same."""

    async def scenario() -> None:
        listener = Listener()
        server, socket, client = await serve(listener)
        server.close()
        socket.destroy()
        await server.closed()
        waiting = server.shutdown()
        await turns()
        assert not waiting.done()
        cut = await server.shutdown(SOON)
        assert (cut.connections, cut.listeners) == (0, 1)
        assert await waiting == 0
        client.destroy()

    play(scenario)


def test_an_async_close_listener_begins_and_ends(play: Player) -> None:
    """Also where the connection was cut: what it does is not cut with it."""

    async def scenario() -> None:
        log: list[str] = []

        async def closed(_had_error: bool) -> None:
            await asyncio.sleep(SOON)
            log.append("closed")

        server, _, client = await serve(lambda socket: socket.on("close", closed))
        cut = await server.shutdown(0)
        assert (cut.connections, cut.listeners) == (1, 0)
        assert log == ["closed"]
        client.destroy()

    play(scenario)


@pytest.mark.parametrize("what", ["stubborn", "close"])
def test_the_end_comes_whatever_a_listener_does(
    play: Player, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """One that does not let itself be cancelled, and a 'close' listener that goes on and on."""
    monkeypatch.setattr(shutdown, "AFTERWARDS", SOON)

    async def scenario() -> None:
        over = asyncio.Event()

        async def stubborn(*_arguments: Any) -> None:
            while not over.is_set():
                try:
                    await over.wait()
                except asyncio.CancelledError:
                    if what == "close":
                        raise

        start = stubborn if what == "stubborn" else lambda socket: socket.on("close", stubborn)
        server, _, client = await serve(start)
        cut = await asyncio.wait_for(server.shutdown(0), 5)
        assert (cut.connections, cut.listeners) == (1, 1)
        over.set()
        await turns()
        client.destroy()

    play(scenario)


def test_what_is_not_waited_for(play: Player) -> None:
    """Listeners of the server itself, of other servers and clients, and tasks of the program's own."""

    async def scenario() -> None:
        others = [Listener() for _ in range(3)]
        other_server, _, other_client = await serve(others[0])
        server, _, client = await serve(lambda socket: socket.resume().end())
        client.on("data", others[1])
        server.on("close", others[2])
        client.end()
        assert await asyncio.wait_for(server.shutdown(), 5) == 0
        assert others[0].log == ["begun"]
        for listener in others:
            listener.go.set()
        other_client.destroy()
        await other_server.shutdown(0)

    play(scenario)


@pytest.mark.parametrize("timeout", [None, 5, 0])
def test_a_listener_that_shuts_down_does_not_wait_for_itself(play: Player, timeout: float | None) -> None:
    """Nor do several for each other."""

    async def scenario() -> None:
        log: list[int] = []

        async def quit_on_anything(socket: uvnet.Socket) -> None:
            await socket.read_exactly(1)
            socket.end()
            log.append(await server.shutdown(timeout))

        server = uvnet.create_server(quit_on_anything).listen(0, "127.0.0.1")
        await event(server, "listening")
        port = server.address().port  # type: ignore[union-attr]
        clients = [await uvnet.open_connection(port, "127.0.0.1") for _ in range(3)]
        for client in clients:
            # With no limit left they may be reset.
            client.on("error", lambda _error: None)
            client.resume()
            client.end(b"x")
        outside = server.closed()
        await asyncio.wait_for(outside, 5)
        await asyncio.wait_for(server.shutdown(), 5)
        if timeout == 0:
            assert len(log) >= 1
        else:
            assert log == [0, 0, 0]
        for client in clients:
            client.destroy()

    play(scenario)


def test_waiting_that_is_given_up(play: Player) -> None:
    """The limit holds all the same."""

    async def scenario() -> None:
        listener = Listener()
        server, socket, client = await serve(listener)
        server.shutdown(SOON).cancel()
        await until(lambda: socket.closed and listener.log == ["begun", "cancelled"])
        client.destroy()

    play(scenario)


# === shutdown_timeout ===


@pytest.mark.parametrize("kind", ["server", "proxy"])
def test_leaving_within_the_limit(play: Player, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        accepted: list[uvnet.Socket] = []
        upstream = uvnet.create_server(accepted.append).listen(0, "127.0.0.1")
        await event(upstream, "listening")
        port = upstream.address().port  # type: ignore[union-attr]
        if kind == "server":
            server = uvnet.create_server(accepted.append, shutdown_timeout=SOON)
        else:
            server = uvnet.create_proxy(port, shutdown_timeout=SOON)
        async with server.listen(0, "127.0.0.1"):
            client = await uvnet.open_connection(server.address().port, "127.0.0.1")  # type: ignore[union-attr]
            await until(lambda: accepted)
        assert not server.listening
        client.destroy()
        await upstream.shutdown(5)
        assert caplog.records == []

    play(scenario)


@pytest.mark.parametrize("limit", [None, 3])
def test_what_is_waited_for_is_logged(
    play: Player, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, limit: float | None
) -> None:
    """Once, after a while, where there is no limit."""
    monkeypatch.setattr(scope, "PATIENCE", SOON)

    async def scenario() -> None:
        listener = Listener()
        clients: list[uvnet.Socket] = []
        async with uvnet.create_server(listener, shutdown_timeout=limit).listen(0, "127.0.0.1") as server:
            port = server.address().port  # type: ignore[union-attr]
            clients = [await uvnet.open_connection(port, "127.0.0.1") for _ in range(2)]
            await until(lambda: len(listener.log) == 2)
            loop = asyncio.get_running_loop()
            loop.call_later(3 * SOON, lambda: (listener.go.set(), [client.destroy() for client in clients], cut()))

        assert server.listening is False
        said = [(record.name, record.levelno, record.getMessage()) for record in caplog.records]
        if limit is not None:
            assert said == []
        else:
            assert [entry[:2] for entry in said] == [("uvnet", logging.WARNING)]
            assert f"{port}> waits for 2 connections to end and for 2 async listeners" in said[0][2]

    def cut() -> None:
        for handle in uvnet.active_handles():
            if isinstance(handle, uvnet.Socket):
                handle.destroy()

    play(scenario)


def test_leaving_at_once_says_nothing(play: Player, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with uvnet.create_server().listen(0, "127.0.0.1"):
            pass

    play(scenario)
    assert caplog.records == []


@pytest.mark.parametrize(("limit", "kind"), [(-1, ValueError), (float("inf"), ValueError), ("1", TypeError)])
def test_bad_limits(play: Player, limit: Any, kind: type[Exception]) -> None:
    async def scenario() -> None:
        with pytest.raises(kind):
            uvnet.create_server(shutdown_timeout=limit)

    play(scenario)
