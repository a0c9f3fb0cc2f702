"""Programs that speak TLS and have nothing to do with Python: openssl, curl, Node; run to their end, or talked with.

What they say would wait in pipes of a loop that is under test: threads wait for it instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from certificates import OPENSSL, Certificates
from tls_stage import in_thread

__all__ = ["CURL", "NODE", "OPENSSL", "Talking", "decimal", "need_tool", "node", "node_client", "run", "talking"]

CURL, NODE = shutil.which("curl"), shutil.which("node")
LIMIT = 60  # seconds
NODE_PRELUDE = """
const tls = require('tls'), net = require('net'), fs = require('fs');
const options = JSON.parse(process.argv[1]);
for (const name of ['ca', 'cert', 'key']) if (options[name]) options[name] = fs.readFileSync(options[name]);
"""


def need_tool(path: str | None, name: str) -> str:
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def node(program: str, **options: Any) -> list[str]:
    """A command: Node runs a program that has `tls`, `net`, `fs`, and `options`, with files of certificates read."""
    return [need_tool(NODE, "node"), "-e", NODE_PRELUDE + program, json.dumps(options, default=str)]


def node_client(certificates: Certificates, version: str, port: int) -> dict[str, Any]:
    """Options of tls.connect(), of one version of TLS."""
    return {
        "host": "127.0.0.1", "port": port, "servername": "localhost", "ca": certificates.authority,
        "minVersion": f"TLSv{version}", "maxVersion": f"TLSv{version}",
    }  # fmt: skip


def decimal(length: int, chance: random.Random) -> bytes:
    """Lines that no program takes for a command of its own."""
    return b"".join(b"%063d\n" % chance.getrandbits(200) for _ in range(length // 64))


def _environment() -> dict[str, str]:
    # Sanitizers are for our code, not for theirs.
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}


class Ended(NamedTuple):
    code: int
    output: bytes
    errors: bytes


async def run(*arguments: Any, given: bytes | None = b"") -> Ended:
    """Run a program to its end."""

    def wait() -> Ended:
        ended = subprocess.run(
            list(map(str, arguments)), input=given, capture_output=True, timeout=LIMIT, env=_environment()
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return await in_thread(wait)  # type: ignore[no-any-return]


class Talking:
    """A program that runs, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = b""

    async def until(self, wanted: bytes) -> re.Match[bytes]:
        """Wait until it has said something (a regular expression)."""
        return await in_thread(self._until, wanted)  # type: ignore[no-any-return]

    async def holds(self, wanted: bytes) -> None:
        """Wait until it has said exactly this."""
        while wanted not in self.output:
            await in_thread(self._read)

    async def say(self, words: bytes) -> None:
        await in_thread(self._say, words)

    async def end(self) -> int:
        """Wait until it has ended by itself; its code."""
        return await in_thread(self._end)  # type: ignore[no-any-return]

    def _until(self, wanted: bytes) -> re.Match[bytes]:
        while not (found := re.search(wanted, self.output)):
            self._read()
        return found

    def _read(self) -> None:
        assert self.process.stdout is not None
        words = self.process.stdout.read1(1048576)  # type: ignore[attr-defined]
        assert words, f"it has ended: {self.output[-5000:]!r}"
        self.output += words

    def _say(self, words: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(words)
        self.process.stdin.flush()

    def _end(self) -> int:
        assert self.process.stdout is not None
        self.output += self.process.stdout.read()
        return self.process.wait(LIMIT)


@contextlib.contextmanager
def talking(*arguments: Any) -> Iterator[Talking]:
    """A program to talk with; in the end it is killed if it still runs."""
    process = subprocess.Popen(
        list(map(str, arguments)), env=_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Talking(process)
    finally:
        process.kill()
        with contextlib.suppress(BrokenPipeError):
            process.communicate()
