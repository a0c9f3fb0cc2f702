"""A proxy between two sockets of Python's own: what the tests of create_proxy() play on."""

from __future__ import annotations

import asyncio
import contextlib
import socket as plain
from pathlib import Path
from typing import Any

import pytest
from pairs import reset
from waiting import upcoming

import uvnet
from uvnet._accept.proxy_protocol import build_header

__all__ = [
    "BLOCK",
    "HEADERS",
    "SIDES",
    "End",
    "Stage",
    "echo_once",
    "headers",
    "mixes",
    "names",
    "silent_backend",
]

BLOCK = bytes(range(256)) * 4096  # 1 MiB
HEADERS = {
    "version 1": b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n",
    "version 2": build_header(2, ("192.0.2.1", 56324), ("198.51.100.2", 443)),
    "version 2 with a TLV": b"".join([
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x12",
        bytes([192, 0, 2, 1, 198, 51, 100, 2, 0xDC, 4, 1, 0xBB]), b"\x04\0\3abc",
    ]),
}  # fmt: skip
SIDES = ["tcp", "unix"]
mixes = pytest.mark.parametrize(("front", "back"), [(front, back) for front in SIDES for back in SIDES])
headers = pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)


class End:
    """A connected socket that the loop serves but uvnet does not."""

    def __init__(self, socket: plain.socket) -> None:
        socket.setblocking(False)
        self.socket = socket
        self.loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        await self.loop.sock_sendall(self.socket, data)

    async def receive(self, count: int) -> bytes:
        """So many bytes, or fewer where the end comes first."""
        received = b""
        while len(received) < count:
            chunk = await self.loop.sock_recv(self.socket, count - len(received))
            if not chunk:
                break
            received += chunk
        return received

    async def rest(self) -> bytes:
        """Everything up to the end; a reset raises ConnectionResetError."""
        received = []
        while chunk := await self.loop.sock_recv(self.socket, 1 << 18):
            received.append(chunk)
        return b"".join(received)

    async def gone(self) -> None:
        """The other side has closed or reset the connection."""
        with contextlib.suppress(ConnectionResetError):
            await self.rest()

    def finish(self) -> None:
        self.socket.shutdown(plain.SHUT_WR)

    def reset(self) -> None:
        reset(self.socket)

    def close(self) -> None:
        self.socket.close()


class Stage:
    """A proxy that listens on one kind of socket and passes on to another.

    The exit waits for the proxy's 'close': it comes only when no connection is left on it.
    """

    def __init__(
        self, directory: Path, front: str = "tcp", back: str = "tcp", upstream: Any = None, **options: Any
    ) -> None:
        self.directory = directory
        self.front, self.back = front, back
        self.upstream = upstream
        self.options = options
        self.ends: list[End] = []
        self.errors: list[BaseException] = []
        self.drops: list[uvnet.Drop] = []
        self.clients: list[uvnet.Socket] = []
        self.upstreams: list[uvnet.Socket] = []

    async def __aenter__(self) -> Stage:
        if self.back == "unix":
            self.backend = plain.socket(plain.AF_UNIX)
            self.backend.bind(str(self.directory / "back"))
        else:
            self.backend = plain.socket()
            self.backend.bind(("127.0.0.1", 0))
        self.backend.listen()
        self.backend.setblocking(False)
        upstream = self.backend.getsockname() if self.upstream is None else self.upstream
        self.proxy = uvnet.create_proxy(upstream, **self.options)
        self.proxy.on("connection", self.clients.append)
        self.proxy.on("drop", self.drops.append)
        self.proxy.on("upstream", lambda client, socket: self.upstreams.append(socket))
        self.proxy.on("upstreamError", lambda error, client: self.errors.append(error))
        listening = upcoming(self.proxy, "listening")
        if self.front == "unix":
            self.proxy.listen(str(self.directory / "front"))
        else:
            self.proxy.listen(0, "127.0.0.1")
        await listening
        return self

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        closed = upcoming(self.proxy, "close")
        self.proxy.close()
        for end in self.ends:
            end.close()
        self.backend.close()
        if kind is None:
            await closed

    async def client(self) -> End:
        address = self.proxy.address()
        if isinstance(address, str):
            end = End(plain.socket(plain.AF_UNIX))
            await end.loop.sock_connect(end.socket, address)
        else:
            end = End(plain.socket())
            await end.loop.sock_connect(end.socket, (address.address, address.port))
        self.ends.append(end)
        return end

    async def accepted(self) -> End:
        socket, _ = await asyncio.get_running_loop().sock_accept(self.backend)
        end = End(socket)
        self.ends.append(end)
        return end

    async def pair(self) -> tuple[End, End]:
        """A client and what the backend has accepted for it."""
        client = await self.client()
        return client, await self.accepted()

    async def counted(self, count: int) -> None:
        """The proxy has so many connections, with those that have not said yet whose they are."""
        counts: list[int] = []
        while not counts or counts[-1] != count:
            self.proxy.get_connections(lambda _, number: counts.append(number))
            await asyncio.sleep(0.001)

    def nothing_to_accept(self) -> bool:
        """Nobody has come to the backend."""
        try:
            self.backend.accept()[0].close()
        except BlockingIOError:
            return True
        return False


@contextlib.contextmanager
def silent_backend() -> Any:
    """The port of a TCP socket that answers no connection: its backlog is full."""
    with contextlib.ExitStack() as opened:
        listening = opened.enter_context(plain.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = opened.enter_context(plain.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


async def echo_once(client: End, backend: End, data: bytes = b"ping") -> None:
    await client.send(data)
    assert await backend.receive(len(data)) == data
    await backend.send(data)
    assert await client.receive(len(data)) == data


def names(socket: uvnet.Socket) -> tuple[Any, ...]:
    return socket.remote_address, socket.remote_port, socket.local_address, socket.local_port
