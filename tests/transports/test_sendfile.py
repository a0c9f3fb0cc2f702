"""sendfile() of the loop on plain transports; asyncio's own loop is the oracle."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path
from typing import Any

import pytest
from both_loops import Scene, both, ours, read_all
from pairs import reset
from waiting import turns, until

CONTENTS = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture
def file(tmp_path: Path) -> Any:
    (tmp_path / "file").write_bytes(CONTENTS)
    with open(tmp_path / "file", "rb") as opened:
        yield opened


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, None), (1000, None), (0, 5000), (1000, 5000), (0, 1 << 30), (len(CONTENTS), None), (1 << 30, None), (1, 1)],
)
def test_offsets_and_counts(kind: str, offset: int, count: int | None, file: Any) -> None:
    async def scenario(scene: Scene) -> Any:
        file.seek(0)
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol, kind)
        transport.write(b"head")
        receiving = asyncio.ensure_future(read_all(scene, peer))
        sent = await scene.loop.sendfile(transport, file, offset, count)
        transport.write(b"tail")
        transport.close()
        expected = CONTENTS[offset:] if count is None else CONTENTS[offset : offset + count]
        whole = await receiving == b"head" + expected + b"tail"
        return sent, whole, file.tell() if sent else None

    both(scenario)


def test_without_a_descriptor() -> None:
    async def scenario(scene: Scene) -> Any:
        transport, peer = await scene.on_socket(scene.protocol())
        receiving = asyncio.ensure_future(read_all(scene, peer))
        memory = io.BytesIO(CONTENTS)
        sent = await scene.loop.sendfile(transport, memory, 10, 1_000_000)
        with pytest.raises(asyncio.SendfileNotAvailableError):
            await scene.loop.sendfile(transport, memory, fallback=False)
        transport.close()
        return sent, await receiving == CONTENTS[10:1_000_010], memory.tell()

    both(scenario)


@pytest.mark.parametrize("count", [None, 5])
def test_a_pipe(count: int | None) -> None:
    """asyncio takes a pipe for an empty file."""

    async def scenario(scene: Scene) -> None:
        transport, peer = await scene.on_socket(scene.protocol())
        reading, writing = os.pipe()
        os.write(writing, b"through a pipe")
        os.close(writing)
        with open(reading, "rb") as pipe:
            sent = await scene.loop.sendfile(transport, pipe, 0, count)
        transport.close()
        assert await read_all(scene, peer) == b"through a pipe"[:count]
        assert sent == len(b"through a pipe"[:count])

    ours(scenario)


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"count": 0}, ValueError), ({"count": -1}, ValueError), ({"count": "x"}, TypeError),
        ({"offset": -1}, ValueError), ({"offset": "x"}, TypeError),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_arguments(options: dict[str, Any], kind: type[Exception], file: Any) -> None:
    async def scenario(scene: Scene) -> None:
        transport, _ = await scene.on_socket(scene.protocol())
        with pytest.raises(kind):
            await scene.loop.sendfile(transport, file, **options)

    ours(scenario)


def test_text_files(tmp_path: Path) -> None:
    async def scenario(scene: Scene) -> None:
        transport, _ = await scene.on_socket(scene.protocol())
        (tmp_path / "text").write_text("text")
        with open(tmp_path / "text") as text, pytest.raises(ValueError, match="binary mode"):
            await scene.loop.sendfile(transport, text)
        with pytest.raises((TypeError, AttributeError)):
            await scene.loop.sendfile(transport, io.StringIO("text"))

    ours(scenario)


def test_a_transport_that_closes(file: Any) -> None:
    async def scenario(scene: Scene) -> None:
        transport, _ = await scene.on_socket(scene.protocol())
        transport.close()
        with pytest.raises(RuntimeError, match="Transport is closing"):
            await scene.loop.sendfile(transport, file)

    both(scenario)


def test_nobody_else_writes_or_reads_meanwhile(file: Any) -> None:
    async def scenario(scene: Scene) -> Any:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        sending = asyncio.ensure_future(scene.loop.sendfile(transport, file))
        await until(lambda: not transport.is_reading())
        await turns()
        assert not sending.done()
        for call, data in ((transport.write, b"x"), (transport.writelines, [b"x"])):
            with pytest.raises(RuntimeError, match="sendfile is in progress"):
                call(data)
        peer.send(b"waits")
        received = 0
        while received < len(CONTENTS):
            received += len(await scene.loop.sock_recv(peer, 1 << 20))
        sent = await sending
        assert transport.is_reading()
        await until(lambda: protocol.received)
        transport.write(b"again")
        assert await scene.loop.sock_recv(peer, 100) == b"again"
        return sent

    both(scenario)


def test_whoever_has_paused_stays_so(file: Any) -> None:
    async def scenario(scene: Scene) -> bool:
        transport, peer = await scene.on_socket(scene.protocol())
        transport.pause_reading()
        receiving = asyncio.ensure_future(read_all(scene, peer))
        await scene.loop.sendfile(transport, file)
        reading: bool = transport.is_reading()
        transport.close()
        await receiving
        return reading

    both(scenario)


@pytest.mark.parametrize("how", ["reset", "abort"])
def test_lost_in_the_middle(how: str, file: Any) -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        sending = asyncio.ensure_future(scene.loop.sendfile(transport, file))
        assert await scene.loop.sock_recv(peer, 1000)
        if how == "reset":
            reset(peer)
        else:
            transport.abort()
        with pytest.raises(ConnectionError):
            await sending
        await protocol.lost

    ours(scenario)


def test_cancelled(file: Any) -> None:
    async def scenario(scene: Scene) -> None:
        protocol = scene.protocol()
        transport, peer = await scene.on_socket(protocol)
        sending = asyncio.ensure_future(scene.loop.sendfile(transport, file))
        assert await scene.loop.sock_recv(peer, 1000)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert transport.is_reading()
        transport.abort()
        await protocol.lost

    ours(scenario)
