"""contextvars: a server has the context of its creation, a connection a copy of its own, a client that of connect()."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket as plain
import sys
from collections.abc import Callable
from typing import Any

import pytest
from harness import Player, Transport, close, event, listen
from pairs import connected_pair
from waiting import upcoming

import uvnet

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")
where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")

def test_each_connection_has_a_copy_of_the_servers(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        seen: list[tuple[str, str, str]] = []
        done = asyncio.Event()

        def note(what: str) -> None:
            seen.append((what, who.get(), where.get()))

        def accept(socket: uvnet.Socket) -> None:
            note("connection")
            where.set(f"connection {len(numbers)}")
            numbers.append(socket)

            async def later(chunk: bytes) -> None:
                await asyncio.sleep(0)
                note("async data")

            socket.on("data", lambda chunk: note("data"))
            socket.on("data", later)
            socket.on("end", lambda: note("end"))
            socket.on("finish", lambda: note("finish"))
            socket.on("close", lambda _: note("close"))
            socket.write(b"hello", lambda _: note("written"))
            uvnet.next_tick(note, "tick")
            asyncio.get_running_loop().call_soon(note, "soon")

        numbers: list[uvnet.Socket] = []
        who.set("the server's")
        server = uvnet.create_server(accept)
        server.on("listening", lambda: note("listening"))
        server.on("close", lambda: (note("server close"), done.set()))
        who.set("somebody else's")
        await listen(server, transport)
        for number in range(3):
            seen.clear()
            client = uvnet.connect(*transport.connect_arguments(server))
            client.resume()
            client.end(b"data")
            await event(client, "close")
            while not any(what == "close" for what, *_ in seen):
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            assert ("connection", "the server's", "nowhere") in seen
            for what in ("data", "async data", "end", "finish", "close", "written", "tick", "soon"):
                assert (what, "the server's", f"connection {number}") in seen, (what, seen)
        seen.clear()
        server.close()
        await done.wait()
        assert seen == [("server close", "the server's", "nowhere")]
        assert (who.get(), where.get()) == ("somebody else's", "nowhere")

    play(scenario)
    assert (who.get(), where.get()) == ("nobody", "nowhere")


def act_end(socket: uvnet.Socket, theirs: plain.socket) -> None:
    theirs.close()


def act_data(socket: uvnet.Socket, theirs: plain.socket) -> None:
    theirs.send(b"data")


def act_destroy(socket: uvnet.Socket, theirs: plain.socket) -> None:
    socket.destroy(ValueError("mine"))


def act_timeout(socket: uvnet.Socket, theirs: plain.socket) -> None:
    socket.set_timeout(0.001)


def act_drain(socket: uvnet.Socket, theirs: plain.socket) -> None:
    socket.write(bytes(3_000_000))

    def read() -> None:
        if socket.destroyed:
            return
        with contextlib.suppress(BlockingIOError):
            theirs.recv(1_000_000)
        asyncio.get_running_loop().call_soon(read)

    read()


def act_pause(socket: uvnet.Socket, theirs: plain.socket) -> None:
    socket.pause()
    asyncio.get_running_loop().call_soon(socket.resume)


def act_finish(socket: uvnet.Socket, theirs: plain.socket) -> None:
    socket.end(b"last")


ACTS: dict[str, tuple[Callable[[uvnet.Socket, plain.socket], None], str]] = {
    "data": (act_data, "data"), "readable": (act_data, "readable"), "end": (act_end, "end"),
    "close": (act_end, "close"), "error": (act_destroy, "error"), "timeout": (act_timeout, "timeout"),
    "drain": (act_drain, "drain"), "resume": (act_pause, "resume"), "finish": (act_finish, "finish"),
    "prefinish": (act_finish, "prefinish"),
}  # fmt: skip


@pytest.mark.parametrize("name", ACTS)
def test_every_event_in_the_context_of_the_take_over(play: Player, name: str) -> None:
    async def scenario() -> None:
        act, what = ACTS[name]
        ours, theirs = connected_pair("unix")
        who.set("the owner's")
        socket = uvnet.Socket(handle=ours)
        who.set("somebody else's")
        seen: list[str] = []
        heard = asyncio.Event()

        def note(*_: Any) -> None:
            seen.append(who.get())
            heard.set()

        if what not in ("readable", "data"):
            socket.resume()
        socket.on("error", lambda _: None)
        socket.on(what, note)
        for _ in range(3):
            await asyncio.sleep(0)
        seen.clear()
        heard.clear()
        contextvars.copy_context().run(act, socket, theirs)
        await asyncio.wait_for(heard.wait(), 10)
        assert set(seen) == {"the owner's"}
        socket.destroy()
        theirs.close()
        await asyncio.sleep(0)

    play(scenario)


def test_a_client_has_the_context_of_connect(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(lambda socket: socket.end(b"hello")), transport)
        seen: list[tuple[str, str]] = []
        who.set("made")
        client = uvnet.Socket()

        def note(name: str) -> Callable[..., None]:
            return lambda *_: seen.append((name, who.get()))

        for name in ("lookup", "connectionAttempt", "connect", "ready", "data", "end", "finish", "close"):
            client.on(name, note(name))
        for life in ("first", "second"):
            who.set(life)
            seen.clear()
            if transport.kind == "tcp":
                client.connect(server.address().port, "localhost", family=4)
            else:
                client.connect(*transport.connect_arguments(server))
            who.set("after")
            await event(client, "close")
            assert {value for _, value in seen} == {life}
            names = {name for name, _ in seen}
            assert {"connect", "ready", "data", "end", "finish", "close"} <= names
            assert ("lookup" in names) == (transport.kind == "tcp")
        await close(server)

    play(scenario)


def test_a_failure_to_connect(play: Player) -> None:
    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        seen: list[str] = []
        who.set("mine")
        client = uvnet.connect(port, "127.0.0.1")
        who.set("other")
        client.on("connectionAttemptFailed", lambda *_: seen.append(who.get()))
        client.on("error", lambda _: seen.append(who.get()))
        client.on("close", lambda _: seen.append(who.get()))
        await event(client, "close")
        assert seen == ["mine"] * 3

    play(scenario)


def test_a_lookup_of_ones_own_that_answers_from_a_listener(play: Player) -> None:
    """The context is entered already."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.end()).listen(0, "127.0.0.1")
        await event(server, "listening")
        answer: list[Any] = []
        client = uvnet.Socket()
        closed = upcoming(client, "close")
        seen: list[str] = []
        client.on("lookup", lambda *_: seen.append(who.get()))
        client.on("timeout", lambda: answer.pop()(None, "127.0.0.1", 4))
        who.set("mine")
        client.connect(server.address().port, "name", lookup=lambda host, options, done: answer.append(done), timeout=0.01)
        who.set("other")
        client.resume()
        assert await closed == (False,)
        assert seen == ["mine"]
        await close(server)

    play(scenario)


