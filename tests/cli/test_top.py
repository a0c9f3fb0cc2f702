"""`python -m uvnet top`, at a program that tells of itself."""

from __future__ import annotations

import json
import os
import pty
import re
import socket as plain
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import COMMAND, run, started

PROGRAM = """
import sys
import uvnet

uvnet.introspection(sys.argv[1])
server = uvnet.create_server(lambda socket: socket.on("data", socket.write), max_connections_per_host=2)
server.listen(0, "127.0.0.1", callback=lambda: print(server.port, flush=True))
uvnet.run()
"""


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """(where a program tells of itself, the port that it listens on)"""
    path = str(tmp_path / "look")
    with started("-c", PROGRAM, path) as program:
        yield path, int(program.line())
        program.interrupt()
        program.result()


def test_one_snapshot_where_there_is_no_terminal(watched: tuple[str, int]) -> None:
    path, port = watched
    with plain.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"x" * 2048)
        rest = 2048
        while rest:
            rest -= len(client.recv(rest))
        found = run(*COMMAND, "top", path)
        name = client.getsockname()
    assert (found.code, found.errors) == (0, "")
    lines = found.output.decode().splitlines()
    assert re.match(r"process \d+: 1 connections, 2\.0 KiB in, [\d.]+ KiB out, 0 B queued; \d+ turns a second", lines[0])
    assert lines[2].split() == "SERVER OPEN ACCEPTED /S DROPPED HANDSHAKES IN/S OUT/S QUEUED IN OUT".split()
    assert lines[3].split()[:6] == [f"127.0.0.1:{port}", "1", "1", "0", "0", "0"]
    assert lines[5].split() == "REMOTE LOCAL QUEUED IN/S OUT/S RTT IN OUT KIND".split()
    assert lines[6].split()[:2] == [f"127.0.0.1:{name[1]}", f"127.0.0.1:{port}"]
    assert lines[6].endswith("2.0 KiB  2.0 KiB  uvnet.Socket")
    assert len(lines) == 7


def test_as_json(watched: tuple[str, int]) -> None:
    path, port = watched
    found = run(*COMMAND, "top", path, "--json", "--connections", "0")
    assert found.code == 0
    answer = json.loads(found.output)
    assert answer["servers"][0]["addresses"] == [f"127.0.0.1:{port}"]
    assert answer["connections"] == []


def test_again_and_again_on_a_terminal(watched: tuple[str, int]) -> None:
    path, port = watched
    leader, terminal = pty.openpty()
    try:
        with started(*COMMAND, "top", path, "--interval", "0.1", stdout=terminal) as program:
            seen = b""
            while seen.count(b"\x1b[H\x1b[J") < 3:
                seen += os.read(leader, 65536)
            program.interrupt()
            program.process.wait(60)
            assert program.process.returncode == 130
        assert f"127.0.0.1:{port}".encode() in seen
    finally:
        os.close(leader)
        os.close(terminal)


def test_nobody_there(tmp_path: Path) -> None:
    found = run(*COMMAND, "top", str(tmp_path / "nobody"))
    assert (found.code, found.output) == (1, b"")
    assert found.errors.startswith("uvnet: connect ENOENT")
