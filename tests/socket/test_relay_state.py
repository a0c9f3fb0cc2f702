"""What a program can see of its sockets is true while a relay runs: lengths, counters, timeouts, errors."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket as plain
import sys
import threading
from typing import Any

import pytest
from harness import Player
from interpreter import with_gil
from relay_scene import BULK, KINDS, Peer, Scene, pattern, relays_off, waiting_writes
from waiting import upcoming

import uvnet

pytestmark = pytest.mark.usefixtures("relays_on")

CHUNK = 60_000                  # does not fill the loop's buffer, so that data is copied
PERIOD = 1.5                    # seconds, of an idle timeout
STEPS = 60
ROUNDS = 4
GIVEN_UP = 25                  # relays in a round


def piped(scene: Scene, source_kind: str = "unix", sink_kind: str = "unix") -> tuple[Any, Any]:
    source, _ = scene.connect("source", source_kind)
    sink, _ = scene.connect("sink", sink_kind)
    source.pipe(sink)
    return source, sink


async def begin(scene: Scene, data: bytes = b"begin") -> None:
    """Let a first chunk go through."""
    scene.peers["source"].send(data)
    await scene.until(lambda: scene.peers["sink"].received.endswith(data))


@pytest.mark.parametrize("with_relays", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_chunk_counts_whole_until_it_is_written(play: Player, kind: str, with_relays: bool) -> None:
    """Rule 2.7.3: writable_length is that of the chunks, not of what the kernel has left of them."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene, "unix", kind)
        scene.peers["sink"].reading = False
        while waiting_writes() == 0:
            scene.peers["source"].send(pattern(CHUNK))
            await scene.quiet()
        assert source._relayed is with_relays
        assert sink.writable_length == CHUNK
        assert sink.writable_need_drain is False
        await scene.close()

    with contextlib.nullcontext() if with_relays else relays_off():
        play(scenario)


def test_bytes_in_a_kernel_pipe_count_as_written(play: Player) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene)
        scene.peers["sink"].reading = False
        scene.peers["source"].send(pattern(BULK))
        await scene.quiet()
        assert source._relayed
        assert source.bytes_read == sink.bytes_written > 0
        # Given up: what waited in the kernel waits in the socket.
        assert sink.writable_length > 2**16
        assert not source._relayed
        assert source.bytes_read == sink.bytes_written
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("end", ["source", "sink"])
def test_a_fifo_is_no_socket(play: Player, end: str) -> None:
    """Node: new net.Socket({fd}) takes a FIFO over; recv(2) and splice(2) between sockets are not for it."""

    async def scenario() -> None:
        scene = Scene()
        socket, peer = scene.connect("socket")
        reader, writer = os.pipe()
        if end == "source":
            fifo = scene.sockets["fifo"] = uvnet.Socket(fd=reader, writable=False)
            fifo.pipe(socket)
            os.write(writer, b"through a FIFO")
            await scene.until(lambda: peer.received == b"through a FIFO")
            os.close(writer)
            await scene.until(lambda: peer.ended)
        else:
            fifo = scene.sockets["fifo"] = uvnet.Socket(fd=writer, readable=False)
            socket.pipe(fifo, end=False)
            peer.send(b"through a FIFO")
            await scene.until(lambda: fifo.bytes_written == 14)
            assert os.read(reader, 100) == b"through a FIFO"
            os.close(reader)
        assert not fifo._relayed and not socket._relayed
        await scene.close()

    play(scenario)


