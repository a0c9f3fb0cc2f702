"""uvicorn behind HAProxy, which sends the PROXY protocol: the application sees who the client is."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from asyncio_programs import (
    LIMIT,
    application,
    ask,
    needs,
    running,
    secure_connection,
    until_it_listens,
)
from certificates import Certificates
from peers import haproxy_command, unused_port

MINE = """
import uvnet

new_event_loop = uvnet.loop_factory(accept_proxy_protocol=True)
"""


@contextlib.contextmanager
def haproxy(directory: Path, address: str, port: int, version: str) -> Iterator[int]:
    """HAProxy before a server on a port: its own port."""
    own = unused_port()
    command = haproxy_command(directory, f"{address}:{own}", f"127.0.0.1:{port} {version}")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        yield own
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("bound", "source", "version", "secure"),
    [
        ("127.0.0.1", "127.0.0.7", "send-proxy", False),
        ("127.0.0.1", "127.0.0.7", "send-proxy-v2", False),
        ("127.0.0.1", "127.0.0.7", "send-proxy-v2", True),
        ("::1", "::1", "send-proxy-v2", False),
    ],
)
def test_the_application_sees_the_client(
    tmp_path: Path, bound: str, source: str, version: str, secure: bool, certificates: Certificates
) -> None:
    needs("uvicorn", "httptools")
    name = application(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    options = ["--ssl-certfile", str(certificates.path("server"))] if secure else []
    command = (sys.executable, "-m", "uvicorn", "--loop", "mine:new_event_loop", "--port", "0", *options, name)
    with running(tmp_path, *command, ready="running on") as server:
        with haproxy(tmp_path, bound, server.port, version) as port:
            connection: http.client.HTTPConnection = (
                secure_connection(port, certificates)
                if secure
                else http.client.HTTPConnection(bound, port, timeout=LIMIT)
            )
            connection.host, connection.source_address = bound, (source, 0)
            until_it_listens(connection)
            own = connection.sock.getsockname()[:2]
            connection.request("GET", "/")
            response = connection.getresponse()
            assert response.read() == b"hello"
            assert response.getheader("x-client") == repr(own)
            ask(connection)
        # Who says nothing of a client is none.
        with socket.create_connection(("127.0.0.1", server.port), LIMIT) as direct:
            direct.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert direct.recv(1) == b""
