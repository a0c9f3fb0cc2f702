"""uvicorn on uvnet's loop: its protocols of HTTP, TLS, WebSocket, several processes, Unix sockets."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

import pytest
from asyncio_programs import (
    LIMIT,
    UnixConnection,
    application,
    ask,
    needs,
    python,
    running,
    secure_connection,
    until_it_listens,
)
from certificates import Certificates

UVICORN = (sys.executable, "-m", "uvicorn", "--loop", "uvnet:new_event_loop")


@pytest.mark.parametrize("protocol", ["httptools", "h11"])
def test_http(tmp_path: Path, protocol: str) -> None:
    needs("uvicorn", protocol)
    name = application(tmp_path)
    with running(tmp_path, *UVICORN, "--port", "0", "--http", protocol, name, ready="running on") as server:
        for _ in range(3):
            ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT))


@pytest.mark.parametrize("protocol", ["httptools", "h11"])
def test_https(tmp_path: Path, protocol: str, certificates: Certificates) -> None:
    needs("uvicorn", protocol)
    name = application(tmp_path)
    with running(
        tmp_path, *UVICORN, "--port", "0", "--http", protocol, "--ssl-certfile", str(certificates.path("server")),
        name, ready="running on",
    ) as server:  # fmt: skip
        for _ in range(3):
            ask(secure_connection(server.port, certificates))


def test_a_client_with_a_certificate(tmp_path: Path, certificates: Certificates) -> None:
    needs("uvicorn", "h11")
    name = application(tmp_path)
    with running(
        tmp_path, *UVICORN, "--port", "0", "--ssl-certfile", str(certificates.path("server")), "--ssl-cert-reqs", "2",
        "--ssl-ca-certs", str(certificates.authority), name, ready="running on",
    ) as server:  # fmt: skip
        context = certificates.client()
        context.load_cert_chain(certificates.path("client"))
        ask(secure_connection(server.port, certificates, context))
        with pytest.raises(OSError):
            ask(secure_connection(server.port, certificates))
        ask(secure_connection(server.port, certificates, context))


def test_a_unix_socket(tmp_path: Path) -> None:
    needs("uvicorn", "h11")
    path = str(tmp_path / "socket")
    with running(tmp_path, *UVICORN, "--uds", path, application(tmp_path), ready="running on"):
        ask(UnixConnection(path))


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_two_workers(tmp_path: Path, unix: bool) -> None:
    """Their parent listens, and they inherit the socket."""
    needs("uvicorn", "h11")
    path = str(tmp_path / "socket")
    where = ["--uds", path] if unix else ["--port", "0"]
    name = application(tmp_path)
    with running(
        tmp_path, *UVICORN, *where, "--workers", "2", name, ready="Application startup complete", times=2
    ) as server:
        for _ in range(6):
            connection = (
                UnixConnection(path) if unix else http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
            )
            ask(until_it_listens(connection))
    assert server.output.count("Application shutdown complete") == 2


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_websockets(tmp_path: Path, secure: bool, certificates: Certificates) -> None:
    needs("uvicorn", "websockets")
    name = application(tmp_path)
    options = ["--ssl-certfile", str(certificates.path("server"))] if secure else []
    with running(
        tmp_path, *UVICORN, "--port", "0", "--ws", "websockets-sansio", *options, name, ready="running on"
    ) as server:
        client = f'''
import asyncio, ssl, websockets, uvnet

async def main():
    context = ssl.create_default_context(cafile={str(certificates.authority)!r}) if {secure} else None
    url = "{"wss" if secure else "ws"}://localhost:{server.port}/"
    async with websockets.connect(url, ssl=context, max_size=None, proxy=None) as connection:
        for size in (1, 125, 126, 65535, 65536, 900_000):
            await connection.send(bytes(size))
            assert await connection.recv() == bytes(size)
    print("done", type(asyncio.get_running_loop()).__module__)

loop = uvnet.new_event_loop()
loop.run_until_complete(main())
loop.close()
'''
        assert python(tmp_path, client) == "done uvnet.transports.loop\n"