@with_gil
def test_another_thread_may_look(play: Player) -> None:
    """Reading properties elsewhere neither disturbs the relay nor raises."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene)
        await begin(scene)
        failures: list[BaseException] = []
        looks = 0
        over = threading.Event()

        def look() -> None:
            nonlocal looks
            while not over.is_set():
                try:
                    assert sink.writable_length == 0
                    assert sink.writable_need_drain is False
                    assert source.readable_flowing is True
                    assert source.is_paused() is False
                    assert sink.listener_count("drain") == 0
                    assert source.bytes_read >= 0
                except BaseException as error:
                    failures.append(error)
                    return
                looks += 1

        thread = threading.Thread(target=look)
        thread.start()
        try:
            received = scene.peers["sink"].received
            await scene.until(lambda: looks > 100 or failures)
            received.clear()
            scene.peers["source"].send(pattern(BULK))
            await scene.until(lambda: len(received) == BULK)
            assert received == pattern(BULK)
        finally:
            over.set()
            thread.join()
        assert not failures
        assert source._relayed
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_no_timeout_while_bytes_flow_and_one_when_they_stop(play: Player, kind: str) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene, kind, kind)
        await begin(scene)
        fired: list[str] = []
        idle = [upcoming(source, "timeout"), upcoming(sink, "timeout")]
        for name, socket in scene.sockets.items():
            socket.on("timeout", lambda name=name: fired.append(name))
            socket.set_timeout(PERIOD)
        # For twice the period, and in steps so small that only a machine at a stand would miss one.
        for _ in range(STEPS):
            await begin(scene, b".")
            assert not fired
            await asyncio.sleep(2 * PERIOD / STEPS)
        assert source._relayed
        await asyncio.gather(*idle)
        assert sorted(set(fired)) == ["sink", "source"]
        assert source._relayed
        # Activity arms it again (rule 2.12.5).
        await begin(scene, b"again")
        await asyncio.gather(upcoming(source, "timeout"), upcoming(sink, "timeout"))
        await scene.close()

    play(scenario, 60)


@pytest.mark.parametrize("event", ["end", "close", "error"])
def test_a_listener_that_raises_is_reported_once(play: Player, event: str) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene, "tcp", "tcp")

        def listener(*arguments: object) -> None:
            raise LookupError("from user code")

        source.on(event, listener)
        await begin(scene)
        assert source._relayed
        if event == "error":
            scene.peers["source"].reset()
        else:
            scene.peers["source"].half_close()
        await scene.until(lambda: source.closed)
        assert sink.bytes_written == 5
        await scene.close()

    play(scenario)
    play.expect_report(LookupError)


@pytest.mark.parametrize("who", ["source", "sink"])
def test_a_connection_that_is_reset(play: Player, who: str) -> None:
    """The error is that of the read, or of the write, that met it."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene, "tcp", "tcp")
        errors: list[tuple[str, str, str]] = []
        for name, socket in scene.sockets.items():
            socket.on("error", lambda error, name=name: errors.append((name, error.code, error.syscall)))
        await begin(scene)
        assert source._relayed
        scene.peers[who].reset()
        await scene.until(lambda: scene.sockets[who].closed)
        assert errors == [(who, "ECONNRESET", "read")]
        other = sink if who == "source" else source
        assert not other.destroyed and not source._relayed
        assert other.is_paused() is (who == "sink")
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("with_relays", [True, False])
def test_a_sink_that_cannot_be_written_to(play: Player, with_relays: bool) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene)
        errors: list[tuple[str, str]] = []
        events: list[str] = []
        sink.on("error", lambda error: errors.append((error.code, error.syscall)))
        sink.on("unpipe", lambda _: events.append("unpipe"))
        sink.on("close", lambda had_error: events.append(f"close {had_error}"))
        # Not read, so that nothing but the write meets the end.
        sink.pause()
        await begin(scene)
        assert source._relayed is with_relays
        scene.peers["sink"].connection.shutdown(0)
        scene.peers["source"].send(b"never")
        await scene.until(lambda: sink.closed)
        assert errors == [("EPIPE", "write")]
        assert events == ["unpipe", "close True"]
        assert source.is_paused() and not source.destroyed and not source._relayed
        assert source.bytes_read == len(b"beginnever") and sink.bytes_written == len(b"begin")
        await scene.close()

    with contextlib.nullcontext() if with_relays else relays_off():
        play(scenario)


