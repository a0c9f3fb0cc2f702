"""Child processes and what is sent to them, when things go wrong and when there is much of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import random
import signal
import socket as plain
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from descriptors import open_descriptors
from harness import Player
from places import ISOLATED
from ports import connection, script
from waiting import turns, until, upcoming

import uvnet

PACKAGE_PARENT = Path(uvnet.__file__).parent.parent


def fork(directory: Path, text: str, **options: Any) -> uvnet.processes.ChildProcess:
    return uvnet.fork(script(directory, text), **options)


async def gone(pid: int) -> None:
    """Wait until there is no such process any more; a zombie is one."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.005)


# Sends each socket back, now and then with some of what has come, which it says.
JUGGLER = """
import uvnet

async def main():
    parent = uvnet.parent_process()
    over = uvnet.once(parent, "disconnect")

    def on_message(message, socket):
        number, reads = message
        if not reads:
            parent.send([number, ""], socket)
            return

        def on_readable():
            data = socket.read()
            if data:
                socket.off("readable", on_readable)
                parent.send([number, data.decode()], socket)

        socket.on("readable", on_readable)

    parent.on("message", on_message)
    await over

uvnet.run(main())
"""
CONNECTIONS = 100
TRIPS = 50  # there and back, of each: 10,000 sockets are sent


