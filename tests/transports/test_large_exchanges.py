"""64 MiB both ways at once, plain and over TLS, through a peer that pauses: byte for byte, and in little memory."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest
from certificates import Certificates
from programs import started
from tls_stage import VERSIONS

MEBIBYTE = 1048576
SIZE = 64 * MEBIBYTE
BLOCK = 65536  # bytes of one write
# What a server may hold: in its buffer, in requests that the loop has not come back to, and in all.
MOST_WAITING = 3 * BLOCK
MOST_PINNED = 2 * MEBIBYTE
MOST_MEMORY = 24 * MEBIBYTE

# The server, a process of its own whose memory can be looked at.
SERVER = """
import asyncio, hashlib, random, ssl, sys
import uvnet
from uvnet._loop.counters import snapshot

MEBIBYTE = 1048576
certificate, version, kind, size = sys.argv[1:]
chance = random.Random(1)

def memory():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0

class Both:
    def connection_made(self, transport):
        self.transport = transport
        self.held = False
        self.count = self.sent = self.waiting = self.pinned = 0
        self.hash = hashlib.sha256()
        self.before = self.most = memory()
        self.block = b""
        self.write()

    def write(self):
        while not self.held and self.sent < int(size):
            if not self.block:
                self.block = chance.randbytes(MEBIBYTE)
            self.transport.write(self.block[:65536])
            self.block = self.block[65536:]
            self.sent += 65536
            self.waiting = max(self.waiting, self.transport.get_write_buffer_size())
            self.pinned = max(self.pinned, snapshot()["pinned"])

    def pause_writing(self):
        self.held = True
        self.most = max(self.most, memory())

    def resume_writing(self):
        self.held = False
        self.write()

    def received(self, data):
        self.hash.update(data)
        before, self.count = self.count, self.count + len(data)
        if self.count // MEBIBYTE > before // MEBIBYTE:
            self.most = max(self.most, memory())
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.002, self.transport.resume_reading)

    def connection_lost(self, error):
        print(error, self.hash.hexdigest(), self.sent, self.waiting, self.pinned, self.most - self.before, flush=True)
        over.set_result(None)

class Protocol(Both, asyncio.Protocol):
    def data_received(self, data):
        self.received(data)

class BufferedProtocol(Both, asyncio.BufferedProtocol):
    buffer = bytearray(200_000)

    def get_buffer(self, hint):
        return self.buffer

    def buffer_updated(self, length):
        self.received(memoryview(self.buffer)[:length])

async def main():
    global over
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    context = None
    if version != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)
    server = await loop.create_server(globals()[kind], "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over
    server.close()

uvnet.run(main())
"""


def blocks(seed: int) -> Iterator[bytes]:
    chance = random.Random(seed)
    return (chance.randbytes(MEBIBYTE) for _ in range(SIZE // MEBIBYTE))


async def exchange(port: int, **tls: Any) -> str:
    """The peer, on a loop of asyncio's own: sends and receives; what it has received, as a hash."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **tls)

    async def send() -> None:
        for block in blocks(2):
            writer.write(block)
            await writer.drain()

    async def receive() -> str:
        received = hashlib.sha256()
        for number in range(SIZE // MEBIBYTE):
            if number % 8 == 4:
                # In which the server fills what the systems hold.
                await asyncio.sleep(0.05)
            received.update(await reader.readexactly(MEBIBYTE))
        return received.hexdigest()

    received, _ = await asyncio.gather(receive(), send())
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return received


@pytest.mark.parametrize(
    ("version", "kind"), [("plain", "Protocol"), ("1.2", "Protocol"), ("1.3", "BufferedProtocol")]
)
def test_sixty_four_mebibytes_both_ways(certificates: Certificates, version: str, kind: str) -> None:
    name, tls = "plain", {}
    if version != "plain":
        name, tls = VERSIONS[version].name, {"ssl": certificates.client(), "server_hostname": "localhost"}
    with started("-c", SERVER, str(certificates.path("server")), name, kind, str(SIZE)) as server:
        loop = asyncio.SelectorEventLoop()
        try:
            received = loop.run_until_complete(asyncio.wait_for(exchange(int(server.line()), **tls), 90))
        finally:
            loop.close()
        error, hashed, sent, waiting, pinned, memory = server.line().split()
        assert server.result() == (0, b"", "")
    assert (error, int(sent)) == ("None", SIZE)
    assert received == hashlib.sha256(b"".join(blocks(1))).hexdigest()
    assert hashed == hashlib.sha256(b"".join(blocks(2))).hexdigest()
    assert int(waiting) <= MOST_WAITING
    assert int(pinned) * BLOCK <= MOST_PINNED
    # A sanitizer keeps what was freed.
    assert int(memory) <= MOST_MEMORY or "asan" in os.environ.get("LD_PRELOAD", "")
