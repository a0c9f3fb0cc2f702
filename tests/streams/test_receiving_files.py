"""receive_file(): so many bytes into a file, and what becomes of them when something goes wrong."""

from __future__ import annotations

import asyncio
import errno
import io
import resource
import socket as plain
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from awaitable import MEBIBYTE, pair
from harness import Player, Transport
from pairs import take_over
from waiting import turns, until

import uvnet
from uvnet.socket.relaying import _enable

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


def moves(socket: uvnet.Socket) -> bool:
    """Whether the system moves what comes to a file."""
    return socket._relayed  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("mode", ["wb", "r+b"])
def test_the_system_moves_it(play: Player, relays_on: None, transport: Transport, tmp_path: Path, mode: str) -> None:
    """What is looked at meanwhile comes by way of Python; then the system goes on."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            (tmp_path / "file").write_bytes(b"what was there")
            with open(tmp_path / "file", mode) as file:
                file.read(1) if mode == "r+b" else file.write(b"w")
                receiving = asyncio.ensure_future(socket.receive_file(file, 4 * len(CONTENTS)))
                await until(lambda: moves(socket) == (sys.platform == "linux"))
                for number in range(4):
                    socket.pause()
                    assert not moves(socket)
                    client.write(CONTENTS)
                    await until(lambda number=number: socket.bytes_read == (number + 1) * len(CONTENTS))
                assert await receiving == 4 * len(CONTENTS)
                assert file.tell() == 1 + 4 * len(CONTENTS)
                file.write(b"after")
            assert (tmp_path / "file").read_bytes() == b"w" + 4 * CONTENTS + b"after"
            assert not moves(socket)
            client.write(b"tail")
            assert await socket.read_exactly(4) == b"tail"

    play(scenario)


def test_given_up_while_the_system_moves_it(play: Player, relays_on: None, tmp_path: Path) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        with open(tmp_path / "file", "wb") as file:
            receiving = asyncio.ensure_future(socket.receive_file(file, 100))
            peer.send(b"some")
            await until(lambda: (tmp_path / "file").stat().st_size == 4)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            assert file.tell() == 4
            peer.send(b"more")
            assert await socket.read_exactly(4) == b"more"
            # A file that is closed meanwhile is written to all the same.
            receiving = asyncio.ensure_future(socket.receive_file(file, 5))
            await turns()
        peer.send(b"other")
        if sys.platform == "linux":
            assert await receiving == 5
            assert (tmp_path / "file").read_bytes() == b"someother"
        else:
            with pytest.raises(ValueError, match="closed"):
                await receiving
        socket.destroy()
        peer.close()

    play(scenario)


@pytest.mark.parametrize("how", ["destroy", "error", "reset", "end"])
def test_the_connection_goes_while_the_system_moves_it(
    play: Player, relays_on: None, tmp_path: Path, how: str
) -> None:
    """What came before is in the file."""

    async def scenario() -> None:
        socket, peer = take_over("tcp")
        with open(tmp_path / "file", "wb") as file:
            receiving = asyncio.ensure_future(socket.receive_file(file, 100))
            peer.send(b"some")
            await until(lambda: (tmp_path / "file").stat().st_size == 4)
            if how == "reset":
                peer.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, struct.pack("ii", 1, 0))
            if how in ("destroy", "error"):
                socket.destroy(OSError("gone") if how == "error" else None)
            else:
                peer.close()
            expected = {"error": OSError, "reset": ConnectionResetError}.get(how, asyncio.IncompleteReadError)
            with pytest.raises(expected):
                await receiving
            assert file.tell() == 4
        assert (tmp_path / "file").read_bytes() == b"some"
        socket.destroy()
        peer.close()

    play(scenario)


def test_a_file_that_must_not_grow(play: Player, relays_on: None, tmp_path: Path) -> None:
    """By RLIMIT_FSIZE, as by a disk that is full: the error says how much went, and that is what is in the file."""

    async def scenario() -> None:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        socket, peer = take_over("unix")
        with open(tmp_path / "file", "wb") as file:
            receiving = asyncio.ensure_future(socket.receive_file(file, 100))
            peer.send(b"12345")
            await until(lambda: (tmp_path / "file").stat().st_size == 5)
            resource.setrlimit(resource.RLIMIT_FSIZE, (9, before[1]))
            try:
                peer.send(b"6789abcdef")
                with pytest.raises(OSError, match="File too large: 9 of 100 bytes went into the file") as failure:
                    await receiving
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert failure.value.errno == errno.EFBIG
            assert file.tell() == 9
        assert (tmp_path / "file").read_bytes() == b"123456789"
        assert socket.destroyed
        peer.close()

    play(scenario)


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is of Linux")
def test_a_device_that_is_full(play: Player) -> None:
    async def scenario() -> None:
        socket, peer = take_over("unix")
        peer.send(b"12345")
        with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError, match="0 of 100 bytes") as failure:
            await socket.receive_file(file, 100)
        assert failure.value.errno == errno.ENOSPC
        peer.close()

    play(scenario)


class Counting(io.FileIO):
    """A file of the program's own, which wants to see what is written."""

    seen = 0

    def write(self, data: Any) -> int:
        self.seen += len(data)
        return super().write(data)


@pytest.mark.parametrize("kind", ["append", "own", "no relays", "temporary"])
def test_files_of_every_kind(play: Player, relays_on: None, tmp_path: Path, kind: str) -> None:
    async def scenario() -> None:
        (tmp_path / "file").write_bytes(b"before")
        file: Any = {
            "append": lambda: open(tmp_path / "file", "ab"),
            "own": lambda: Counting(tmp_path / "file", "w"),
            "no relays": lambda: open(tmp_path / "file", "wb"),
            "temporary": lambda: tempfile.NamedTemporaryFile(dir=tmp_path),
        }[kind]()
        socket, peer = take_over("unix")
        _enable(kind != "no relays")
        with file:
            receiving = asyncio.ensure_future(socket.receive_file(file, 8))
            await turns()
            assert moves(socket) == (kind == "temporary" and sys.platform == "linux")
            peer.send(b"contents")
            assert await receiving == 8
            written = Path(file.name).read_bytes()
        assert written == (b"beforecontents" if kind == "append" else b"contents")
        if kind == "own":
            assert file.seen == 8
        socket.destroy()
        peer.close()

    play(scenario)


def test_a_file_that_raises(play: Player) -> None:
    """Whatever it is that goes wrong: what was received and is not there is lost, so the socket is destroyed."""

    async def scenario() -> None:
        socket, peer = take_over("unix")
        file = io.BytesIO()
        receiving = asyncio.ensure_future(socket.receive_file(file, 100))
        await turns()
        file.close()
        peer.send(b"12345")
        with pytest.raises(ValueError, match="closed"):
            await receiving
        assert socket.destroyed
        peer.close()

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
