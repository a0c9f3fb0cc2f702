"""Programs that know asyncio alone, as processes on uvnet's loop: an ASGI application, servers, scripts, clients."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import Certificates
from programs import PACKAGE_PARENT

__all__ = [
    "LIMIT",
    "Server",
    "UnixConnection",
    "application",
    "ask",
    "needs",
    "python",
    "running",
    "secure_connection",
    "until_it_listens",
]

RANDOM = random.Random(12)
LIMIT = 30  # seconds

APPLICATION = '''
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["type"] == "websocket":
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message.get("bytes") or message["text"].encode()})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    import asyncio
    loop = type(asyncio.get_running_loop())
    await send({"type": "http.response.start", "status": 200, "headers": [
        (b"content-length", b"%d" % (len(body) or 5)), (b"x-loop", loop.__module__.encode()),
        (b"x-client", repr(scope["client"] and tuple(scope["client"])).encode()),
    ]})
    await send({"type": "http.response.body", "body": body or b"hello"})
'''


def needs(*modules: str) -> None:
    for module in modules:
        # Not imported here: what they warn of would be errors.
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


def application(directory: Path, more: str = "") -> str:
    """Write the module of the ASGI application, with more lines in it; what servers call it."""
    (directory / "the_application.py").write_text(APPLICATION + more)
    return "the_application:application"


def _environment(directory: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": f"{PACKAGE_PARENT}{os.pathsep}{directory}",
        "PYTHONUNBUFFERED": "1",
        # gunicorn leaves a folder there.
        "HOME": str(directory),
    }


class Server:
    """A server that runs: what it has said until it was ready, and all of it once it has ended."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    @property
    def output(self) -> str:
        return "".join(self.lines)

    @property
    def port(self) -> int:
        """That of the address it has named."""
        found = re.search(r"https?://[^ ]*:(\d+)", self.output)
        assert found is not None, self.output
        return int(found[1])


@contextlib.contextmanager
def running(
    directory: Path, *command: str, ready: str, times: int = 1, quiet: bool = True
) -> Iterator[Server]:
    """A server as a process, from the line on in which it, or the last of its workers, says that it is ready.

    In the end it is told to terminate, and must end without a word of an error where it should be quiet.
    """
    server = Server()
    process = subprocess.Popen(
        command, env=_environment(directory), cwd=directory, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        while server.output.count(ready) < times:
            line = process.stdout.readline()
            assert line, server.output
            server.lines.append(line)
        yield server
        process.terminate()
        rest, _ = process.communicate(timeout=LIMIT)
        server.lines.append(rest)
        assert "Traceback" not in rest, rest
        assert not quiet or "rror" not in rest, rest
    finally:
        # With its workers, if a test has failed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def python(directory: Path, program: str) -> str:
    """What a program prints; it must end well, and say nothing else."""
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c", program],
        env=_environment(directory), cwd=directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    errors = [
        line for line in ended.stderr.splitlines() if not (line.startswith("Executing <") and "took" in line)
    ]
    assert (ended.returncode, errors) == (0, []), ended.stderr
    return ended.stdout


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=LIMIT)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def secure_connection(
    port: int, certificates: Certificates, context: ssl.SSLContext | None = None
) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(
        "localhost", port, timeout=LIMIT, context=context or certificates.client()
    )


def until_it_listens(connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
    """A connection to a server that says that it is ready before it is."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            connection.connect()
            return connection
        except ConnectionRefusedError:
            connection.close()
            assert time.monotonic() < end
            time.sleep(0.01)


def ask(connection: http.client.HTTPConnection) -> None:
    """A GET, a POST of 3 MB and another GET on one connection to the application, which must run on uvnet's loop."""
    sent = RANDOM.randbytes(3_000_000)
    with contextlib.closing(connection):
        for method, body, answer in (("GET", None, b"hello"), ("POST", sent, sent), ("GET", None, b"hello")):
            connection.request(method, "/", body)
            response = connection.getresponse()
            assert response.status == 200
            assert response.read() == answer
            assert response.getheader("x-loop") == "uvnet.transports.loop"
            assert not response.will_close
