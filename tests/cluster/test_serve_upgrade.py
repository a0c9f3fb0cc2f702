"""SIGUSR2: the primary executes its program anew, and nobody is refused meanwhile."""

from __future__ import annotations

import os
import signal
import socket as plain
import time
from pathlib import Path

import pytest
from asyncio_programs import needs
from places import TESTS
from supervised import Clients, ask, served, supervised

PROGRAM = (TESTS / "cluster" / "programs" / "served.py").read_text()


def descriptors_of(pid: int) -> int:
    if not os.path.isdir(f"/proc/{pid}/fd"):
        pytest.skip("needs /proc")
    return len(os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.parametrize("kind", ["net", "uvicorn"])
def test_upgrades_lose_nothing(kind: str) -> None:
    if kind == "uvicorn":
        needs("uvicorn")
    with served(kind, workers=2) as program:
        program.listening()
        _, port = program.listening()
        program.line("serving with 2 workers")
        before = descriptors_of(program.process.pid)
        with Clients(port) as clients:
            for _ in range(2 if kind == "net" else 1):
                program.send(signal.SIGUSR2)
                program.line("upgrade: done, with 2 workers of before")
                program.line("rolling restart: done")
        assert clients.failed == []
        assert clients.answers
        assert len(program.pids()) == (6 if kind == "net" else 4)
        # It may have to hear yet that the last connections were taken.
        for _ in range(1000):
            if descriptors_of(program.process.pid) <= before:
                break
            time.sleep(0.01)
        assert descriptors_of(program.process.pid) <= before
        # Its workers are known to it still.
        os.kill(ask(port), signal.SIGKILL)
        program.line("was ended by SIGKILL")
        program.listening()
        program.end()


def test_a_program_that_cannot_be_executed_is_not(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with supervised(str(script), "net", "workers=1") as program:
        pid, port = program.listening()
        script.write_text("this is no Python")
        program.send(signal.SIGUSR2)
        program.line("upgrade: given up, everything stays as it is: .* exit code 1")
        program.line("SyntaxError")
        assert ask(port) == pid
        script.write_text(PROGRAM.replace("ANSWER = b", "ANSWER = b' ' b"))
        program.send(signal.SIGUSR2)
        program.line("upgrade: done, with 1 worker of before")
        program.line("rolling restart: done")
        assert ask(port) != pid
        program.end()


def test_new_workers_that_fail_leave_the_old_ones(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with supervised(str(script), "net", "workers=1") as program:
        pid, port = program.listening()
        script.write_text(PROGRAM.replace("async def net() -> None:", "async def net() -> None:\n    1 / 0"))
        program.send(signal.SIGUSR2)
        program.line("upgrade: done")
        program.line("given up, the workers that serve stay: .*ZeroDivisionError")
        assert ask(port) == pid
        program.end()


def test_another_number_of_workers(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with supervised(str(script), "net", "workers=2") as program:
        program.listening()
        program.listening()
        program.line("serving with 2 workers")
        for count in (1, 2):
            script.write_text(PROGRAM.replace("**options)", f"**{{**options, 'workers': {count}}})"))
            program.send(signal.SIGUSR2)
            for _ in range(count):
                pid, port = program.listening()
            program.line("rolling restart: done")
            assert pid in {ask(port) for _ in range(2 * count)}
            assert len({ask(port) for _ in range(2 * count)}) == count
        program.end()


def test_a_worker_that_ends_meanwhile_does_not_hold_it_up() -> None:
    with served("net", workers=2) as program:
        program.listening()
        pid, port = program.listening()
        program.line("serving with 2 workers")
        os.kill(pid, signal.SIGSTOP)
        # It is not asked for anything, and dies while the primary waits for it to take what it was dealt.
        with plain.create_connection(("127.0.0.1", port)), plain.create_connection(("127.0.0.1", port)):
            program.send(signal.SIGUSR2)
            program.line("upgrade: it does")
            os.kill(pid, signal.SIGKILL)
            program.line("upgrade: done, with 1 worker of before")
        program.line("rolling restart: done")
        program.end()