def sockets_of(child: Any) -> int:
    """How many sockets a process has open."""
    count = 0
    for path in Path(f"/proc/{child.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(path).startswith("socket:")
    return count


def test_ten_thousand_sockets_there_and_back(play: Player, tmp_path: Path) -> None:
    chance = random.Random(1)

    async def scenario() -> None:
        await turns()
        before = set(open_descriptors())
        children = [fork(tmp_path, JUGGLER) for _ in range(2)]
        exits = [upcoming(child, "close") for child in children]
        fars: list[plain.socket] = []
        texts = [""] * CONNECTIONS
        sent = [""] * CONNECTIONS
        trips = [0] * CONNECTIONS
        ends: list[Any] = []
        failures: list[Any] = []
        done = asyncio.get_running_loop().create_future()

        def called(error: Any) -> None:
            if error is not None:
                failures.append(error)

        def throw(number: int, socket: Any) -> None:
            # There is always some that nobody has read.
            word = f"{number}.{trips[number]} "
            fars[number].send(word.encode())
            sent[number] += word
            children[trips[number] % 2].send([number, chance.random() < 0.5], socket, called)

        def caught(message: Any, socket: Any) -> None:
            number, text = message
            texts[number] += text
            trips[number] += 1
            if trips[number] < TRIPS:
                throw(number, socket)
                return
            ends.append((number, socket))
            if len(ends) == CONNECTIONS:
                done.set_result(None)

        for child in children:
            child.on("message", caught)
        for number in range(CONNECTIONS):
            socket, far = connection()
            fars.append(far)
            throw(number, socket)
        await done
        for far in fars:
            far.shutdown(plain.SHUT_WR)
        for number, socket in ends:
            texts[number] += (await socket.read_all(1 << 20)).decode()
            socket.destroy()
        assert failures == []
        assert texts == sent
        for child in children:
            child.send([0, False])
            # What is left open in there would be seen here; what was sent is closed when that is acknowledged.
            await until(lambda child=child: sockets_of(child) < 10)
            child.kill()
        for far in fars:
            assert far.recv(1) == b""
            far.close()
        for end in exits:
            assert await end == (None, "SIGTERM")
        await turns()
        # The loop itself keeps a descriptor of that.
        left = {number: link for number, link in open_descriptors().items() if number not in before and link != "/dev/null"}
        assert left == {}

    play(scenario, timeout=90)


# Without descriptors to spare.
POOR = """
import os, resource, uvnet

async def main():
    parent = uvnet.parent_process()
    over = uvnet.once(parent, "disconnect")
    kept = []

    def on_message(message, socket):
        if message == "be poor":
            limit = max(map(int, os.listdir("/proc/self/fd"))) + 10
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            fill = []
            try:
                while True:
                    fill.append(os.dup(0))
            except OSError:
                for number in fill[-3:]:
                    os.close(number)
            parent.send("poor")
        elif message == "let go":
            for each in kept:
                each.destroy()
        else:
            kept.append(socket)
            socket.write("child")

    parent.on("message", on_message)
    await over

uvnet.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_receiver_out_of_descriptors(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = fork(tmp_path, POOR)
        over = upcoming(child, "close")
        answer = upcoming(child, "message")
        child.send("be poor")
        await answer
        pairs = [connection() for _ in range(10)]
        told: dict[int, Any] = {}
        for number, (socket, _) in enumerate(pairs):
            child.send("socket", socket, lambda error, number=number: told.update({number: error}))
        await until(lambda: len(told) == 10)
        refused = [number for number in told if told[number] is not None]
        assert 0 < len(refused) < 10
        assert {told[number].errno for number in refused} == {errno.EMFILE}
        for number, (socket, far) in enumerate(pairs):
            if number in refused:
                socket.write("parent")
            assert await asyncio.to_thread(far.recv, 10) == (b"parent" if number in refused else b"child")
        child.send("let go")
        accepted = next(number for number in told if told[number] is None)
        assert await asyncio.to_thread(pairs[accepted][1].recv, 10) == b""
        # There is room again.
        socket, far = pairs[refused[0]]
        child.send("socket", socket)
        assert await asyncio.to_thread(far.recv, 10) == b"child"
        child.disconnect()
        await over
        for socket, far in pairs:
            socket.destroy()
            far.close()

    play(scenario)


IDLE = """
import uvnet
parent = uvnet.parent_process()
parent.on("message", lambda *_: None)
parent.send("there")
uvnet.run()
"""


def test_a_receiver_that_is_killed(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = fork(tmp_path, IDLE)
        await upcoming(child, "message")
        # It does not read, and some of this is not even sent.
        child.kill(signal.SIGSTOP)
        pairs = [connection() for _ in range(20)]
        told: list[Any] = []
        texts: list[Any] = []
        for socket, far in pairs:
            far.send(b"unread")
            child.send("socket", socket, told.append)
            child.send("x" * 50_000, texts.append)
        # The first of them are with the system.
        await until(lambda: texts)
        over = upcoming(child, "close")
        child.kill("SIGKILL")
        assert await over == (None, "SIGKILL")
        assert len(told) == 20
        assert all(error is not None for error in told)
        assert len(texts) == 20
        assert texts[0] is None
        assert texts[-1].code == "ERR_IPC_CHANNEL_CLOSED"
        for socket, far in pairs:
            assert await socket.read_exactly(6) == b"unread"
            socket.end("again")
            assert await asyncio.to_thread(far.recv, 10) == b"again"
            socket.destroy()
            far.close()
        await gone(child.pid)

    play(scenario)


HEIR = """
import os, subprocess, sys, uvnet
from uvnet.processes.parent import inherited_channel
os.set_inheritable(inherited_channel.descriptor, True)
heir = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False, stdin=subprocess.PIPE)
parent = uvnet.parent_process()
parent.send(heir.pid)
parent._channel.send_now()
os._exit(0)
"""


def test_who_inherits_a_channel_does_not_speak_for_the_process(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = fork(tmp_path, HEIR)
        events: list[Any] = []
        for name in ("disconnect", "exit", "close"):
            child.on(name, lambda *_, name=name: events.append(name))
        (heir, _) = await upcoming(child, "message")
        await until(lambda: "close" in events)
        assert events == ["disconnect", "exit", "close"]
        os.kill(heir, signal.SIGKILL)

    play(scenario)


SAYS_MUCH = """
import uvnet
uvnet.parent_process().send("x" * 4_000_000)
uvnet.run()
"""


def test_a_process_does_not_end_before_its_message_has_left(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = fork(tmp_path, SAYS_MUCH)
        heard = upcoming(child, "message")
        over = upcoming(child, "close")
        assert len((await heard)[0]) == 4_000_000
        assert await over == (0, None)

    play(scenario)


FORKS = """
import os, sys, uvnet, warnings

# In a process of several threads CPython warns of forks from 3.12 on; this one may have some of libuv's.
warnings.simplefilter("ignore", DeprecationWarning)

async def main():
    parent = uvnet.parent_process()
    over = uvnet.once(parent, "disconnect")
    child = os.fork()
    if child == 0:
        try:
            parent.send("from the fork")
        except RuntimeError:
            os._exit(7)
        os._exit(1)
    parent.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    second = os.fork()
    if second == 0:
        # It has none of it, and outlives the process.
        os.read(0, 1)
        os._exit(0)
    parent.send("forked")
    await over

