"""uvnet's echo server against clients that are not uvnet: every byte comes back, nothing else."""

from __future__ import annotations

import asyncio
import filecmp
from pathlib import Path
from typing import Any

import pytest
from harness import Player, Transport, close, listen
from peers import CLIENTS, Where, write_payload

import uvnet

SIZES = (1, 2, 65_535, 65_537, 3_000_000)


async def serve(transport: Transport, listener: Any, **options: Any) -> tuple[uvnet.Server, Where]:
    server = await listen(uvnet.create_server(options, listener), transport)
    address = server.address()
    return server, address if isinstance(address, str) else address.port


def echo_with_pipe(socket: uvnet.Socket) -> None:
    socket.pipe(socket)


async def echo_with_async_for(socket: uvnet.Socket) -> None:
    async for chunk in socket:
        if not socket.write(chunk):
            await uvnet.once(socket, "drain")
    socket.end()


def play_echo(
    play: Player, transport: Transport, directory: Path, name: str, size: int,
    listener: Any = echo_with_pipe, **options: Any,
) -> None:  # fmt: skip
    source = write_payload(directory / "source", size)
    sink = directory / "sink"

    async def scenario() -> None:
        server, where = await serve(transport, listener, **options)
        await CLIENTS[name](where, source, sink)
        await close(server)

    play(scenario, 60)
    assert filecmp.cmp(source, sink, shallow=False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CLIENTS)
def test_echo(play: Player, transport: Transport, tmp_path: Path, name: str, size: int) -> None:
    play_echo(play, transport, tmp_path, name, size)


@pytest.mark.parametrize("name", CLIENTS)
def test_echo_with_async_for(play: Player, transport: Transport, tmp_path: Path, name: str) -> None:
    """The same with the surface of Python; decision 17."""
    play_echo(play, transport, tmp_path, name, 3_000_000, echo_with_async_for, allow_half_open=True)


def test_64_mebibytes(play: Player, transport: Transport, tmp_path: Path) -> None:
    play_echo(play, transport, tmp_path, "socat", 64 * 2**20)


def test_many_clients_at_once(play: Player, transport: Transport, tmp_path: Path) -> None:
    source = write_payload(tmp_path / "source", 300_000)

    async def scenario() -> None:
        server, where = await serve(transport, echo_with_pipe)
        clients = [
            CLIENTS["asyncio" if number % 2 else "python"](
                where, source, tmp_path / f"sink-{number}"
            )
            for number in range(12)
        ]
        await asyncio.gather(*clients)
        await close(server)

    play(scenario, 60)
    for number in range(12):
        assert filecmp.cmp(source, tmp_path / f"sink-{number}", shallow=False)


@pytest.mark.parametrize("name", CLIENTS)
def test_an_empty_conversation(
    play: Player, transport: Transport, tmp_path: Path, name: str
) -> None:
    """Rule 2.10.1: a client that says nothing and half-closes gets an end."""
    play_echo(play, transport, tmp_path, name, 0)


@pytest.mark.parametrize("name", ["nc", "socat", "node", "python"])
def test_the_server_speaks_first_and_hangs_up(
    play: Player, transport: Transport, tmp_path: Path, name: str
) -> None:
    source = write_payload(tmp_path / "source", 0)
    sink = tmp_path / "sink"

    async def scenario() -> None:
        server, where = await serve(transport, lambda socket: socket.end(b"220 hello\r\n"))
        await CLIENTS[name](where, source, sink)
        await close(server)

    play(scenario)
    assert sink.read_bytes() == b"220 hello\r\n"
