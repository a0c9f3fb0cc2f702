"""uvnet's client against echo servers that are not uvnet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness import Player, Transport, event
from peers import BLOCK, SERVERS, Where, write_payload
from waiting import upcoming

import uvnet

SIZES = (1, 65_535, 65_537, 3_000_000)


def connect(where: Where) -> uvnet.Socket:
    return uvnet.connect(where) if isinstance(where, str) else uvnet.connect(where, "127.0.0.1")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SERVERS)
def test_written_at_once(
    play: Player, transport: Transport, tmp_path: Path, name: str, size: int
) -> None:
    """Rules 2.7.7 and 2.9.3: before 'connect', as one object, with the end right behind it."""
    payload = write_payload(tmp_path / "source", size).read_bytes()

    async def scenario() -> None:
        async with SERVERS[name](transport.kind, tmp_path) as where:
            received = bytearray()
            socket = connect(where).on("data", received.extend)
            socket.end(payload)
            assert await event(socket, "close") == (False,)
            assert received == payload
            assert socket.bytes_read == socket.bytes_written == size

    play(scenario, 60)


@pytest.mark.parametrize("name", SERVERS)
def test_piece_by_piece(play: Player, transport: Transport, tmp_path: Path, name: str) -> None:
    """Rules 2.7.3 and 2.7.4: written at the pace of 'drain', read with `async for`."""
    source = write_payload(tmp_path / "source", 5_000_000)

    async def scenario() -> None:
        async with SERVERS[name](transport.kind, tmp_path) as where:
            socket = connect(where)
            payload = memoryview(source.read_bytes())
            position = 0

            def write_more() -> None:
                nonlocal position
                while position < len(payload):
                    chunk = payload[position : position + 10_007]
                    position += len(chunk)
                    if not socket.write(chunk):
                        socket.once("drain", write_more)
                        return
                socket.end()

            closed = upcoming(socket, "close")
            write_more()
            received = [chunk async for chunk in socket]
            assert await closed == (False,)
            assert b"".join(received) == payload

    play(scenario, 60)


@pytest.mark.parametrize("name", SERVERS)
def test_from_a_file_to_a_file(
    play: Player, transport: Transport, tmp_path: Path, name: str
) -> None:
    """Rule 3.3: pipe() to a binary file."""
    source = write_payload(tmp_path / "source", 1_000_000)

    async def scenario() -> None:
        async with SERVERS[name](transport.kind, tmp_path) as where:
            with source.open("rb") as given, (tmp_path / "sink").open("wb") as taken:
                socket = connect(where)
                socket.pipe(taken)
                while chunk := given.read(BLOCK):
                    socket.write(chunk)
                socket.end()
                assert await event(socket, "close") == (False,)
        assert (tmp_path / "sink").read_bytes() == source.read_bytes()

    play(scenario, 60)


def test_64_mebibytes(play: Player, transport: Transport, tmp_path: Path) -> None:
    payload = write_payload(tmp_path / "source", 64 * 2**20).read_bytes()

    async def scenario() -> None:
        async with SERVERS["node"](transport.kind, tmp_path) as where:
            position = 0
            socket = connect(where)

            def compare(chunk: Any) -> None:
                nonlocal position
                assert payload.startswith(chunk, position)
                position += len(chunk)

            socket.on("data", compare)
            assert socket.write(payload) is False
            socket.end()
            assert await event(socket, "close") == (False,)
            assert position == len(payload)

    play(scenario, 60)


@pytest.mark.parametrize("name", SERVERS)
def test_line_by_line(play: Player, transport: Transport, tmp_path: Path, name: str) -> None:
    """A conversation: each answer is awaited before the next line."""

    async def scenario() -> None:
        async with SERVERS[name](transport.kind, tmp_path) as where:
            socket = connect(where).set_encoding("utf8")
            for number in range(50):
                line = f"line {number} é\n"
                socket.write(line)
                assert await event(socket, "data") == (line,)
            socket.end()
            assert await event(socket, "close") == (False,)

    play(scenario)
