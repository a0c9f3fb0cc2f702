"""drain(): waiting until what is written is on its way, or never will be."""

from __future__ import annotations

import asyncio

import pytest
from awaitable import MEBIBYTE, pair
from harness import Player, Transport
from waiting import turns

import uvnet


def test_drain(play: Player, transport: Transport) -> None:
    """Rule 2.7.4, for any number of coroutines; cancelling one leaves the others."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.pause()
            assert client.write(b"x" * 16 * MEBIBYTE) is False
            drainers = [asyncio.create_task(client.drain()) for _ in range(20)]
            await turns()
            drainers[3].cancel()
            await turns()
            assert [task.done() for task in drainers] == [index == 3 for index in range(20)]
            socket.resume()
            done, _ = await asyncio.wait(drainers)
            assert sum(task.cancelled() for task in done) == 1
            assert not client.writable_need_drain

    play(scenario)


@pytest.mark.parametrize("how", ["error", "destroy", "end"])
def test_the_end_of_drain(play: Player, transport: Transport, how: str) -> None:
    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.pause()
            client.write(b"x" * 16 * MEBIBYTE)
            waiting = asyncio.create_task(client.drain())
            await turns()
            if how == "error":
                client.destroy(LookupError("mine"))
                with pytest.raises(LookupError, match="mine"):
                    await waiting
            elif how == "destroy":
                client.destroy()
                with pytest.raises(uvnet.NetRuntimeError) as failure:
                    await waiting
                assert failure.value.code == "ERR_STREAM_DESTROYED"
            else:
                client.end()
                await waiting

    play(scenario)


def test_a_cancelled_drain_of_a_peer_that_never_reads(play: Player, transport: Transport) -> None:
    """What waits goes on waiting, and arrives once the peer reads after all."""

    async def scenario() -> None:
        async with pair(transport) as (client, socket):
            socket.pause()
            assert client.write(b"x" * 16 * MEBIBYTE) is False
            waiting = asyncio.create_task(client.drain())
            await turns()
            left = client.writable_length
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert client.writable_length == left > 0
            assert not client.destroyed
            reading = asyncio.create_task(socket.read_exactly(16 * MEBIBYTE))
            await client.drain()
            assert await reading == b"x" * 16 * MEBIBYTE

    play(scenario)
