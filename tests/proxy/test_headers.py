"""create_proxy() with the PROXY protocol on either side."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from harness import Player
from proxy_stage import (
    BLOCK,
    HEADERS,
    SIDES,
    Stage,
    echo_once,
    headers,
    mixes,
    names,
)
from waiting import until

from uvnet._accept.proxy_protocol import ProxyProtocolError, build_header

# === PROXY headers that come ===


@pytest.mark.parametrize("front", SIDES)
@headers
def test_names_and_data_in_one_segment(play: Player, tmp_path: Path, front: str, header: bytes) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            await client.send(header + b"request")
            client.finish()
            backend = await stage.accepted()
            assert await backend.rest() == b"request"
            assert names(stage.clients[0]) == ("192.0.2.1", 56324, "198.51.100.2", 443)
            assert stage.clients[0].remote_family == "IPv4"
            await backend.send(b"reply")
            backend.finish()
            assert await client.rest() == b"reply"

    play(scenario)


@headers
def test_header_and_data_split_anywhere(play: Player, tmp_path: Path, header: bytes) -> None:
    whole = header + b"request"

    async def scenario() -> None:
        async with Stage(tmp_path, accept_proxy_protocol=True) as stage:
            for cut in range(1, len(whole)):
                client = await stage.client()
                await client.send(whole[:cut])
                await stage.counted(1)
                assert stage.nothing_to_accept() or cut >= len(header)
                await client.send(whole[cut:])
                if cut < len(header):
                    backend = await stage.accepted()
                    assert await backend.receive(7) == b"request"
                    assert names(stage.clients[-1])[:2] == ("192.0.2.1", 56324)
                    backend.close()
                client.close()
                await until(lambda: stage.clients[-1].closed)
                assert stage.clients[-1].bytes_read == len(b"request")
                stage.clients.clear()

    play(scenario)


@headers
def test_byte_by_byte(play: Player, tmp_path: Path, header: bytes) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            for byte in header + b"request":
                await client.send(bytes([byte]))
                await stage.counted(1)
            backend = await stage.accepted()
            assert await backend.receive(7) == b"request"
            for _ in range(3):
                await echo_once(client, backend)

    play(scenario)


@headers
def test_a_lot_of_data_behind_a_header(play: Player, tmp_path: Path, header: bytes) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, accept_proxy_protocol=True, send_proxy_protocol=1) as stage:
            client = await stage.client()
            sending = asyncio.ensure_future(client.send(header + BLOCK * 8))
            backend = await stage.accepted()
            passed_on = HEADERS["version 1"]
            assert await backend.receive(len(passed_on)) == passed_on
            assert await backend.receive(len(BLOCK) * 8) == BLOCK * 8
            await sending

    play(scenario)


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])
def test_a_header_without_addresses_leaves_the_names(play: Player, tmp_path: Path, header: bytes) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            await client.send(header + b"check")
            backend = await stage.accepted()
            assert await backend.receive(5) == b"check"
            assert names(stage.clients[0])[:2] == client.socket.getsockname()

    play(scenario)


@pytest.mark.parametrize("front", SIDES)
@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"x" * 100_000])
def test_a_bad_header(play: Player, tmp_path: Path, front: str, sent: bytes) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            with contextlib.suppress(ConnectionError):
                await client.send(sent)
            await client.gone()
            await stage.counted(0)
            [drop] = stage.drops
            assert (drop["reason"], type(drop["error"])) == ("proxy header", ProxyProtocolError)
            assert ("remote_address" in drop) == (front == "tcp")
            assert stage.clients == stage.errors == stage.upstreams == []
            assert stage.nothing_to_accept()

    play(scenario)


@pytest.mark.parametrize("front", SIDES)
def test_a_header_cut_short(play: Player, tmp_path: Path, front: str) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            await client.send(b"PROXY TCP4 192.0.2.1")
            client.finish()
            assert await client.rest() == b""
            assert [type(drop["error"]) for drop in stage.drops] == [ProxyProtocolError]
            assert stage.clients == []

    play(scenario)


@pytest.mark.parametrize("front", SIDES)
@pytest.mark.parametrize("reset", [False, True])
def test_who_only_looks_whether_somebody_listens(
    play: Player, tmp_path: Path, front: str, reset: bool
) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            await stage.counted(1)
            if reset:
                client.reset()
            else:
                client.finish()
                assert await client.rest() == b""
            await stage.counted(0)
            assert stage.clients == stage.drops == []

    play(scenario)


@pytest.mark.parametrize("front", SIDES)
@pytest.mark.parametrize("sent", [b"", b"PROXY TCP4 192.0.2.1"])
def test_a_header_that_does_not_come_in_time(
    play: Player, tmp_path: Path, front: str, sent: bytes
) -> None:
    async def scenario() -> None:
        options = {"accept_proxy_protocol": True, "connect_timeout": 0.1}
        async with Stage(tmp_path, front, **options) as stage:
            client = await stage.client()
            await client.send(sent)
            await client.gone()
            [drop] = stage.drops
            assert isinstance(drop["error"], TimeoutError)
            assert drop["error"].code == "ETIMEDOUT"  # type: ignore[attr-defined]
            assert stage.clients == []

    play(scenario)


@pytest.mark.parametrize("front", SIDES)
def test_a_reset_of_upstream_after_a_header(play: Player, tmp_path: Path, front: str) -> None:
    """A Unix socket that bears the names of a TCP connection has no reset all the same."""

    async def scenario() -> None:
        async with Stage(tmp_path, front, accept_proxy_protocol=True) as stage:
            client = await stage.client()
            await client.send(HEADERS["version 1"])
            backend = await stage.accepted()
            await echo_once(client, backend)
            backend.reset()
            await client.gone()
            await until(lambda: stage.clients[0].closed)

    play(scenario)


# === PROXY headers that are sent ===


@mixes
@pytest.mark.parametrize("version", [1, 2])
def test_a_header_is_sent(play: Player, tmp_path: Path, front: str, back: str, version: int) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, back, send_proxy_protocol=version) as stage:
            client, backend = await stage.pair()
            ends: list[Any] = [None, None]
            if front == "tcp":
                ends = [client.socket.getsockname(), client.socket.getpeername()]
            header = build_header(version, *ends)
            assert await backend.receive(len(header)) == header
            for _ in range(3):
                await echo_once(client, backend)

    play(scenario)


@headers
@pytest.mark.parametrize("version", [1, 2])
def test_a_header_is_passed_on(play: Player, tmp_path: Path, header: bytes, version: int) -> None:
    async def scenario() -> None:
        options = {"accept_proxy_protocol": True, "send_proxy_protocol": version}
        async with Stage(tmp_path, **options) as stage:
            client = await stage.client()
            await client.send(header + b"request")
            backend = await stage.accepted()
            sent = HEADERS[f"version {version}"] + b"request"
            assert await backend.receive(len(sent)) == sent

    play(scenario)
