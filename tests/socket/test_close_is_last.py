"""'close' is the last event of a life, whatever ends it and wherever (rule 2.11.4).

Swept: two connections with a pipe between them, each of which is ended in every listener, callback and tick of
either.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from harness import Player
from pairs import take_over
from waiting import turns, until

import uvnet

EVENTS = (
    "lookup", "connectionAttempt", "connect", "ready", "data", "readable", "end", "drain", "prefinish", "finish",
    "pause", "resume", "pipe", "unpipe", "timeout", "error", "close",
)  # fmt: skip
ENDS: dict[str, Callable[[uvnet.Socket], object]] = {
    "destroy": lambda socket: socket.destroy(),
    "fail": lambda socket: socket.destroy(ConnectionError("by the test")),
    "end": lambda socket: socket.end(b"last"),
    "destroy_soon": lambda socket: socket.destroy_soon(),
    "write after end": lambda socket: socket.end().write(b"x"),
}
MOMENTS = [
    *(f"{who} {event}" for who in ("source", "sink") for event in EVENTS),
    "source written", "source ended", "sink written", "sink ended", "tick", "turn", "at once",
]  # fmt: skip
AFTER: tuple[Callable[[uvnet.Socket], object], ...] = (
    lambda socket: socket.pause(),
    lambda socket: socket.resume(),
    lambda socket: socket.read(),
    lambda socket: socket.read(0),
    lambda socket: socket.write(b"x"),
    lambda socket: socket.end(b"x"),
    lambda socket: socket.cork(),
    lambda socket: socket.uncork(),
    lambda socket: socket.set_encoding(),
    lambda socket: socket.set_timeout(0.001),
    lambda socket: socket.unpipe(),
    lambda socket: socket.pipe(socket),
    lambda socket: socket.on("data", lambda chunk: None),
    lambda socket: socket.on("readable", lambda: None),
    lambda socket: socket.destroy(ConnectionError("too late")),
    lambda socket: socket.reset_and_destroy(),
)


def record(socket: uvnet.Socket, happened: Callable[[str], None]) -> list[str]:
    """Every event from now on: what is heard first, and what is heard by who comes last and goes first."""
    log: list[str] = []

    def listener(event: str) -> Callable[..., None]:
        def hear(*_arguments: Any) -> None:
            log.append(event)
            happened(event)

        return hear

    for event in EVENTS:
        if event != "readable":
            socket.on(event, listener(event))
    return log


async def play_one(moment: str, whose: str, end: str) -> None:
    source, source_peer = take_over("unix")
    sink, sink_peer = take_over("unix")
    sockets = {"source": source, "sink": sink}
    due = [moment]

    def happens(what: str) -> None:
        if what in due:
            due.remove(what)
            for name, socket in sockets.items():
                if whose in (name, "both"):
                    ENDS[end](socket)

    logs = {
        name: record(socket, lambda event, name=name: happens(f"{name} {event}"))
        for name, socket in sockets.items()
    }
    source.pipe(sink)
    for name, socket in sockets.items():
        # One that is called before all others.
        socket.prepend_listener("close", lambda *_, name=name: logs[name].append("close first"))
        socket.write(b"x", lambda _error, name=name: happens(f"{name} written"))
    with contextlib.suppress(BrokenPipeError):
        source_peer.send(b"data")
    if moment == "at once":
        happens(moment)
    uvnet.next_tick(happens, "tick")
    await turns(2)
    happens("turn")
    source.end(lambda _error: happens("source ended"))
    source_peer.close()
    await turns(2)
    if sink.writable:
        sink.end(lambda _error: happens("sink ended"))
    sink_peer.close()
    await turns(2)
    for socket in sockets.values():
        socket.destroy()
    await until(lambda: source.closed and sink.closed)
    for name, socket in sockets.items():
        ends = logs[name]
        for act in AFTER:
            act(socket)
        await turns(2)
        assert ends[-2:] == ["close first", "close"], (name, ends)
        assert ends.count("close") == 1, (name, ends)
        assert ends.count("unpipe") == ends.count("pipe"), (name, ends)


@pytest.mark.parametrize("end", ENDS)
def test_nothing_follows_close(play: Player, end: str) -> None:
    async def scenario() -> None:
        for moment in MOMENTS:
            for whose in ("source", "sink", "both"):
                await asyncio.wait_for(play_one(moment, whose, end), 5)

    play(scenario, timeout=60)


def test_who_is_piped_to_hears_so_before_close(play: Player) -> None:
    """The example: `a.pipe(b); b.destroy()`."""

    async def scenario() -> None:
        source, source_peer = take_over("unix")
        sink, sink_peer = take_over("unix")
        log: list[str] = []
        sink.on("close", lambda _: log.append("close"))
        source.pipe(sink)
        sink.on("unpipe", lambda whose: log.append(f"unpipe {whose is source} {source.is_paused()}"))
        sink.destroy()
        await until(lambda: sink.closed)
        assert log == ["unpipe True True", "close"]
        assert source.listener_count("data") == 0
        source.destroy()
        await until(lambda: source.closed)
        source_peer.close()
        sink_peer.close()

    play(scenario)


def test_an_unpipe_listener_that_raises_does_not_keep_close_away(play: Player) -> None:
    async def scenario() -> None:
        sink, sink_peer = take_over("unix")
        sources = [take_over("unix") for _ in range(3)]
        closed: list[bool] = []

        def fail(_source: object) -> None:
            raise KeyError("by the test")

        sink.once("unpipe", fail)
        sink.on("close", closed.append)
        for source, _ in sources:
            source.pipe(sink)
        sink.destroy()
        await until(lambda: sink.closed)
        assert closed == [False]
        for source, peer in sources:
            assert source.listener_count("data") == 0
            source.destroy()
            await until(lambda source=source: source.closed)
            peer.close()
        sink_peer.close()

    play(scenario)
    play.expect_report(KeyError)
