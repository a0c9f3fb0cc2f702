"""Programs of others that speak QUIC, as processes: started, talked with, and ended whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from quic_pair import within

__all__ = ["BODY", "needs", "program", "serve_requests"]

BODY = bytes(number * number % 251 for number in range(300_000))


def needs(name: str, package: str) -> str:
    """Where the program is; skips without it."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian package {package})")
    return found


class Program:
    """A process, and what it has said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = bytearray()
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while chunk := await self.process.stdout.read(65536):
            self.said += chunk

    async def says(self, text: str) -> None:
        while text.encode() not in self.said:
            assert not self._reading.done(), self.said.decode(errors="replace")[-3000:]
            await asyncio.sleep(0.005)

    async def ended(self) -> int:
        status = await within(self.process.wait(), 30)
        await within(self._reading)
        return int(status)

    async def kill(self) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        await self.ended()


@contextlib.asynccontextmanager
async def program(*command: object, cwd: Path | None = None) -> AsyncIterator[Program]:
    """Its standard error and output are one."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cwd,
    )
    running = Program(process)
    try:
        yield running
    finally:
        await running.kill()


def serve_requests(session: Any) -> None:
    """HTTP/3: a body comes back, and without one there are as many bytes of BODY as the path says."""

    def arrived(stream: Any) -> None:
        def asked(headers: Any, _push_id: Any) -> None:
            request = dict(headers)
            stream.submit_initial_headers({":status": "200"})
            if request[":method"] == "POST":
                stream.pipe(stream)
            else:
                stream.end(BODY[: int(request[":path"].strip("/") or 0)])

        stream.on("initialHeaders", asked)

    session.on("stream", arrived)
