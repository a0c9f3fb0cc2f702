"""hypercorn on uvnet's loop, with HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import contextlib
import http.client
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncio_programs import (
    LIMIT,
    Server,
    application,
    ask,
    needs,
    python,
    running,
    secure_connection,
)
from certificates import Certificates


@contextlib.contextmanager
def hypercorn(directory: Path, certificates: Certificates | None = None) -> Iterator[Server]:
    application(directory)
    program = f'''
import asyncio, signal, uvnet
from hypercorn.asyncio import serve
from hypercorn.config import Config
from the_application import application

async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = Config()
    config.bind = ["127.0.0.1:0"]
    config.certfile = config.keyfile = {certificates and str(certificates.path("server"))!r}
    config.accesslog = None
    config.errorlog = "-"
    await serve(application, config, shutdown_trigger=stop.wait)

uvnet.run(main())
'''
    with running(directory, sys.executable, "-c", program, ready="unning on") as server:
        yield server


def test_http(tmp_path: Path) -> None:
    needs("hypercorn")
    with hypercorn(tmp_path) as server:
        for _ in range(2):
            ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT))


def test_https(tmp_path: Path, certificates: Certificates) -> None:
    needs("hypercorn")
    with hypercorn(tmp_path, certificates) as server:
        for _ in range(2):
            ask(secure_connection(server.port, certificates))


def test_http_2(tmp_path: Path, certificates: Certificates) -> None:
    """Over TLS, with httpx on uvnet's loop too; many requests share a connection."""
    needs("hypercorn", "httpx", "h2")
    with hypercorn(tmp_path, certificates) as server:
        program = f'''
import asyncio, httpx, ssl, uvnet

async def main():
    context = ssl.create_default_context(cafile={str(certificates.authority)!r})
    async with httpx.AsyncClient(verify=context, trust_env=False, http1=False, http2=True) as client:
        url = "https://localhost:{server.port}/"
        async def one():
            answer = await client.get(url)
            assert (answer.http_version, answer.text) == ("HTTP/2", "hello")
            assert answer.headers["x-loop"] == "uvnet.transports.loop"
            sent = bytes(range(256)) * 2000
            assert (await client.post(url, content=sent)).content == sent
        await asyncio.gather(*[one() for _ in range(10)])
    print("done")

uvnet.run(main())
'''
        assert python(tmp_path, program) == "done\n"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="policies warn from CPython 3.14 on")
def test_its_command(tmp_path: Path) -> None:
    """It asks asyncio for a loop: the module of the application names the policy."""
    needs("hypercorn")
    name = application(
        tmp_path, "import asyncio, uvnet\nasyncio.set_event_loop_policy(uvnet.EventLoopPolicy())\n"
    )
    command = (sys.executable, "-m", "hypercorn", "--bind", "127.0.0.1:0", "--error-logfile", "-", name)
    with running(tmp_path, *command, ready="unning on") as server:
        ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT))
