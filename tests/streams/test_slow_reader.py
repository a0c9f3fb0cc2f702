"""A peer that stops reading for a while: the writer is told, memory is bounded, nothing is lost.

Rules 2.7.3, 2.7.4 and 3.3; decision 20.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket as plain
import threading
from typing import Any

from harness import Player, Transport, close, listen
from peers import NODE_CONNECT, Where, connect_plain, need
from waiting import upcoming

import uvnet

TOTAL = 64 * 2**20
CHUNK = bytes(range(256)) * 64
MARK = 65_536
LARGEST_READ = 262_144
PAUSED_CLIENT = (
    NODE_CONNECT
    + """
const hash = require('crypto').createHash('sha256');
socket.pause();
process.stdin.once('data', () => socket.resume());
socket.on('data', (chunk) => hash.update(chunk));
socket.on('close', () => { console.log(hash.digest('hex')); process.stdin.destroy(); });
"""
)


def where_is(server: uvnet.Server) -> Where:
    address = server.address()
    return address if isinstance(address, str) else address.port


class Writer:
    """Writes TOTAL bytes at the pace of 'drain', and remembers what it saw."""

    def __init__(self, socket: uvnet.Socket) -> None:
        self.socket = socket
        self.written = hashlib.sha256()
        self.left = TOTAL
        self.drains = 0
        self.longest = 0
        self.refused = asyncio.Event()
        self.write()

    def write(self) -> None:
        while self.left:
            self.left -= len(CHUNK)
            self.written.update(CHUNK)
            more = self.socket.write(CHUNK)
            self.longest = max(self.longest, self.socket.writable_length)
            if not more:
                assert self.socket.writable_length >= MARK
                assert self.socket.writable_need_drain
                self.socket.once("drain", self.drained)
                self.refused.set()
                return
        self.socket.end()

    def drained(self) -> None:
        assert self.socket.writable_length == 0
        self.drains += 1
        self.write()


class Reader:
    """A blocking socket in a thread that reads nothing until it is told to."""

    def __init__(self, where: Where) -> None:
        self.where = where
        self.go = threading.Event()
        self.received = hashlib.sha256()
        self.count = 0

    def read(self) -> None:
        with connect_plain(self.where) as connection:
            self.go.wait()
            while chunk := connection.recv(100_000):
                self.received.update(chunk)
                self.count += len(chunk)


def test_the_writer_waits_for_drain(play: Player, transport: Transport) -> None:
    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        accepted = upcoming(server, "connection")
        reader = Reader(where_is(server))
        reading = asyncio.ensure_future(asyncio.to_thread(reader.read))
        (socket,) = await accepted
        writer = Writer(socket)
        await writer.refused.wait()
        waiting = socket.writable_length
        # Nothing moves while nobody reads, though the loop runs.
        await asyncio.sleep(0.05)
        assert (socket.writable_length, writer.drains) == (waiting, 0)
        closed = upcoming(socket, "close")
        reader.go.set()
        await reading
        assert await closed == (False,)
        assert reader.count == socket.bytes_written == TOTAL
        assert reader.received.digest() == writer.written.digest()
        assert writer.drains > 0
        assert writer.longest <= MARK + len(CHUNK)
        await close(server)

    play(scenario, 60)


def test_a_writer_that_does_not_listen_loses_nothing(play: Player, transport: Transport) -> None:
    """DESIGN 2: after False, what is written all the same is queued, not lost."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        accepted = upcoming(server, "connection")
        reader = Reader(where_is(server))
        reading = asyncio.ensure_future(asyncio.to_thread(reader.read))
        (socket,) = await accepted
        drains: list[int] = []
        called: list[BaseException | None] = []
        socket.on("drain", lambda: drains.append(socket.writable_length))
        sent = hashlib.sha256()
        for number in range(1000):
            chunk = b"%06d" % number * 2731
            sent.update(chunk)
            socket.write(chunk, called.append)
        assert socket.writable_length > MARK
        await asyncio.sleep(0.05)
        assert len(called) < 1000
        socket.end()
        closed = upcoming(socket, "close")
        reader.go.set()
        await reading
        assert await closed == (False,)
        assert called == [None] * 1000
        # While ending no 'drain' is due (rule 2.7.4).
        assert drains == []
        assert reader.received.digest() == sent.digest()
        await close(server)

    play(scenario, 60)


def test_a_pipe_stops_reading_from_who_does_not_read(play: Player, transport: Transport) -> None:
    """Rule 3.3: an echo server does not store what its client will not take back."""

    def send_without_reading(connection: plain.socket) -> None:
        for _ in range(TOTAL // len(CHUNK)):
            connection.sendall(CHUNK)
        connection.shutdown(plain.SHUT_WR)

    def read_all(connection: plain.socket, into: Any) -> int:
        count = 0
        while chunk := connection.recv(100_000):
            into.update(chunk)
            count += len(chunk)
        return count

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        accepted = upcoming(server, "connection")
        connection = await asyncio.to_thread(connect_plain, where_is(server))
        (socket,) = await accepted
        paused = upcoming(socket, "pause")
        socket.pipe(socket)
        sending = asyncio.ensure_future(asyncio.to_thread(send_without_reading, connection))
        await paused
        await asyncio.sleep(0.05)
        assert not sending.done()
        # One read may go beyond each mark.
        assert MARK <= socket.writable_length <= MARK + LARGEST_READ
        assert socket.readable_length <= MARK + LARGEST_READ
        stored = socket.bytes_read
        await asyncio.sleep(0.05)
        assert socket.bytes_read == stored < TOTAL
        closed = upcoming(socket, "close")
        received = hashlib.sha256()
        assert await asyncio.to_thread(read_all, connection, received) == TOTAL
        await sending
        connection.close()
        assert await closed == (False,)
        expected = hashlib.sha256()
        for _ in range(TOTAL // len(CHUNK)):
            expected.update(CHUNK)
        assert received.digest() == expected.digest()
        assert socket.bytes_read == socket.bytes_written == TOTAL
        await close(server)

    play(scenario, 60)


def test_a_paused_node_client(play: Player, transport: Transport) -> None:
    """A peer with buffers of its own, which goes on when it is told to on its standard input."""

    async def scenario() -> None:
        server = await listen(uvnet.create_server(), transport)
        accepted = upcoming(server, "connection")
        process = await asyncio.create_subprocess_exec(
            need("node", "nodejs"), "-e", PAUSED_CLIENT, "--", str(where_is(server)),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        (socket,) = await accepted
        writer = Writer(socket)
        await writer.refused.wait()
        assert writer.left > 0
        closed = upcoming(socket, "close")
        output, _ = await process.communicate(b"go\n")
        assert await closed == (False,)
        assert output.decode().strip() == writer.written.hexdigest()
        assert writer.drains > 0
        assert writer.longest <= MARK + len(CHUNK)
        await close(server)

    play(scenario, 60)
