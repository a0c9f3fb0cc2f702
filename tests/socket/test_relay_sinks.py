"""When a relay does not begin because of its sink: what that promises then, only Python keeps."""

from __future__ import annotations

import pytest
import uvloop
from harness import Player
from relay_scene import Scene, move, pattern, relayed, waiting_writes

pytestmark = pytest.mark.usefixtures("relays_on")

CHUNK = 60_000                  # does not fill the loop's buffer, so that data is copied


async def fill(scene: Scene) -> bytes:
    """Send until the sink waits; what was sent."""
    sent = bytearray()
    scene.peers["sink"].reading = False
    while waiting_writes() == 0:
        chunk = pattern(CHUNK, len(sent))
        scene.peers["source"].send(chunk)
        sent += chunk
        await scene.quiet()
    return bytes(sent)


def test_a_sink_that_nobody_hears_drain(play: Player) -> None:
    """Without its 'drain' listener a pipe stays where it was left, as in Python so in C."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = await relayed(scene, writable_high_water_mark=CHUNK)
        receiver = scene.peers["sink"]
        sent = b"begin " + await fill(scene)
        assert sink.writable_need_drain
        sink.remove_all_listeners("drain")
        receiver.reading = True
        await scene.until(lambda: receiver.received == sent)
        await scene.quiet()
        assert source.is_paused()
        source.resume()
        await move(scene, b"by hand")
        assert not source._relayed
        await fill(scene)
        receiver.reading = True
        await scene.quiet()
        assert source.is_paused()
        await scene.close()

    play(scenario)


def test_a_sink_that_has_been_ended(play: Player) -> None:
    """What comes is a write after the end, and nothing that the system refuses."""

    async def scenario() -> None:
        scene = Scene()
        source, sender = scene.connect("source")
        sink, receiver = scene.connect("sink")
        errors: list[tuple[str, object]] = []
        sink.on("error", lambda error: errors.append((error.code, source._relayed)))
        sink.end(b"last")
        await scene.until(lambda: receiver.ended)
        await scene.quiet()
        source.pipe(sink)
        await scene.quiet()
        assert not source._relayed
        sender.send(b"late")
        await scene.until(lambda: sink.closed)
        assert errors == [("ERR_STREAM_WRITE_AFTER_END", False)]
        assert receiver.received == b"last"
        await scene.close()

    play(scenario)


def test_a_sink_that_still_writes(play: Player) -> None:
    """What comes through the pipe goes behind it."""

    async def scenario() -> None:
        scene = Scene()
        source, sender = scene.connect("source")
        sink, receiver = scene.connect("sink", writable_high_water_mark=2**30)
        receiver.reading = False
        written = bytearray()
        while not sink.writable_length:
            written += pattern(CHUNK, len(written))
            sink.write(bytes(written[-CHUNK:]))
            await scene.quiet()
        source.pipe(sink)
        sender.send(b"piped")
        await scene.quiet()
        assert not source._relayed
        receiver.reading = True
        await scene.until(lambda: len(receiver.received) == len(written) + 5)
        assert receiver.received == written + b"piped"
        await move(scene, b" and relayed")
        assert source._relayed
        await scene.close()

    play(scenario)


def test_a_sink_that_is_corked(play: Player) -> None:
    """Chunk after chunk it keeps what comes."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = await relayed(scene)
        receiver = scene.peers["sink"]
        sink.cork()
        for data in (b"one ", b"two ", b"three"):
            scene.peers["source"].send(data)
            await scene.quiet()
            assert not source._relayed
        assert receiver.received == b"begin "
        sink.uncork()
        await scene.until(lambda: receiver.received == b"begin one two three")
        await scene.close()

    play(scenario)


def test_a_sink_that_has_a_relay_already(play: Player) -> None:
    """One of two sources goes through Python, and takes over when the other is undone."""

    async def scenario() -> None:
        scene = Scene()
        first, sink = await relayed(scene)
        second, sender = scene.connect("second")
        second.pipe(sink)
        expected = bytearray(b"begin ")
        for number in range(3):
            for peer in (scene.peers["source"], sender):
                data = b"%d " % number
                peer.send(data)
                expected.extend(data)
                await scene.until(lambda: scene.peers["sink"].received == expected)
                await scene.quiet()
                assert first._relayed is not second._relayed
        last = second if first._relayed else first
        (first if first._relayed else second).unpipe(sink)
        scene.peers["source" if last is first else "second"].send(b"last")
        await scene.until(lambda: scene.peers["sink"].received == expected + b"last")
        assert first._relayed is (last is first) and second._relayed is (last is second)
        await scene.close()

    play(scenario)


def test_a_sink_of_another_loop(play: Player) -> None:
    """Its loop may not even run."""
    other = uvloop.new_event_loop()

    async def make() -> Scene:
        scene = Scene()
        scene.connect("sink")
        await scene.quiet()
        return scene

    elsewhere = other.run_until_complete(make())

    async def scenario() -> None:
        scene = Scene()
        source, sender = scene.connect("source")
        source.pipe(elsewhere.sockets["sink"])
        await scene.quiet()
        assert not source._relayed
        sender.send(b"one")
        await scene.until(lambda: source.bytes_read == 3)
        assert not source._relayed
        await scene.close()

    play(scenario)
    other.run_until_complete(elsewhere.close())
    other.close()
