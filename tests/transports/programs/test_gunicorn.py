"""gunicorn's workers on uvnet's loop: uvicorn's, and its own for ASGI."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

import pytest
from asyncio_programs import LIMIT, application, ask, needs, running, secure_connection
from certificates import Certificates

# It calls it an error that its workers were told to terminate.
GUNICORN = (sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "2")
WORKER = '''
from uvicorn_worker import UvicornWorker

class Worker(UvicornWorker):
    CONFIG_KWARGS = {"loop": "uvnet:new_event_loop"}
'''


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_workers_of_uvicorn(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    needs("gunicorn", "uvicorn", "uvicorn_worker", "httptools")
    name = application(tmp_path, WORKER)
    file = str(certificates.path("server"))
    options = ["--certfile", file, "--keyfile", file] if secure else []
    command = (*GUNICORN, *options, "--worker-class", "the_application.Worker", name)
    with running(tmp_path, *command, ready="istening at", quiet=False) as server:
        for _ in range(3):
            ask(
                secure_connection(server.port, certificates)
                if secure
                else http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
            )


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="policies warn from CPython 3.14 on")
def test_workers_of_its_own(tmp_path: Path) -> None:
    """They ask asyncio for a loop: the file of gunicorn's settings names the policy."""
    needs("gunicorn", "gunicorn.asgi")
    name = application(tmp_path)
    (tmp_path / "gunicorn.conf.py").write_text(
        "import asyncio, uvnet\nasyncio.set_event_loop_policy(uvnet.EventLoopPolicy())\n"
    )
    command = (*GUNICORN, "--worker-class", "asgi", "--asgi-loop", "asyncio", name)
    with running(tmp_path, *command, ready="istening at", quiet=False) as server:
        for _ in range(3):
            ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT))
