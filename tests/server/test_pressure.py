"""Servers under pressure: no descriptors left, very many connections, closing in the middle of a storm."""

from __future__ import annotations

import asyncio
import json
import os
import socket as plain
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Player, event
from places import ISOLATED, SUPPORT
from waiting import upcoming

import uvnet

CLIENTS = 200
CONNECTIONS = 10_000
BATCH = 200  # below the backlog of 511


class Program:
    """A program that answers a line with a line."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(uvnet.__file__).parent.parent)},
        )

    def read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read())
        return json.loads(line)

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line: str) -> Any:
        self.tell(line)
        return self.read()

    def end(self) -> str:
        """What it has written to standard error."""
        try:
            _, errors = self.process.communicate(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
        return errors


@pytest.fixture
def server() -> Iterator[Program]:
    program = Program(str(ISOLATED / "out_of_descriptors.py"))
    yield program
    program.end()


@pytest.fixture
def crowd(server: Program) -> Iterator[Program]:
    program = Program(str(SUPPORT / "crowd.py"), str(server.read()))
    yield program
    program.end()


def test_out_of_descriptors(server: Program, crowd: Program) -> None:
    """It serves whom it has, waits without work, says so once a second, and goes on."""
    assert crowd.ask("connect 20") == 20
    assert crowd.ask("echo") == 20
    assert crowd.ask(f"connect {CLIENTS - 20}") == CLIENTS
    waited = server.ask("wait 2")
    # Generous: what spins uses all of it.
    assert waited["share"] < 0.2
    assert waited["lines"] <= waited["seconds"] + 1
    state = server.ask("state")
    assert state["listening"]
    assert state["errors"] == []
    assert state["drops"] > 0
    assert state["reasons"] == ["file descriptors"]
    assert 20 <= state["accepted"] < 64
    # The connections that it has are served.
    assert crowd.ask("echo 20") == 20
    # Whom it has no room for is closed or waits, and is accepted when there is room.
    before = state["accepted"]
    crowd.ask("drop 20")
    assert crowd.ask("connect 10") == CLIENTS - 10
    for _ in range(100):
        if server.ask("state")["accepted"] > before:
            break
        server.ask("wait 0.1")
    assert server.ask("state")["accepted"] > before
    crowd.ask(f"drop {CLIENTS}")
    assert server.ask("close") == "closed"
    assert server.end() == ""


def test_the_other_way_round(server: Program, crowd: Program) -> None:
    """Everybody is served in the end, when clients come and go."""
    crowd.ask(f"connect {CLIENTS}")
    crowd.ask(f"drop {CLIENTS}")
    for _ in range(100):
        crowd.ask("connect 10")
        if crowd.ask("echo") == 10:
            break
        crowd.ask("drop 10")
    else:
        pytest.fail("the server did not recover")
    crowd.ask("drop 10")
    assert server.ask("close") == "closed"


def test_no_connection_is_lost(play: Player) -> None:
    """10,000 connections in batches below the backlog are all accepted."""

    async def scenario() -> None:
        accepted = 0
        reached = asyncio.Event()

        def accept(socket: uvnet.Socket) -> None:
            nonlocal accepted
            accepted += 1
            socket.reset_and_destroy()
            if accepted % BATCH == 0:
                reached.set()

        server = uvnet.create_server(accept).listen(0, "127.0.0.1")
        await event(server, "listening")
        name = ("127.0.0.1", server.address().port)
        for _ in range(CONNECTIONS // BATCH):
            # While this goes on, the loop does not run: all of them wait in the backlog.
            batch = [plain.create_connection(name, timeout=20) for _ in range(BATCH)]
            reached.clear()
            await reached.wait()
            for connection in batch:
                connection.close()
        assert accepted == CONNECTIONS
        server.close()
        await event(server, "close")

    play(scenario, timeout=90)


@pytest.mark.parametrize("after", [0, 1, 50])
def test_close_in_a_storm(play: Player, after: int) -> None:
    """Rule 1.9.2: 'close' comes exactly once, whoever is on the way."""

    async def scenario() -> None:
        closes: list[tuple[Any, ...]] = []
        accepted: list[uvnet.Socket] = []
        served = []
        server = uvnet.create_server()

        def accept(socket: uvnet.Socket) -> None:
            accepted.append(socket)
            served.append(upcoming(socket, "close"))
            socket.on("error", lambda _: None)
            socket.resume()
            if len(accepted) == after:
                server.close()

        server.on("connection", accept)
        server.on("close", lambda *arguments: closes.append(arguments))
        server.listen(0, "127.0.0.1")
        await event(server, "listening")
        port = server.address().port
        clients = [uvnet.connect(port, "127.0.0.1") for _ in range(BATCH)]
        over = []
        for client in clients:
            client.on("error", lambda _: None)
            client.on("connect", client.end)
            client.resume()
            over.append(upcoming(client, "close"))
        if after == 0:
            server.close()
        await asyncio.gather(*over)
        await asyncio.gather(*served)
        await asyncio.sleep(0)
        assert closes == [()]
        assert len(accepted) >= after

    play(scenario)