def test_a_dropped_connection_and_an_error_of_the_server(play: Player) -> None:
    async def scenario() -> None:
        seen: list[str] = []
        who.set("the server's")
        server = uvnet.create_server()
        server.max_connections = 0
        server.on("drop", lambda _: seen.append(who.get()))
        who.set("other")
        server.listen(0, "localhost")
        await event(server, "listening")
        with plain.create_connection(server.address()[::2]):
            await event(server, "drop")
        second = uvnet.Server()
        who.set("third")
        second.on("error", lambda _: seen.append(who.get()))
        second.listen(server.address().port, server.address().address)
        await event(second, "error")
        await close(server)
        assert seen == ["the server's", "other"]

    play(scenario)


def test_a_tick_runs_in_the_context_of_its_call(play: Player) -> None:
    async def scenario() -> None:
        seen: list[str] = []
        who.set("then")
        uvnet.next_tick(lambda: (seen.append(who.get()), who.set("in the tick")))
        who.set("now")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert seen == ["then"]
        assert who.get() == "now"

    play(scenario)


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="sizes of CPython")
def test_what_a_context_costs() -> None:
    """Bytes of one connection: the copy, which shares its values, and its header for the collector."""
    assert sys.getsizeof(contextvars.copy_context()) + 8 <= 100
