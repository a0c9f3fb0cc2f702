"""When a relay does not begin because of its source: what that promises then, only Python keeps.

A relay is tried when the source begins to flow and after each chunk that went the way through Python.
"""

from __future__ import annotations

import asyncio
import socket as plain
from pathlib import Path
from typing import Any

import pytest
from harness import Player
from relay_scene import KINDS, Peer, Scene, move, relayed
from waiting import upcoming

import uvnet

pytestmark = pytest.mark.usefixtures("relays_on")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("late", [("source",), ("sink",), ("source", "sink")], ids=" and ".join)
def test_a_pipe_between_sockets_that_are_not_connected_yet(
    play: Player, late: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    """It is a relay once both are."""

    async def scenario() -> None:
        scene = Scene()
        for name in ("source", "sink"):
            if name in late:
                scene.sockets[name] = uvnet.Socket()
            else:
                scene.connect(name)
        source: Any = scene.sockets["source"]
        source.pipe(scene.sockets["sink"])
        await scene.quiet()
        assert not source._relayed
        seen: list[bool] = []
        with plain.socket(plain.AF_INET if kind == "tcp" else plain.AF_UNIX) as listener:
            listener.bind(("127.0.0.1", 0) if kind == "tcp" else str(tmp_path / "socket"))
            listener.listen()
            where: Any = listener.getsockname()
            for name in late:
                socket = scene.sockets[name]
                socket.on("connect", lambda: seen.append(source._relayed))
                socket.connect(where[1] if kind == "tcp" else where)
                # Another try, while it connects.
                source.pause()
                source.resume()
                await asyncio.wait_for(upcoming(socket, "connect"), 5)
                scene.peers[name] = Peer(listener.accept()[0])
        assert seen == [False] * len(late)
        await move(scene, b"first")
        await move(scene, b"second")
        assert source._relayed
        await scene.close()

    play(scenario)


def test_a_source_that_is_paused_at_once(play: Player) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sender = scene.connect("source")
        sink, receiver = scene.connect("sink")
        source.pipe(sink)
        source.pause()
        sender.send(b"kept back")
        await scene.quiet()
        assert not source._relayed
        assert receiver.received == b""
        source.resume()
        await scene.until(lambda: receiver.received == b"kept back")
        await scene.close()

    play(scenario)


def test_a_paused_source_that_is_read_by_hand(play: Player) -> None:
    """What read() returns goes down the pipe, and what comes after it waits for the next one."""

    async def scenario() -> None:
        scene = Scene()
        source, _ = await relayed(scene)
        receiver = scene.peers["sink"]
        source.pause()
        scene.peers["source"].send(b"one")
        await scene.quiet()
        assert source.read() == b"one"
        scene.peers["source"].send(b"two")
        await scene.quiet()
        assert receiver.received == b"begin one"
        assert source.read() == b"two"
        await scene.until(lambda: receiver.received == b"begin onetwo")
        await scene.close()

    play(scenario)


def test_a_source_whose_end_has_been_read(play: Player) -> None:
    """There is nothing left to relay, though what was received is still given out."""

    async def scenario() -> None:
        scene = Scene()
        source, _ = await relayed(scene)
        source.pause()
        scene.peers["source"].send(b"last")
        scene.peers["source"].half_close()
        await scene.quiet()
        seen: list[bool] = []
        # Before pipe() hears of it, and ends the sink.
        source.prepend_listener("end", lambda: seen.append(source._relayed))
        source.resume()
        await scene.until(lambda: scene.peers["sink"].ended)
        assert scene.peers["sink"].received == b"begin last"
        assert seen == [False]
        await scene.close()

    play(scenario)


def test_a_source_that_a_coroutine_reads(play: Player) -> None:
    """The chunks that the pipe sends on are the coroutine's too."""

    async def scenario() -> None:
        scene = Scene()
        source, _ = scene.connect("source")
        sink, _ = scene.connect("sink")
        chunks: list[bytes] = []

        async def read() -> None:
            async for chunk in source:
                chunks.append(chunk)

        reading = asyncio.ensure_future(read())
        await scene.quiet()
        source.pipe(sink)
        await scene.quiet()
        assert not source._relayed
        await move(scene, b"one")
        assert not source._relayed
        scene.peers["source"].half_close()
        await scene.until(reading.done)
        await reading
        await scene.close()

    play(scenario)


def test_a_source_with_a_buffer_of_its_own(play: Player) -> None:
    """Option onread: what comes goes to its callback, and nowhere else."""

    async def scenario() -> None:
        scene = Scene()
        got: list[bytes] = []
        onread = {"buffer": bytearray(100), "callback": lambda size, buffer: got.append(bytes(buffer[:size]))}
        source, sender = scene.connect("source", onread=onread)
        sink, receiver = scene.connect("sink")
        source.pipe(sink)
        await scene.quiet()
        for data in (b"one", b"two"):
            sender.send(data)
            await scene.quiet()
        assert got == [b"one", b"two"]
        assert receiver.received == b""
        await scene.close()

    play(scenario)


def test_a_second_pipe_that_hears_nothing(play: Player) -> None:
    """Its sink slows the source down all the same."""

    async def scenario() -> None:
        scene = Scene()
        source, _ = await relayed(scene)
        other, _ = scene.connect("other")
        source.pipe(other)
        source.off("data", source.listeners("data")[1])
        await move(scene, b"one")
        await move(scene, b"two")
        assert not source._relayed
        source.unpipe(other)
        # That has paused nothing, as there is another pipe.
        await move(scene, b"three")
        assert source._relayed
        await scene.close()

    play(scenario)


def test_a_listener_left_of_a_pipe_that_was_undone(play: Player) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = await relayed(scene)
        listener = source.listeners("data")[0]
        source.unpipe(sink)
        source.on("data", listener)
        source.resume()
        await move(scene, b"one")
        await move(scene, b"two")
        assert not source._relayed
        await scene.close()

    play(scenario)


def test_a_source_that_flows_though_it_is_read_by_hand(play: Player) -> None:
    """resume() while one of two 'readable' listeners is being taken away lets it flow, as in Node."""

    async def scenario() -> None:
        scene = Scene()
        source, _ = await relayed(scene)
        goes, stays = (lambda: None), (lambda: None)
        source.on("readable", goes)
        source.on("readable", stays)
        await scene.quiet()
        source.off("readable", goes)
        source.resume()
        for data in (b"one", b"two"):
            await move(scene, data)
            assert not source._relayed
        assert source.readable_flowing is True
        source.off("readable", stays)
        await move(scene, b"three")
        assert source._relayed
        await scene.close()

    play(scenario)


CAME_BACK = [
    *(("source", event) for event in ("data", "readable", "pause", "resume")),
    *(("sink", event) for event in ("drain", "newListener", "removeListener")),
]


@pytest.mark.parametrize(("who", "event"), CAME_BACK)
def test_a_relay_that_comes_back_while_a_listener_is_added(play: Player, who: str, event: str) -> None:
    """Whoever is told of a new listener may make the source give out a chunk, after which a relay is tried."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = await relayed(scene)
        socket = source if who == "source" else sink
        got: list[object] = []
        socket.once("newListener", lambda *_: source.unshift(b"put back "))

        def listener(*arguments: object) -> None:
            got.extend(arguments)

        socket.on(event, listener)
        assert not source._relayed
        if event == "readable":
            source.off(event, listener)
        await move(scene, b"more")
        assert scene.peers["sink"].received == b"begin put back more"
        if event == "data":
            assert got == [b"more"]
        await scene.close()

    play(scenario)


def test_an_attribute_of_the_programs_own(play: Player) -> None:
    """It takes nothing over that a relay does."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = await relayed(scene)
        source.number, sink.number = 1, 2
        assert source._relayed
        assert (source.number, sink.number) == (1, 2)
        await scene.close()

    play(scenario)
