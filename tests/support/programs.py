"""Programs of the project as processes of their own: started, watched, and ended with nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from peers import Where
from places import EXAMPLES

import uvnet

__all__ = ["COMMAND", "EXAMPLES", "Program", "Result", "listening", "run", "started", "where_of"]

PACKAGE_PARENT = Path(uvnet.__file__).parent.parent
# Not -X dev: asyncio's debug mode reports every callback that a busy machine makes slow.
STRICT = ("-X", "faulthandler", "-W", "error")
COMMAND = ("-m", "uvnet")
LIMIT = 60  # seconds


class Result(NamedTuple):
    """How a program ended."""

    code: int
    output: bytes
    errors: str


class Program:
    """A Python program that runs.  Its stdin, stdout and stderr are pipes where nothing else is said."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        # What is printed waits in a buffer, as for users; whoever runs the tests may not like that.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        # In the background of a shell SIGINT is ignored, and a child inherits that.
        previous = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.process = subprocess.Popen(
                [sys.executable, *STRICT, *arguments],
                env={**environment, "PYTHONPATH": str(PACKAGE_PARENT)},
                **{**pipes, **options},
            )
        finally:
            signal.signal(signal.SIGINT, previous)

    @property
    def stdin(self) -> Any:
        return self.process.stdin

    @property
    def stdout(self) -> Any:
        return self.process.stdout

    def line(self) -> str:
        """The next line of stdout."""
        line: str = self.stdout.readline().decode()
        return line

    def error_line(self) -> str:
        """The next line of stderr."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().decode()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def result(self, given: bytes | None = None) -> Result:
        """Give it the rest of its stdin, and wait for its end."""
        if self.stdin is not None and self.stdin.closed:
            self.process.stdin = None
        output, errors = self.process.communicate(given, LIMIT)
        return Result(self.process.returncode, output or b"", (errors or b"").decode())


@contextlib.contextmanager
def started(*arguments: str, **options: Any) -> Iterator[Program]:
    """A program that the test ends itself; if it does not, the program is killed."""
    program = Program(*arguments, **options)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
        with contextlib.suppress(ValueError):
            # Where the test has closed some of its pipes.
            program.process.communicate()


@contextlib.contextmanager
def listening(
    *arguments: str, code: int = 0, number: int = signal.SIGINT, errors: str = ""
) -> Iterator[str]:
    """A server that says where it listens; in the end a signal must end it with `code` and no other word."""
    with started(*arguments) as program:
        line = program.line()
        assert line.startswith("listening on "), (line, program.result())
        yield line.removeprefix("listening on ").strip()
        program.process.send_signal(number)
        result = program.result()
        assert (result.code, result.errors) == (code, errors)


def where_of(text: str) -> Where:
    """What a client needs to know of a printed address: a path, or a port."""
    return text if text.startswith("/") else int(text.rpartition(":")[2])


def run(*arguments: str, given: bytes = b"", **options: Any) -> Result:
    """Run a program to its end."""
    with started(*arguments, **options) as program:
        return program.result(given)
