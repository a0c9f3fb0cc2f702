"""introspection(): what a program tells of itself at a Unix socket, and who may ask."""

from __future__ import annotations

import asyncio
import json
import os
import socket as plain
import stat
from pathlib import Path
from typing import Any

import pytest
from harness import Player
from server_stage import HOST, KINDS, Stage, on_stage
from waiting import until

import uvnet


async def _ask(socket: uvnet.Socket, question: bytes = b"\n") -> Any:
    socket.write(question)
    return json.loads(await asyncio.wait_for(socket.read_until(b"\n", 2**20), 10))


@pytest.mark.parametrize("kind", KINDS)
def test_servers_and_connections(kind: str, play: Player, tmp_path: Path) -> None:
    path = tmp_path / "look"

    async def scene(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        looked_at = uvnet.introspection(path)
        quiet, busy = await stage.client(), await stage.client()
        await loop.sock_sendall(busy, b"x" * 1000)
        await until(lambda: stage.heard == 1000)
        async with await uvnet.open_connection(path=path) as socket:
            found = await _ask(socket)
            assert found["pid"] == os.getpid()
            assert found["period"] is None
            assert found["loop"]["open"] == 3
            # Who looks does not see itself.
            (server,) = found["servers"]
            assert server["addresses"] == [f"{HOST}:{stage.port}"]
            assert (server["accepted"], server["open"], server["bytes_read"]) == (2, 2, 1000)
            assert found["streams"] == 3      # and its own end, which is this program's client
            # What it was answered itself counts for it.
            first = next(one for one in found["connections"] if one["remote"] is not None)
            name = busy.getsockname()
            assert first["remote"] == f"{name[0]}:{name[1]}"
            assert first["local"] == f"{HOST}:{stage.port}"
            assert (first["bytes_read"], first["bytes_queued"], first["read_rate"]) == (1000, 0, None)
            assert 0 < first["rtt"] < 10
            assert first["kind"] == ("uvnet.Socket" if kind == "net" else "uvnet.transports.transport.Transport")
            # The busiest since the last question come first.
            await loop.sock_sendall(quiet, b"y" * 500)
            await until(lambda: stage.heard == 1500)
            found = await _ask(socket, b"2\n")
            assert found["period"] > 0
            assert len(found["connections"]) == 2
            first = next(one for one in found["connections"] if one["remote"] is not None)
            assert first["remote"].endswith(f":{quiet.getsockname()[1]}")
            assert first["read_rate"] == pytest.approx(500 / found["period"])
            assert (await _ask(socket, b"0\n"))["connections"] == []
            # Nonsense is as no number.
            assert len((await _ask(socket, b"-5 and more\n"))["connections"]) == 3
        await looked_at.shutdown(0)

    on_stage(kind, play, scene)


def test_only_its_user_may_look(play: Player, tmp_path: Path) -> None:
    path = tmp_path / "look"

    async def scenario() -> None:
        server = uvnet.introspection(str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(OSError, match="EADDRINUSE"):
            second = uvnet.introspection(path)
            await uvnet.once(second, "listening")
        server.close()
        await server.closed()
        assert not path.exists()
        # What a program that was killed leaves behind is in nobody's way.
        left = plain.socket(plain.AF_UNIX)
        left.bind(str(path))
        left.close()
        server = uvnet.introspection(path)
        await uvnet.once(server, "listening")
        await server.shutdown(0)

    play(scenario)


@pytest.mark.timeout(20)  # seconds; an observer is waited for longer
def test_it_keeps_nothing_going(tmp_path: Path) -> None:
    """run() ends although somebody looks."""
    path = tmp_path / "look"
    uvnet.introspection(path)
    with plain.socket(plain.AF_UNIX) as client:
        client.connect(str(path))
        uvnet.run()
        client.settimeout(10)
        assert client.recv(1) == b""


def test_who_does_not_keep_to_it(play: Player, tmp_path: Path) -> None:
    """A question without an end, one who does not read: they are gone, and the others are not held up."""
    path = tmp_path / "look"

    async def scenario() -> None:
        server = uvnet.introspection(path)
        loop = asyncio.get_running_loop()
        with plain.socket(plain.AF_UNIX) as endless, plain.socket(plain.AF_UNIX) as deaf:
            for client in (endless, deaf):
                client.setblocking(False)
                await loop.sock_connect(client, str(path))
            await loop.sock_sendall(endless, b"1" * 200)
            assert await asyncio.wait_for(loop.sock_recv(endless, 1), 10) == b""
            # One who asks and asks is not read from while the answers wait.
            for _ in range(1000):
                try:
                    deaf.send(b"\n" * 1000)
                except BlockingIOError:
                    break
                await asyncio.sleep(0)
            else:
                pytest.fail("it read all that, without an answer being read")
            async with await uvnet.open_connection(path=path) as socket:
                assert (await _ask(socket))["pid"] == os.getpid()
        await server.shutdown(0)

    play(scenario)


@pytest.mark.parametrize("path", [None, 5, b"\0abc", ""])
def test_what_is_no_path(play: Player, path: Any) -> None:
    async def scenario() -> None:
        with pytest.raises((TypeError, ValueError)):
            uvnet.introspection(path)

    play(scenario)
