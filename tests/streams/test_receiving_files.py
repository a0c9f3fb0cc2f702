"""receive_file(): so many bytes into a file, and what becomes of them when something goes wrong."""

from __future__ import annotations

import asyncio
import errno
import io
from pathlib import Path
from typing import Any

import pytest
from awaitable import MEBIBYTE, pair
from harness import Player, Transport
from pairs import take_over
from waiting import turns, until

import uvnet

CONTENTS = bytes(range(256)) * 8192  # 2 MiB


@pytest.mark.parametrize("buffering", [-1, 0])
def test_so_many_bytes(play: Player, transport: Transport, tmp_path: Path, buffering: int) -> None:
    """At the position of the file; what follows is the next reader's, and memory is that of a buffer."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.write(b"head" + CONTENTS + b"tail")
            assert await socket.read_exactly(4) == b"head"
            with open(tmp_path / "file", "wb", buffering=buffering) as file:
                file.write(b"before")
                assert await socket.receive_file(file, len(CONTENTS)) == len(CONTENTS)
                assert (tmp_path / "file").read_bytes() == b"before" + CONTENTS
                assert await socket.receive_file(file, 0) == 0
            assert socket.readable_length < MEBIBYTE
            assert await socket.read_exactly(4) == b"tail"

    play(scenario)


def test_an_end_that_comes_before(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            client.end(b"four")
            file = io.BytesIO()
            with pytest.raises(asyncio.IncompleteReadError, match="after 4 bytes, before there were 5") as failure:
                await socket.receive_file(file, 5)
            assert (failure.value.partial, failure.value.expected) == (b"", 5)
            assert file.getvalue() == b"four"

    play(scenario)


class Full(io.RawIOBase):
    """A file on a disk that is nearly full, which takes little at a time."""

    def __init__(self, room: int) -> None:
        self.taken = bytearray()
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if len(self.taken) >= self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = bytes(data[:3])
        self.taken += taken
        return len(taken)


def test_a_disk_that_is_full(play: Player) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        errors: list[Exception] = []
        socket.on("error", errors.append)
        peer.send(b"12345")
        file = Full(9)
        receiving = asyncio.ensure_future(socket.receive_file(file, 100))
        await until(lambda: len(file.taken) == 5)
        peer.send(b"6789abcdef")
        with pytest.raises(OSError, match="No space left on device: 11 of 100 bytes went into the file") as failure:
            await receiving
        assert failure.value.errno == errno.ENOSPC
        await until(lambda: socket.closed)
        assert errors == [failure.value]
        peer.close()

    play(scenario)


def test_cancelled(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            file = io.BytesIO()
            receiving = asyncio.ensure_future(socket.receive_file(file, 100))
            client.write(b"some")
            await until(file.getvalue)
            with pytest.raises(RuntimeError, match="another coroutine"):
                await socket.receive_file(file, 1)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            client.write(b"more")
            assert await socket.read_exactly(4) == b"more"
            assert file.getvalue() == b"some"

    play(scenario)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((None, 1), TypeError),
        (("path", 1), TypeError),
        ((io.StringIO(), 1), TypeError),
        ((io.BytesIO(), -1), ValueError),
        ((io.BytesIO(), "1"), TypeError),
        ((io.BytesIO(), True), TypeError),
        ((io.BytesIO(), 1.0), TypeError),
        ((io.BytesIO(), 2**63), ValueError),
    ],
)
def test_bad_arguments(play: Player, tmp_path: Path, arguments: tuple[Any, Any], error: type[Exception]) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        with pytest.raises(error):
            socket.receive_file(*arguments)
        (tmp_path / "file").write_bytes(b"")
        with (tmp_path / "file").open("rb") as reading, pytest.raises(ValueError, match="opened for writing"):
            socket.receive_file(reading, 1)  # type: ignore[arg-type]
        assert socket.readable_flowing is None
        await turns()
        with pytest.raises(ValueError, match="encoding"):
            uvnet.Socket(encoding="utf8").receive_file(io.BytesIO(), 1)
        socket.destroy()
        peer.close()

    play(scenario)
