"""A program under `uvnet.cluster.serve()` as a process: what it logs, whom it starts, and clients that never stop asking."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket as plain
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

from places import TESTS
from programs import PACKAGE_PARENT, STRICT

__all__ = ["LIMIT", "Clients", "Supervised", "ask", "served", "supervised"]

LIMIT = 60  # seconds
PROGRAM = TESTS / "cluster" / "programs" / "served.py"


class Supervised:
    """A primary and its workers, by what is said on their stderr."""

    def __init__(self, *command: str, environment: dict[str, str] | None = None, **options: Any) -> None:
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._seen = 0
        self.process = subprocess.Popen(
            [sys.executable, *STRICT, *command],
            env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT), **(environment or {})},
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **options,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def line(self, pattern: str) -> re.Match[str]:
        """The next line, of those that were not waited for, in which the pattern is found."""
        found: list[re.Match[str]] = []

        def is_there() -> bool:
            while not found and self._seen < len(self.lines):
                match = re.search(pattern, self.lines[self._seen])
                self._seen += 1
                if match is not None:
                    found.append(match)
            return bool(found) or not self._reader.is_alive()

        with self._more:
            assert self._more.wait_for(is_there, LIMIT), self.output
        assert found, self.output
        return found[0]

    def listening(self) -> tuple[int, int]:
        """The next worker that listens: its pid, and the port."""
        found = self.line(r"\(pid (\d+)\) listens on .*:(\d+)$")
        return int(found[1]), int(found[2])

    def pids(self) -> set[int]:
        """Of every worker there was."""
        return {int(pid) for pid in re.findall(r"worker \d+ \(pid (\d+)\)", self.output)}

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number: int | None = signal.SIGTERM, code: int = 0) -> None:
        """Send a signal, and see that nothing is left in the end."""
        if number is not None:
            self.send(number)
        self.wait_until_all_are_gone()
        assert self.process.returncode == code, self.output
        # Not even as zombies.
        assert [pid for pid in self.pids() if _is_there(pid)] == []

    def wait_until_all_are_gone(self) -> None:
        """Workers too: they have its stderr."""
        self.process.wait(LIMIT)
        self._reader.join(LIMIT)
        assert not self._reader.is_alive(), self.output

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()
        with self._more:
            self._more.notify_all()

    def _kill(self) -> None:
        for pid in (self.process.pid, *self.pids()):
            with contextlib.suppress(ProcessLookupError):
                if pid != self.process.pid or self.process.poll() is None:
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(LIMIT)
        assert self.process.stderr is not None
        self.process.stderr.close()


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def supervised(
    *command: str, environment: dict[str, str] | None = None, **options: Any
) -> Iterator[Supervised]:
    """A program that the test ends itself; if it does not, all of it is killed."""
    program = Supervised(*command, environment=environment, **options)
    try:
        yield program
    finally:
        program._kill()


@contextlib.contextmanager
def served(kind: str, **options: object) -> Iterator[Supervised]:
    """The program programs/served.py, with options of serve()."""
    arguments = [f"{name}={value!r}" for name, value in options.items()]
    with supervised(str(PROGRAM), kind, *arguments) as program:
        yield program


def ask(port: int) -> int:
    """The pid of the worker that a new connection gets to."""
    with plain.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = client.makefile("rb").read()
    found = re.search(rb"pid (\d+)", answer)
    assert found is not None, answer
    return int(found[1])


class Clients:
    """Threads that ask, with a connection for each request, until they are stopped."""

    def __init__(self, port: int, count: int = 4) -> None:
        self.port = port
        self.answers: dict[int, int] = {}
        self.failed: list[str] = []
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(LIMIT)

    def _ask(self) -> None:
        while not self._stopped.is_set():
            try:
                pid = ask(self.port)
            except (OSError, AssertionError) as error:
                with self._lock:
                    self.failed.append(repr(error))
            else:
                with self._lock:
                    self.answers[pid] = self.answers.get(pid, 0) + 1
