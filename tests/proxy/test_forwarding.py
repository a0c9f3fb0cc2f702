"""create_proxy(): forwarding with TCP and Unix sockets on either side, ends and resets.

The other ends are sockets of Python's own.  The tests of a running proxy are run once more without relays at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket as plain
import subprocess
import sys
from pathlib import Path

import pytest
from harness import Player
from places import ROOT, TESTS
from proxy_stage import (
    BLOCK,
    SIDES,
    End,
    Stage,
    echo_once,
    mixes,
)
from waiting import until

from uvnet.streams.piping import Piping

FILES = [TESTS / "proxy" / f"test_{name}.py" for name in ("forwarding", "upstream", "headers", "events")]
RELAYS = os.environ.get("UVNET_RELAY", "1") != "0"


# === Data and ends ===


@mixes
def test_data_in_both_directions(play: Player, tmp_path: Path, front: str, back: str) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, back) as stage:
            client, backend = await stage.pair()
            for data in (b"a", b"b" * 1000, BLOCK[:70_000]):
                await echo_once(client, backend, data)
            sending = asyncio.gather(client.send(BLOCK), backend.send(BLOCK[::-1]))
            received = await asyncio.gather(client.receive(len(BLOCK)), backend.receive(len(BLOCK)))
            await sending
            assert received == [BLOCK[::-1], BLOCK]

    play(scenario)


@mixes
@pytest.mark.parametrize("client_first", [True, False])
def test_an_end_is_carried_over_and_the_other_direction_goes_on(
    play: Player, tmp_path: Path, front: str, back: str, client_first: bool
) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, back) as stage:
            client, backend = await stage.pair()
            await echo_once(client, backend)
            first, second = (client, backend) if client_first else (backend, client)
            await first.send(b"last words")
            first.finish()
            assert await second.rest() == b"last words"
            for _ in range(3):
                await second.send(BLOCK[:1000])
                assert await first.receive(1000) == BLOCK[:1000]
            assert not stage.clients[0].destroyed and not stage.upstreams[0].destroyed
            second.finish()
            assert await first.rest() == b""
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)
            assert stage.errors == []

    play(scenario)


@mixes
def test_an_end_without_data(play: Player, tmp_path: Path, front: str, back: str) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, back) as stage:
            client, backend = await stage.pair()
            client.finish()
            assert await backend.rest() == b""
            backend.finish()
            assert await client.rest() == b""

    play(scenario)


@pytest.mark.parametrize("other_side", SIDES)
@pytest.mark.parametrize("client_resets", [True, False])
@pytest.mark.parametrize("used", [True, False])
def test_a_reset_is_carried_over(
    play: Player, tmp_path: Path, other_side: str, client_resets: bool, used: bool
) -> None:
    """TCP resets; what a Unix socket gets is an end, for want of anything else."""
    front, back = ("tcp", other_side) if client_resets else (other_side, "tcp")

    async def scenario() -> None:
        async with Stage(tmp_path, front, back) as stage:
            client, backend = await stage.pair()
            await until(lambda: bool(stage.upstreams) and not stage.upstreams[0].connecting)
            if used:
                for _ in range(3):
                    await echo_once(client, backend)
            resetting, other = (client, backend) if client_resets else (backend, client)
            resetting.reset()
            if other_side == "tcp":
                with pytest.raises(ConnectionResetError):
                    await other.rest()
            else:
                await other.gone()
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)
            assert stage.errors == [], "it had been passed on"

    play(scenario)


@pytest.mark.parametrize("upwards", [True, False])
def test_a_side_that_a_program_destroys_ends_the_other(play: Player, tmp_path: Path, upwards: bool) -> None:
    """Without an error that is an end, with one a reset."""

    async def scenario() -> None:
        async with Stage(tmp_path) as stage:
            for error in (None, LookupError()):
                client, backend = await stage.pair()
                await echo_once(client, backend)
                first, other = (stage.clients[-1], backend) if upwards else (stage.upstreams[-1], client)
                first.destroy(error)
                if error is None:
                    assert await other.rest() == b""
                else:
                    with pytest.raises(ConnectionResetError):
                        await other.rest()
                await until(lambda: stage.clients[-1].closed and stage.upstreams[-1].closed)

    play(scenario)


@pytest.mark.parametrize("upwards", [True, False])
@pytest.mark.parametrize("ended", ["destroyed side", "other side"])
def test_half_of_it_is_over_when_a_program_destroys_a_side(
    play: Player, tmp_path: Path, ended: str, upwards: bool
) -> None:
    """What was still open ends."""

    async def scenario() -> None:
        async with Stage(tmp_path) as stage:
            client, backend = await stage.pair()
            await echo_once(client, backend)
            ours, near, far = stage.clients[0], client, backend
            if not upwards:
                ours, near, far = stage.upstreams[0], backend, client
            first, second = (near, far) if ended == "destroyed side" else (far, near)
            first.finish()
            assert await second.rest() == b""
            ours.destroy()
            assert await first.rest() == b""
            await until(lambda: stage.clients[0].closed and stage.upstreams[0].closed)

    play(scenario)


def test_an_error_cuts_the_other_side_also_where_both_have_ended(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        with plain.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            upstream = {"host": "127.0.0.1", "port": listening.getsockname()[1], "high_water_mark": 2**24}
            async with Stage(tmp_path, upstream=upstream, high_water_mark=2**24) as stage:
                client = await stage.client()
                backend = End((await asyncio.get_running_loop().sock_accept(listening))[0])
                await until(lambda: bool(stage.upstreams) and not stage.upstreams[0].connecting)
                sides = [stage.clients[0], stage.upstreams[0]]
                for side in sides:
                    side.on("data", lambda _chunk: None)
                for end in (client, backend):
                    await end.send(BLOCK * 8)
                    end.finish()
                await until(lambda: all(side.readable_ended and side.writable_ended for side in sides))
                assert all(side.writable_length for side in sides)
                backend.reset()
                with pytest.raises(ConnectionResetError):
                    await client.rest()
                await until(lambda: all(side.closed for side in sides))

    play(scenario)


@mixes
def test_a_side_that_is_over_does_not_cut_what_the_other_still_sends(
    play: Player, tmp_path: Path, front: str, back: str
) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path, front, back, high_water_mark=2**24) as stage:
            client, backend = await stage.pair()
            await until(lambda: bool(stage.upstreams) and not stage.upstreams[0].connecting)
            # A relay would hold the end back until all is passed on.
            stage.upstreams[0].on("data", lambda _chunk: None)
            client.finish()
            await until(lambda: stage.upstreams[0].writable_finished)
            await backend.send(BLOCK * 8)
            backend.finish()
            await until(lambda: stage.upstreams[0].closed)
            assert stage.clients[0].writable_length > 0
            assert await client.receive(len(BLOCK) * 8) == BLOCK * 8
            assert await client.rest() == b""

    play(scenario)


def test_a_reset_while_the_other_side_does_not_read(play: Player, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Stage(tmp_path) as stage:
            client, backend = await stage.pair()
            sending = asyncio.ensure_future(client.send(BLOCK * 64))
            await until(lambda: stage.clients[0].bytes_read > 2**20)
            backend.reset()
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                await sending

    play(scenario)


@mixes
@pytest.mark.parametrize("upwards", [True, False])
def test_64_mib_with_a_slow_reader(
    play: Player, tmp_path: Path, front: str, back: str, upwards: bool
) -> None:
    """The sender is held up while nobody reads, so that little lies in between; then all of it arrives."""

    async def scenario() -> None:
        async with Stage(tmp_path, front, back) as stage:
            client, backend = await stage.pair()
            sender, reader = (client, backend) if upwards else (backend, client)
            sent, received = hashlib.sha256(), hashlib.sha256()
            count = 0

            async def send() -> None:
                nonlocal count
                for number in range(64):
                    block = b"%08d" % number + BLOCK[8:]
                    sent.update(block)
                    await sender.send(block)
                    count += 1
                sender.finish()

            sending = asyncio.ensure_future(send())
            still = before = 0
            while still < 20:
                await asyncio.sleep(0.01)
                still = still + 1 if count == before else 0
                before = count
            assert count < 64  # the kernel's buffers may hold much; what is held here is bounded
            for socket in (stage.clients[0], stage.upstreams[0]):
                assert socket.readable_length + socket.writable_length < 2**20
            while chunk := await reader.receive(2**18):
                received.update(chunk)
            await sending
            assert received.digest() == sent.digest()

    play(scenario, timeout=60)


@pytest.mark.skipif(not RELAYS, reason="UVNET_RELAY=0 switches relays off")
@mixes
def test_relays_carry_the_data(
    play: Player, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, front: str, back: str
) -> None:
    chunks = 0
    on_data = Piping.on_data

    def counted(self: Piping, chunk: bytes) -> None:
        nonlocal chunks
        chunks += 1
        on_data(self, chunk)

    async def scenario() -> None:
        async with Stage(tmp_path, front, back) as stage:
            client, backend = await stage.pair()
            await echo_once(client, backend)
            before = chunks
            for _ in range(100):
                await echo_once(client, backend)
            assert before <= 2
            assert chunks - before <= 2

    monkeypatch.setattr(Piping, "on_data", counted)
    play(scenario)


# === The same without relays ===


@pytest.mark.skipif(not RELAYS, reason="this is that run")
def test_all_of_it_without_relays() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, FILES)],
        env={**os.environ, "UVNET_RELAY": "0"},
        cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=110,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout
