"""64 MiB of random bytes, both ways at once, and readers that stop whenever they like.

What is kept in memory meanwhile is bounded by the high-water marks.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import resource
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Player, Transport, close, event, listen
from waiting import upcoming

import uvnet

TOTAL = 64 * 2**20
READ = 65_536  # bytes of one read, which may go beyond a mark
BIGGEST = 100_000  # bytes of one write, likewise
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


def chunks(generator: random.Random) -> Iterator[bytes]:
    """TOTAL random bytes in pieces of random sizes."""
    block = generator.randbytes(2 * BIGGEST)
    left = TOTAL
    while left:
        size = min(left, generator.choice((1, 100, 10_000, BIGGEST)))
        start = generator.randrange(BIGGEST)
        # Every piece differs from the others, although making them costs little.
        yield generator.randbytes(1) + block[start : start + size - 1] if size > 1 else generator.randbytes(1)
        left -= size


class Side:
    """One end: writes at the pace of 'drain', reads with pauses, and remembers the most it ever held."""

    def __init__(self, socket: uvnet.Socket, seed: int) -> None:
        self.socket = socket
        self.generator = random.Random(seed)
        self.source = chunks(random.Random(seed + 1))
        self.sent = hashlib.sha256()
        self.received = hashlib.sha256()
        self.most_readable = self.most_writable = 0
        self.pauses = self.drains = 0
        self.loop = asyncio.get_running_loop()
        self.closed = upcoming(socket, "close")
        socket.on("data", self.read)
        socket.on("drain", self.write)
        self.write()

    def look(self) -> None:
        self.most_readable = max(self.most_readable, self.socket.readable_length)
        self.most_writable = max(self.most_writable, self.socket.writable_length)

    def write(self) -> None:
        self.drains += 1
        for chunk in self.source:
            self.sent.update(chunk)
            more = self.socket.write(chunk)
            self.look()
            if not more:
                return
        self.socket.end()

    def read(self, chunk: bytes) -> None:
        self.received.update(chunk)
        self.look()
        if self.generator.random() < 0.02:
            self.pauses += 1
            self.socket.pause()
            self.loop.call_later(self.generator.choice((0, 0, 0.001)), self.go_on)

    def go_on(self) -> None:
        self.look()
        self.socket.resume()


@pytest.mark.parametrize("mark", [65_536, 1_000_000])
def test_both_ways_at_once(play: Player, transport: Transport, mark: int) -> None:
    """Rules 2.7.3, 2.7.4, 2.15.1 and 2.15.3."""

    async def scenario() -> None:
        sides: list[Side] = []
        options = {"high_water_mark": mark, "allow_half_open": True}
        server = await listen(uvnet.create_server(options, lambda peer: sides.append(Side(peer, 1))), transport)
        client = uvnet.Socket(options)
        client.connect(*transport.connect_arguments(server), lambda: sides.append(Side(client, 100)))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT
        while len(sides) < 2:
            await asyncio.sleep(0)
        for side in sides:
            assert await side.closed == (False,)
        first, second = sides
        assert first.received.digest() == second.sent.digest()
        assert second.received.digest() == first.sent.digest()
        for side in sides:
            assert side.socket.bytes_read == side.socket.bytes_written == TOTAL
            assert side.pauses > 0
            assert side.drains > 1
            assert side.most_readable < mark + READ
            assert side.most_writable < mark + BIGGEST
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT - before
        # Far below what went through; both marks of both sides, and what the allocator does with them.
        # AddressSanitizer keeps what has been freed.
        assert grown < 16 * 2**20 + 8 * mark or "libasan" in os.environ.get("LD_PRELOAD", "")
        await close(server)

    play(scenario, 60)


def test_a_reader_that_never_comes_back(play: Player, transport: Transport) -> None:
    """Rules 2.7.3 and 2.15.1: what it holds is bounded, and the writer hears of its end."""

    async def scenario() -> None:
        accepted: list[Any] = []
        server = await listen(uvnet.create_server(accepted.append), transport)
        client = uvnet.connect(*transport.connect_arguments(server))
        await event(client, "connect")
        chunk = bytes(BIGGEST)
        written = 0
        while client.write(chunk):
            written += len(chunk)
            assert written < TOTAL
            await asyncio.sleep(0)
        while not accepted or accepted[0].readable_length < READ:
            await asyncio.sleep(0)
        (reader,) = accepted
        assert reader.readable_length == reader.bytes_read < 2 * READ
        assert client.writable_length < READ + BIGGEST
        closed, broken, gone = upcoming(reader, "close"), upcoming(client, "error"), upcoming(client, "close")
        reader.destroy()
        assert await closed == (False,)
        # What it has not taken breaks the connection.
        (error,) = await broken
        assert error.code in ("ECONNRESET", "EPIPE")
        assert await gone == (True,)
        await close(server)

    play(scenario)
