"""socket.peer_credentials: who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from harness import Player, close, event
from waiting import upcoming

import uvnet

CLIENT = """
import socket, sys
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    print(client.recv(100).decode(), end="")
"""


def test_of_this_process(play: Player, tmp_path: Any) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(str(tmp_path / "socket"))
        accepting = upcoming(server, "connection")
        client = uvnet.connect(str(tmp_path / "socket"))
        (socket,) = await accepting
        found = socket.peer_credentials
        assert found._fields == ("pid", "uid", "gid")
        assert found == (os.getpid(), os.getuid(), os.getgid())
        assert socket.peer_credentials == found
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)


def test_of_another_process(play: Player, tmp_path: Any) -> None:
    """The pid is that of who connected."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(str(tmp_path / "socket"))
        accepting = upcoming(server, "connection")
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(tmp_path / "socket")], stdout=subprocess.PIPE
        )
        (socket,) = await accepting
        assert socket.peer_credentials == (process.pid, os.getuid(), os.getgid())
        # The client has an answer to wait for until here.
        over = upcoming(socket, "close")
        socket.resume()
        socket.end(b"hello")
        await over
        answer, _ = process.communicate(timeout=30)
        assert answer == b"hello"
        await close(server)

    play(scenario)


def test_in_the_connection_listener(play: Player, tmp_path: Any) -> None:
    """Where a server decides whom to serve."""

    async def scenario() -> None:
        seen: list[Any] = []
        server = uvnet.create_server(
            lambda socket: (seen.append(socket.peer_credentials.uid), socket.end())
        )
        server.listen(str(tmp_path / "socket"))
        client = uvnet.connect(str(tmp_path / "socket"))
        client.resume()
        await event(client, "close")
        assert seen == [os.getuid()]
        await close(server)

    play(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_tcp_has_none(play: Player, host: str) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0, host)
        await event(server, "listening")
        accepting = upcoming(server, "connection")
        client = uvnet.connect(server.address().port, host)
        (socket,) = await accepting
        assert socket.peer_credentials is None
        client.destroy()
        socket.destroy()
        await close(server)

    play(scenario)


def test_a_socket_without_a_connection_has_none(play: Player) -> None:
    async def scenario() -> None:
        assert uvnet.Socket().peer_credentials is None

    play(scenario)