@pytest.mark.parametrize("with_relays", [True, False])
def test_a_sink_that_breaks_while_a_chunk_waits(play: Player, with_relays: bool) -> None:
    """What libuv could not write is an error of the sink, though nobody writes or reads any more."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene)
        errors: list[tuple[str, str]] = []
        sink.on("error", lambda error: errors.append((error.code, error.syscall)))
        scene.peers["sink"].reading = False
        while waiting_writes() == 0:
            scene.peers["source"].send(pattern(CHUNK))
            await scene.quiet()
        assert source._relayed is with_relays
        scene.peers["sink"].connection.shutdown(0)
        # There is room now.
        scene.peers["sink"].reading = True
        await scene.until(lambda: sink.closed)
        assert errors == [("EPIPE", "write")]
        assert not source.destroyed and not source._relayed
        assert source.bytes_read == sink.bytes_written
        await scene.close()

    with contextlib.nullcontext() if with_relays else relays_off():
        play(scenario)


def test_what_libuv_had_of_a_relay_is_freed(play: Player) -> None:
    """Given up, a relay leaves a write like any other behind."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene)
        sender, receiver = scene.peers["source"], scene.peers["sink"]
        with plain.socket(fileno=os.dup(scene.descriptors["sink"])) as same:
            # A single chunk is too much for it.
            same.setsockopt(plain.SOL_SOCKET, plain.SO_SNDBUF, 1)
        blocks = []
        for _ in range(ROUNDS):
            gc.collect()
            blocks.append(sys.getallocatedblocks())
            for _ in range(GIVEN_UP):
                await scene.until(lambda: source._relayed)
                receiver.reading = False
                sender.send(bytes(CHUNK))
                await scene.until(lambda: waiting_writes() == 1)
                source.pause()
                assert not source._relayed
                receiver.reading = True
                await scene.until(lambda: sink.writable_length == 0)
                source.resume()
                receiver.received.clear()
        # The first round makes what stays.
        assert blocks[-1] - blocks[1] < GIVEN_UP
        await scene.close()

    play(scenario)


def test_handing_the_sink_over(play: Player) -> None:
    """The new socket goes on behind what has been sent; the old one says nothing more."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene)
        await begin(scene)
        heir = scene.sockets["heir"] = uvnet.Socket(handle=sink)
        assert not source._relayed
        heir.write(b" and on")
        receiver: Peer = scene.peers["sink"]
        await scene.until(lambda: receiver.received == b"begin and on")
        sink.on("error", lambda error: None)
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("name", ["write", "on", "off"])
def test_a_sink_with_methods_of_its_own_is_never_relayed_to(play: Player, name: str) -> None:
    calls: list[Any] = []

    def method(self: uvnet.Socket, *arguments: Any) -> Any:
        calls.append(arguments)
        return getattr(uvnet.Socket, name)(self, *arguments)

    kind = type("Own", (uvnet.Socket,), {name: method})

    async def scenario() -> None:
        scene = Scene()
        source, _ = scene.connect("source")
        sink, _ = scene.connect("sink", near_class=kind)
        source.pipe(sink)
        await begin(scene)
        await begin(scene, b" more")
        assert not source._relayed
        if name == "write":
            assert calls == [(b"begin",), (b" more",)]
        await scene.close()

    play(scenario)


def test_what_was_written_before_goes_first(play: Player) -> None:
    """A write leaves at the end of the loop's turn, and in that turn more comes through the relay."""

    async def scenario() -> None:
        scene = Scene()
        source, _ = scene.connect("source")
        sink, receiver = scene.connect("sink")
        source.pipe(sink)
        await scene.quiet()
        assert source._relayed
        loop = asyncio.get_running_loop()
        near, far = plain.socketpair()
        written: list[bytes] = []

        def write() -> None:
            written.append(near.recv(10))
            sink.write(b"written ")

        loop.add_reader(near, write)
        await scene.quiet()
        # Ready in this order.
        far.send(b"now")
        scene.peers["source"].connection.send(b"received")
        await scene.until(lambda: len(receiver.received) == len(b"written received"))
        assert receiver.received == b"written received"
        assert written == [b"now"]
        assert source._relayed
        loop.remove_reader(near)
        near.close()
        far.close()
        await scene.close()

    play(scenario)