uvnet.run(main())
"""


def test_fork_of_a_process_that_has_a_channel(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = fork(tmp_path, FORKS, silent=True)
        messages: list[Any] = []
        child.on("message", lambda message, _: messages.append(message))
        await until(lambda: len(messages) == 2)
        assert messages == [7, "forked"]
        over = upcoming(child, "disconnect")
        child.kill("SIGKILL")
        await over
        assert child.stdin is not None
        child.stdin.destroy()
        assert child.stdout is not None
        assert child.stderr is not None
        assert await child.stderr.read_all(1000) == b""
        child.stdout.destroy()
        await until(lambda: child.signal_code)

    play(scenario)


def test_the_loop_is_closed_while_a_child_runs(tmp_path: Path) -> None:
    pids: list[int] = []
    before: set[int] = set()

    async def scenario() -> None:
        await turns()
        before.update(open_descriptors())
        child = fork(tmp_path, IDLE, silent=True)
        child.on("disconnect", lambda: pids.append(-1))
        child.on("exit", lambda *_: pids.append(-1))
        await upcoming(child, "message")
        pids.append(child.pid)

    uvnet.run(scenario())
    # It hears the end of the channel, which nobody is told here.
    assert os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]) == 0
    assert len(pids) == 1


def test_unreferenced_processes_do_not_keep_run_going(tmp_path: Path) -> None:
    text = f"""
import uvnet
child = uvnet.fork({str(script(tmp_path, IDLE))!r})
child.on("message", lambda *_: (print(child.pid, flush=True), child.unref()))
uvnet.run()
"""
    done = subprocess.run(
        [sys.executable, script(tmp_path, text)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    assert int(done.stdout) > 0


def test_the_system_has_no_descriptors_of_processes(
    play: Player, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)

    async def scenario() -> None:
        child = fork(tmp_path, IDLE)
        over = upcoming(child, "exit")
        await upcoming(child, "message")
        child.kill("SIGKILL")
        assert await over == (None, "SIGKILL")
        await gone(child.pid)

    play(scenario)


FORK_BAD: dict[str, Any] = {
    "a module": (lambda path: uvnet.fork(3), TypeError),  # type: ignore[arg-type]
    "an empty name": (lambda path: uvnet.fork(""), ValueError),
    "a name with a zero": (lambda path: uvnet.fork("a\0b.py"), ValueError),
    "arguments in one": (lambda path: uvnet.fork(path, "abc"), TypeError),
    "an argument": (lambda path: uvnet.fork(path, [3]), TypeError),  # type: ignore[list-item]
    "an argument with a zero": (lambda path: uvnet.fork(path, ["\0"]), ValueError),
    "serialization": (lambda path: uvnet.fork(path, serialization="xml"), ValueError),
    "an interpreter": (lambda path: uvnet.fork(path, exec_path="/nowhere/python"), OSError),
    "a directory": (lambda path: uvnet.fork(path, cwd="/nowhere"), OSError),
    "a user": (lambda path: uvnet.fork(path, user="nobody-of-that-name"), ValueError),
    "the environment": (lambda path: uvnet.fork(path, env={"A": 3}), TypeError),  # type: ignore[dict-item]
    "a name in it": (lambda path: uvnet.fork(path, env={"A=B": "c"}), ValueError),
}  # fmt: skip


@pytest.mark.parametrize("silent", [False, True], ids=["", "silent"])
@pytest.mark.parametrize("what", FORK_BAD)
def test_bad_input_of_fork_leaves_nothing(play: Player, tmp_path: Path, what: str, silent: bool) -> None:
    call, kind = FORK_BAD[what]
    path = script(tmp_path, IDLE)

    async def scenario() -> None:
        await turns()
        before = open_descriptors()
        with pytest.raises(kind):
            call(path)
        assert open_descriptors() == before

    play(scenario)


def test_signals_that_are_none(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        child = fork(tmp_path, IDLE)
        over = upcoming(child, "close")
        for bad in ("TERM", "SIGNOTHING", "", 9999, -1):
            with pytest.raises(ValueError, match="Unknown signal"):
                child.kill(bad)
        assert not child.killed
        assert child.kill(15)
        assert await over == (None, "SIGTERM")

    play(scenario)


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs Linux, and root to become nobody")
def test_more_is_under_way_than_a_process_may_send() -> None:
    done = subprocess.run(
        [sys.executable, str(ISOLATED / "too_much_under_way.py")],
        capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
