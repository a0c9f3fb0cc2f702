"""Every condition of a relay: when it ends, nothing is lost, repeated or reordered, and the relay comes back.

The conditions stand in the first lines of src/uvnet/socket/relaying.pyx.  Each is ended while the relay is idle, while
it waits for libuv to write something, and while a kernel pipe holds data.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from harness import Player
from relay_scene import BULK, Scene, kernel_pipes, new_pipes, pattern, waiting_writes

import uvnet

pytestmark = pytest.mark.usefixtures("relays_on")
linux = pytest.mark.skipif(sys.platform != "linux", reason="splice(2) is of Linux")

MIXES = [("tcp", "unix"), ("unix", "tcp")]
STATES = ["idle", "waiting", pytest.param("piped", marks=linux)]
CHUNK = 60_000                  # does not fill the loop's buffer, so that data is copied

Act = Callable[[Any, Any], object]


def ignore(*arguments: object) -> None:
    """A listener."""


def nothing(source: Any, sink: Any) -> None:
    """What ended the condition has ended itself."""


@dataclass
class Condition:
    """How it ends, returning bytes that go in front of what is not read yet, and how it comes to hold again."""

    name: str
    end: Act
    restore: Act = nothing
    comes_back: bool = True
    at_once: bool = False           # back already when the call returns, while nothing waits


def listening(who: str, name: str) -> Condition:
    def chosen(source: Any, sink: Any) -> Any:
        return source if who == "source" else sink

    return Condition(
        f"{name} on the {who}",
        lambda *both: chosen(*both).on(name, ignore) and None,
        lambda *both: chosen(*both).off(name, ignore),
    )


def looking(who: str, name: str) -> Condition:
    def look(source: Any, sink: Any) -> None:
        found = getattr(source if who == "source" else sink, name)
        if callable(found):
            found()

    return Condition(f"{name} of the {who}", look)


def unshift(source: Any, sink: Any) -> bytes:
    source.unshift(b"unshifted")
    return b"unshifted"


def write_behind(source: Any, sink: Any) -> bytes:
    # A write ends a relay only while something waits; cork() does always.
    sink.cork()
    sink.write(b"written")
    sink.uncork()
    return b"written"


def iterate(source: Any, sink: Any) -> None:
    # Kept: an iterator that is dropped destroys its socket.
    source.iterator = source.__aiter__()


def pause(source: Any, sink: Any) -> None:
    source.pause()


def resume(source: Any, sink: Any) -> None:
    source.resume()


def replacing(who: str, name: str) -> Condition:
    def replace(source: Any, sink: Any) -> None:
        socket = source if who == "source" else sink
        setattr(socket, name, getattr(socket, name))

    def give_back(source: Any, sink: Any) -> None:
        delattr(source if who == "source" else sink, name)

    return Condition(f"its own {name}() of the {who}", replace, give_back)


CONDITIONS = [
    *(listening("source", name) for name in ("data", "readable", "pause", "resume")),
    *(listening("sink", name) for name in ("drain", "newListener", "removeListener")),
    *(looking("source", name) for name in ("readable_flowing", "is_paused", "read")),
    *(looking("sink", name) for name in ("writable_length", "writable_need_drain", "buffer_size", "event_names")),
    Condition("listeners of the sink for 'drain'", lambda source, sink: sink.listeners("drain") and None),
    Condition("number of listeners of the sink", lambda source, sink: sink.listener_count("drain") and None),
    *(replacing("source", name) for name in ("pause", "resume")),
    *(replacing("sink", name) for name in ("write", "on", "off")),
    Condition("pause()", pause, resume),
    Condition("resume()", resume),
    Condition("unshift()", unshift, at_once=True),
    Condition("cork() and write()", write_behind),
    Condition("cork()", lambda source, sink: sink.cork(), lambda source, sink: sink.uncork()),
    Condition(
        "unpipe()",
        lambda source, sink: source.unpipe(sink) and None,
        lambda source, sink: source.pipe(sink),
    ),
    Condition("an iterator", iterate, resume),
    Condition("set_encoding()", lambda source, sink: source.set_encoding("latin1") and None, comes_back=False),
]


async def fill(scene: Scene, state: str) -> bytes:
    """Bring the relay into a state; returns what was sent for that."""
    source, sender, receiver = scene.sockets["source"], scene.peers["source"], scene.peers["sink"]
    sent = bytearray()

    def send(length: int) -> None:
        chunk = pattern(length, len(sent))
        sender.send(chunk)
        sent.extend(chunk)

    if state == "waiting":
        receiver.reading = False
        begun = source.bytes_read

        def taken() -> bool:
            return source.bytes_read == begun + len(sent) or waiting_writes() > 0

        # The kernel may make more room a little later: what waits must still wait then.
        while waiting_writes() == 0:
            send(CHUNK)
            await scene.until(taken)
            await scene.quiet()
    elif state == "piped":
        before = set(kernel_pipes())

        def more() -> None:
            if len(sender.outgoing) < CHUNK:
                send(BULK)

        def splices() -> bool:
            more()
            return bool(new_pipes(before))

        # Only when data comes fast enough, which a busy machine decides, there is a kernel pipe.
        await scene.until(splices)
        receiver.reading = False

        def holds() -> bool:
            more()
            return [level > 0 for level in new_pipes(before).values()] == [True]

        await scene.until(holds)
        await scene.quiet()
    return bytes(sent)


async def piped(scene: Scene, mix: tuple[str, str]) -> tuple[Any, Any]:
    """A pipe() that has become a relay."""
    source, _ = scene.connect("source", mix[0])
    sink, _ = scene.connect("sink", mix[1])
    source.pipe(sink)
    scene.peers["source"].send(b"begin ")
    await scene.until(lambda: scene.peers["sink"].received == b"begin ")
    assert source._relayed
    return source, sink


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("mix", MIXES, ids="-".join)
@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_condition_ends(play: Player, condition: Condition, mix: tuple[str, str], state: str) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = await piped(scene, mix)
        sender, receiver = scene.peers["source"], scene.peers["sink"]
        sent = b"begin " + await fill(scene, state)
        assert source._relayed
        inserted = condition.end(source, sink) or b""
        position = source.bytes_read
        assert source._relayed is (condition.at_once and state == "idle")
        receiver.reading = True
        await scene.quiet()
        condition.restore(source, sink)
        sender.send(b" more")
        sent += b" more"
        rest = sent[position:]
        if source.readable_encoding is not None:
            # Text goes on as utf8.
            rest = rest.decode("latin1").encode()
        expected = sent[:position] + inserted + rest
        await scene.until(lambda: len(receiver.received) >= len(expected))
        await scene.quiet()
        assert receiver.received == expected
        sender.send(b" end")
        await scene.until(lambda: receiver.received == expected + b" end")
        assert source._relayed is condition.comes_back
        await scene.close()

    play(scenario)


FLOWS_ON = [
    condition
    for condition in CONDITIONS
    if condition.restore is not nothing or not condition.comes_back
    if not condition.name.startswith(("readable on", "pause()", "cork", "unpipe", "an iterator"))
]


@pytest.mark.parametrize("condition", FLOWS_ON, ids=lambda condition: condition.name)
def test_while_a_condition_does_not_hold_python_pipes(play: Player, condition: Condition) -> None:
    """Each chunk that goes through Python asks whether a relay may be again."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = await piped(scene, ("unix", "unix"))
        receiver = scene.peers["sink"]
        condition.end(source, sink)

        async def move(data: bytes) -> None:
            scene.peers["source"].send(data)
            await scene.until(lambda: receiver.received.endswith(data))
            await scene.quiet()

        for data in (b"one ", b"two "):
            await move(data)
            assert not source._relayed
        condition.restore(source, sink)
        await move(b"three ")
        assert source._relayed is condition.comes_back
        assert receiver.received == b"begin one two three "
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("mix", MIXES, ids="-".join)
def test_a_second_pipe(play: Player, mix: tuple[str, str], state: str) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = await piped(scene, mix)
        other, _ = scene.connect("other", mix[0])
        sent = b"begin " + await fill(scene, state)
        source.pipe(other)
        position = source.bytes_read
        assert not source._relayed
        scene.peers["sink"].reading = True
        scene.peers["source"].send(b" more")
        sent += b" more"
        await scene.until(lambda: scene.peers["sink"].received == sent)
        await scene.until(lambda: scene.peers["other"].received == sent[position:])
        source.unpipe(other)
        scene.peers["source"].send(b" end")
        await scene.until(lambda: scene.peers["sink"].received == sent + b" end")
        assert source._relayed
        assert scene.peers["other"].received == sent[position:]
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("mix", MIXES, ids="-".join)
def test_a_write_comes_behind_what_waits(play: Player, mix: tuple[str, str], state: str) -> None:
    """What was received before the write goes first, counts as waiting, and is owed a 'drain' as the write is."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = await piped(scene, mix)
        sender, receiver = scene.peers["source"], scene.peers["sink"]
        sent = b"begin " + await fill(scene, state)
        position = source.bytes_read
        called: list[object] = []
        accepted = sink.write(b"written", called.append)
        # Where nothing waits it does not end the relay.
        assert source._relayed is (state == "idle")
        assert accepted is (sink.writable_length < sink.writable_high_water_mark)
        assert accepted is not sink.writable_need_drain
        if state == "idle":
            await scene.quiet()
        else:
            assert sink.writable_length >= len(b"written")
            await scene.quiet()
            # The kernel may have made more room by itself.
            assert called == ([] if sink.writable_length else [None])
        receiver.reading = True
        sender.send(b" more")
        expected = sent[:position] + b"written" + sent[position:] + b" more"
        await scene.until(lambda: len(receiver.received) >= len(expected))
        assert receiver.received == expected
        assert called == [None]
        assert sink.writable_length == 0
        assert not sink.writable_need_drain
        await scene.close()

    play(scenario)


def test_each_direction_ends_alone(play: Player) -> None:
    """A socket in the middle of two relays: what ends the one to it leaves the one from it, and the other way round."""

    async def scenario() -> None:
        scene = Scene()
        first, _ = scene.connect("first")
        middle, receiver = scene.connect("middle")
        last, _ = scene.connect("last")
        first.pipe(middle)
        middle.pipe(last)
        await scene.quiet()
        assert first._relayed and middle._relayed
        assert middle.writable_length == 0
        assert not first._relayed and middle._relayed
        scene.peers["first"].send(b"again")
        await scene.until(lambda: receiver.received == b"again")
        assert first._relayed and middle._relayed
        assert middle.readable_flowing is True
        assert first._relayed and not middle._relayed
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("over", [0, 1])
def test_what_waits_up_to_the_mark_is_owed_a_drain(play: Player, over: int) -> None:
    """As many bytes as the high-water mark are too many, one fewer are not."""

    async def scenario() -> None:
        scene = Scene()
        source, _ = scene.connect("source", "unix")
        sink, receiver = scene.connect("sink", "unix", writable_high_water_mark=CHUNK + over)
        source.pipe(sink)
        await scene.quiet()
        sent = await fill(scene, "waiting")
        assert source._relayed
        assert sink.writable_need_drain is (over == 0)
        assert sink.writable_length == CHUNK
        assert source.readable_flowing is (over != 0)
        receiver.reading = True
        await scene.until(lambda: len(receiver.received) == len(sent))
        await scene.quiet()
        scene.peers["source"].send(b" more")
        await scene.until(lambda: receiver.received == sent + b" more")
        assert source._relayed
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("mix", MIXES, ids="-".join)
@pytest.mark.parametrize("how", ["end of the sink", "source destroyed", "source handed over"])
def test_what_was_received_is_delivered(play: Player, mix: tuple[str, str], state: str, how: str) -> None:
    """Whatever becomes of the source, what write() would have accepted goes out."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = await piped(scene, mix)
        receiver = scene.peers["sink"]
        sent = b"begin " + await fill(scene, state)
        if how == "end of the sink":
            sink.end(b" end")
        elif how == "source destroyed":
            source.destroy()
            sink.end(b" end")
        else:
            scene.sockets["source"] = uvnet.Socket(handle=source)
            sink.end(b" end")
        position = source.bytes_read or sink.bytes_written - len(b" end")
        assert not source._relayed
        receiver.reading = True
        await scene.until(lambda: receiver.ended)
        assert receiver.received == sent[:position] + b" end"
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("mix", MIXES, ids="-".join)
def test_the_end_of_the_source_comes_last(play: Player, mix: tuple[str, str], state: str) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = await piped(scene, mix)
        events: list[str] = []
        for name, socket in (("source", source), ("sink", sink)):
            for event in ("end", "finish", "close", "unpipe"):
                socket.on(event, lambda *_, what=f"{name} {event}": events.append(what))
        sent = b"begin " + await fill(scene, state)
        scene.peers["source"].half_close()
        scene.peers["sink"].reading = True
        await scene.until(lambda: scene.peers["sink"].ended)
        assert scene.peers["sink"].received == sent
        await scene.until(lambda: "sink finish" in events)
        assert events.index("source end") < events.index("sink finish")
        assert source.bytes_read == sink.bytes_written == len(sent)
        assert not source._relayed
        await scene.close()

    play(scenario)
