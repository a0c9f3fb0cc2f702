"""Bulk goes through kernel pipes: when, how many, what becomes of them, and what happens where it cannot be."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any

import pytest
import uvloop
from harness import Player
from places import ISOLATED
from relay_scene import BULK, Scene, kernel_pipes, new_pipes, pattern

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="splice(2) is of Linux"),
    pytest.mark.usefixtures("relays_on"),
]

MIXES = [("tcp", "tcp"), ("tcp", "unix"), ("unix", "tcp"), ("unix", "unix")]
MOST_PIPES = 64                 # as in _stream/kernel_pipe.pxd
IDLE_PIPES = 8
SMALL_MOVES = 40
LARGE = 100_000                 # bytes: for the kernel to take, and the loop to read, at once
ROUNDS = 5
BULK_TRIES = 5
BROKEN_PIPE = ISOLATED / "broken_pipe.py"
WITHOUT_SPLICE = ISOLATED / "without_splice.py"


def piped(scene: Scene, mix: tuple[str, str], name: str = "") -> tuple[Any, Any]:
    source, _ = scene.connect(f"source{name}", mix[0])
    sink, _ = scene.connect(f"sink{name}", mix[1])
    source.pipe(sink)
    return source, sink


@pytest.mark.parametrize("mix", MIXES, ids="-".join)
def test_bulk_takes_a_kernel_pipe_and_small_data_none(play: Player, mix: tuple[str, str]) -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.quiet()
        before = set(kernel_pipes())
        piped(scene, mix)
        sender, receiver = scene.peers["source"], scene.peers["sink"]
        sent = bytearray()

        async def all_arrives() -> None:
            await scene.until(lambda: len(receiver.received) == len(sent))

        async def move(data: bytes) -> None:
            sender.send(data)
            sent.extend(data)
            await all_arrives()

        async def move_little() -> None:
            for number in range(SMALL_MOVES):
                await move(pattern(1000, number))

        await move_little()
        assert not new_pipes(before)
        await move(pattern(BULK))
        # Kept for the next bulk.
        assert list(new_pipes(before).values()) == [0]
        await move_little()
        # More bulk goes the same way: what the sink does not take waits there.  That needs a few full reads before
        # the sink is full, and how fast TCP brings them is the machine's affair.
        for number in range(BULK_TRIES):
            receiver.reading = False
            sender.send(pattern(BULK, number))
            sent += pattern(BULK, number)
            await scene.quiet()
            waits = [level > 0 for level in new_pipes(before).values()]
            receiver.reading = True
            await all_arrives()
            assert list(new_pipes(before).values()) == [0]
            if waits == [True]:
                break
        assert waits == [True]
        assert receiver.received == sent
        await scene.close()

    play(scenario)


def test_single_large_messages_take_none(play: Player) -> None:
    """Bulk is what comes in large reads one after the other."""

    async def scenario() -> None:
        scene = Scene()
        await scene.quiet()
        before = set(kernel_pipes())
        piped(scene, ("unix", "unix"))
        sent = bytearray()
        for number in range(SMALL_MOVES):
            for length in (LARGE, LARGE, 100):
                data = pattern(length, number)
                scene.peers["source"].send(data)
                sent += data
                await scene.until(lambda sent=sent: len(scene.peers["sink"].received) == len(sent))
            assert not new_pipes(before)
        assert scene.peers["sink"].received == sent
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("way", ["ended", "open", "waiting"])
def test_the_pool_is_closed_with_the_loop(way: str) -> None:
    # The first loop of a process opens a pipe of libuv's own, which stays.
    loop = uvloop.new_event_loop()
    before = set(kernel_pipes())
    scene = Scene()

    async def scenario() -> None:
        _, sink = piped(scene, ("unix", "unix"))
        scene.peers["source"].send(pattern(BULK))
        if way == "waiting":
            scene.peers["sink"].reading = False
        await scene.quiet()
        assert any(level > 0 for level in new_pipes(before).values()) is (way == "waiting")
        if way == "ended":
            await scene.close()

    descriptors = len(os.listdir("/proc/self/fd"))
    loop.run_until_complete(scenario())
    assert len(new_pipes(before)) > 0
    loop.close()
    for peer in scene.peers.values():
        peer.close()
    assert not new_pipes(before)
    assert len(os.listdir("/proc/self/fd")) < descriptors


def test_kernel_pipes_are_bounded(play: Player) -> None:
    """More bulk flows than kernel pipes, all of them waiting: the rest is copied, and everything arrives.

    Those that are closed make room for others.
    """

    async def scenario() -> None:
        outside = set(kernel_pipes())
        for _ in range(2):
            scene = Scene()
            await scene.quiet()
            flows = MOST_PIPES + 6
            data = pattern(BULK // 2)
            for number in range(flows):
                piped(scene, ("unix", "unix"), str(number))
                scene.peers[f"sink{number}"].reading = False
                scene.peers[f"source{number}"].send(b"%08d" % number + data)
            await scene.quiet()
            assert len(new_pipes(outside)) == MOST_PIPES
            for number in range(flows):
                scene.peers[f"sink{number}"].reading = True
            await scene.quiet()
            for number in range(flows):
                assert scene.peers[f"sink{number}"].received == b"%08d" % number + data
            await scene.close()
            assert len(new_pipes(outside)) == IDLE_PIPES

    play(scenario, 60)


def test_a_relay_that_is_idle_holds_no_kernel_pipe(play: Player) -> None:
    """However many connections have once moved bulk, others find a kernel pipe."""

    async def scenario() -> None:
        scene = Scene()
        await scene.quiet()
        before = set(kernel_pipes())
        data = pattern(BULK)
        for number in range(IDLE_PIPES):
            source, _ = piped(scene, ("unix", "unix"), str(number))
            scene.peers[f"source{number}"].send(data)
            await scene.quiet()
            assert scene.peers[f"sink{number}"].received == data
            assert source._relayed
        assert len(new_pipes(before)) == 1
        await scene.close()

    play(scenario)


def test_without_a_descriptor_to_be_had_data_is_copied(play: Player) -> None:
    async def scenario() -> None:
        scene = Scene()
        source, _ = piped(scene, ("tcp", "unix"))
        await scene.quiet()
        before = set(kernel_pipes())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        # Every number below the limit is taken.
        fillers: list[int] = []
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
        try:
            while True:
                try:
                    fillers.append(os.dup(0))
                except OSError:
                    break
            scene.peers["source"].send(pattern(BULK))
            await scene.until(lambda: len(scene.peers["sink"].received) == BULK)
        finally:
            for descriptor in fillers:
                os.close(descriptor)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert scene.peers["sink"].received == pattern(BULK)
        assert source._relayed
        assert not new_pipes(before)
        scene.peers["source"].send(pattern(BULK, 1))
        await scene.until(lambda: len(scene.peers["sink"].received) == 2 * BULK)
        assert len(new_pipes(before)) == 1
        await scene.close()

    play(scenario)


@pytest.mark.parametrize("refused", ["both", "out"])
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS", "EINVAL", "EACCES", "EOPNOTSUPP", "ENOMEM"])
def test_where_splice_is_refused_data_is_copied(error: str, refused: str) -> None:
    """A sandbox may forbid the system call; nobody notices."""
    done = subprocess.run(
        [sys.executable, str(WITHOUT_SPLICE), error, refused],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "UVNET_RELAY": "1"},
    )
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert (done.stdout, done.stderr, done.returncode) == ("all of it\n", "", 0)


def test_a_sink_that_is_gone_kills_nobody() -> None:
    """In a program that has taken SIGPIPE back, as tools for the command line do."""
    done = subprocess.run(
        [sys.executable, str(BROKEN_PIPE)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "UVNET_RELAY": "1"},
    )
    assert (done.stdout, done.stderr, done.returncode) == ("EPIPE\nalive\n", "", 0)


def test_the_kernel_pipe_of_a_relay_that_is_given_up(play: Player) -> None:
    """Given back as often as taken: a socket whose relay comes and goes opens no more than one."""

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene, ("unix", "tcp"))
        await scene.quiet()
        before = set(kernel_pipes())
        sent = b"".join(pattern(BULK, number) for number in range(ROUNDS))
        for number in range(ROUNDS):
            scene.peers["sink"].reading = False
            scene.peers["source"].send(pattern(BULK, number))
            await scene.quiet()
            assert sink.writable_length > 0
            assert not source._relayed
            scene.peers["sink"].reading = True
            await scene.quiet()
            assert source._relayed
        assert scene.peers["sink"].received == sent
        assert len(new_pipes(before)) == 1
        await scene.close()

    play(scenario)


def test_a_kernel_pipe_whose_data_is_lost_is_used_by_nobody_else(play: Player) -> None:
    """Memory for what it holds is not to be had: both ends fail, and the next relay begins with an empty one."""
    _testcapi = pytest.importorskip("_testcapi")

    async def scenario() -> None:
        scene = Scene()
        source, sink = piped(scene, ("unix", "unix"))
        errors: list[BaseException] = []
        source.on("error", errors.append)
        sink.on("error", errors.append)
        await scene.quiet()
        before = set(kernel_pipes())
        scene.peers["sink"].reading = False
        scene.peers["source"].send(pattern(BULK))
        await scene.until(lambda: any(new_pipes(before).values()))
        _testcapi.set_nomemory(0, 1)
        try:
            sink.cork()
        finally:
            _testcapi.remove_mem_hooks()
        assert not source._relayed
        await scene.until(lambda: source.closed and sink.closed)
        assert [type(error) for error in errors] == [MemoryError, MemoryError]
        assert not new_pipes(before)
        other, _ = piped(scene, ("unix", "unix"), "2")
        data = pattern(BULK, 1)
        scene.peers["source2"].send(data)
        await scene.until(lambda: len(scene.peers["sink2"].received) >= len(data))
        assert scene.peers["sink2"].received == data
        assert other._relayed
        assert list(new_pipes(before).values()) == [0]
        scene.peers["sink"].reading = True
        await scene.quiet()
        received = scene.peers["sink"].received
        assert received == pattern(BULK)[: len(received)]
        await scene.close()

    play(scenario)
