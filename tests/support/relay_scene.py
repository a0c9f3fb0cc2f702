"""What the tests of relays have in common: sockets whose other ends are plain sockets of the same thread."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import socket as plain
import struct
import termios
from collections.abc import Callable, Iterator
from typing import Any

import uvnet
from uvnet._loop.counters import snapshot
from uvnet.socket.relaying import _enable

__all__ = [
    "BULK",
    "KINDS",
    "Peer",
    "Scene",
    "connected_pair",
    "kernel_pipes",
    "move",
    "new_pipes",
    "pattern",
    "relayed",
    "relays_off",
    "waiting_writes",
]

KINDS = ("tcp", "unix")
TURNS = 20_000
QUIET_TURNS = 30
PATIENT_TURNS = 3
KERNEL_TURNS = 60               # of a millisecond: longer than a delayed acknowledgement (40 ms) and a low-water mark
BULK = 8 * 2**20                # more than the kernel keeps for two connections and a kernel pipe
LARGE_BUFFER = 2**20


def pattern(length: int, seed: int = 0) -> bytes:
    """Bytes in which every block of 8 differs from the others: nothing can be lost or repeated unseen."""
    numbers = array.array("Q", range(seed << 32, (seed << 32) + length // 8 + 1))
    return numbers.tobytes()[:length]


def connected_pair(kind: str) -> tuple[plain.socket, plain.socket]:
    """Both ends of a connection."""
    if kind == "unix":
        return plain.socketpair()
    with plain.create_server(("127.0.0.1", 0)) as listener:
        near = plain.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


def kernel_pipes() -> dict[str, int]:
    """The kernel pipes of this process, and the bytes that each holds."""
    levels = {}
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{name}")
            if target.startswith("pipe:") and target not in levels:
                level = fcntl.ioctl(int(name), termios.FIONREAD, bytes(4))
                levels[target] = struct.unpack("i", level)[0]
    return levels


def new_pipes(before: set[str]) -> dict[str, int]:
    """The kernel pipes that were not there before."""
    return {pipe: level for pipe, level in kernel_pipes().items() if pipe not in before}


def held(descriptor: int) -> tuple[int, int]:
    """Bytes that the kernel has for the reader of this socket, and bytes it has of its writer."""
    counts = []
    for what in (termios.FIONREAD, termios.TIOCOUTQ):
        with contextlib.suppress(OSError):
            counts.append(struct.unpack("i", fcntl.ioctl(descriptor, what, bytes(4)))[0])
    return (counts[0], counts[1]) if len(counts) == 2 else (0, 0)


def waiting_writes() -> int:
    """Writes that libuv has in hand."""
    return snapshot()["requests"]


@contextlib.contextmanager
def relays_off() -> Iterator[None]:
    """Every pipe() goes the way through Python."""
    before = _enable(False)
    try:
        yield
    finally:
        _enable(before)


class Peer:
    """A plain socket that sends and receives as far as it goes without blocking, whenever turn() is called."""

    def __init__(self, connection: plain.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.outgoing = memoryview(b"")
        self.received = bytearray()
        self.reading = True
        self.bite = 2**20                       # bytes to read in one turn
        self.half_closing = False
        self.half_closed = False
        self.ended = False                      # FIN has come
        self.failure: type[OSError] | None = None
        self.is_open = True

    def send(self, data: bytes) -> None:
        self.outgoing = memoryview(bytes(self.outgoing) + data)

    def half_close(self) -> None:
        """Send FIN behind what is to be sent."""
        self.half_closing = not self.half_closed
        self.half_closed = True

    def reset(self) -> None:
        """Close with RST on TCP."""
        if self.is_open:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, linger)
        self.close()

    def close(self) -> None:
        self.is_open = False
        self.outgoing = memoryview(b"")
        self.connection.close()

    def turn(self) -> int:
        """Bytes moved."""
        if not self.is_open:
            return 0
        try:
            return self._send() + self._receive()
        except BlockingIOError:
            return 0
        except OSError as error:
            self.failure = type(error)
            self.close()
            return 1

    def _send(self) -> int:
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while self.outgoing:
                count = self.connection.send(self.outgoing[: 2**20])
                self.outgoing = self.outgoing[count:]
                sent += count
            if self.half_closing:
                self.half_closing = False
                self.connection.shutdown(plain.SHUT_WR)
        return sent

    def _receive(self) -> int:
        if not self.reading or self.ended:
            return 0
        data = self.connection.recv(self.bite)
        self.received += data
        self.ended = not data
        return len(data) or 1


class Scene:
    """Connections under test by name: for each a uvnet.Socket and the peer at its other end."""

    def __init__(self) -> None:
        self.sockets: dict[str, uvnet.Socket] = {}
        self.peers: dict[str, Peer] = {}
        self.descriptors: dict[str, int] = {}   # of the sockets, as long as they live

    def connect(
        self, name: str, kind: str = "unix", near_class: Any = uvnet.Socket, **options: Any
    ) -> tuple[Any, Peer]:
        """A connection; options are those of Socket()."""
        near, far = connected_pair(kind)
        # Room for more than a few full reads, so that data may come fast enough for splice(2).
        for connection in (near, far):
            connection.setsockopt(plain.SOL_SOCKET, plain.SO_SNDBUF, LARGE_BUFFER)
            connection.setsockopt(plain.SOL_SOCKET, plain.SO_RCVBUF, LARGE_BUFFER)
        self.descriptors[name] = near.fileno()
        self.sockets[name] = near_class(handle=near, **options)
        self.peers[name] = Peer(far)
        return self.sockets[name], self.peers[name]

    def join(self, one: str, other: str, kind: str = "unix", **options: Any) -> None:
        """A connection both ends of which are under test."""
        for name, end in zip((one, other), connected_pair(kind), strict=True):
            self.descriptors[name] = end.fileno()
            self.sockets[name] = uvnet.Socket(handle=end, **options)

    def turn(self) -> int:
        return sum(peer.turn() for peer in self.peers.values())

    async def until(self, condition: Callable[[], object]) -> None:
        """Let everything go on until the condition holds."""
        for number in range(TURNS):
            self.turn()
            if condition():
                return
            await asyncio.sleep(0 if number < 1000 else 0.001)
        raise AssertionError("it never came about")

    def _in_kernel(self) -> tuple[list[tuple[int, int]], bool]:
        """What the kernel has of every connection, and whether it may go on without anybody's doing.

        Nagle's algorithm, a delayed acknowledgement or a busy machine keeps bytes under way for a while, and
        a low-water mark keeps them from waking the loop.
        """
        counts = []
        under_way = False
        for name, socket in self.sockets.items():
            peer = self.peers.get(name)
            known = name in self.descriptors and not socket.destroyed
            near = held(self.descriptors[name]) if known else (0, 0)
            far = held(peer.connection.fileno()) if peer is not None and peer.is_open else (0, 0)
            counts += [near, far]
            # What the peer does not want to read stays where it is.
            stays = peer is not None and not peer.reading and far[0]
            under_way = under_way or bool(near[0] or far[1] or (near[1] and not stays))
        return counts, under_way

    async def quiet(self) -> None:
        """Let everything go on until nothing moves any more, in the kernel neither."""
        still = 0
        before: object = None
        for _ in range(TURNS):
            moved = self.turn()
            counts, under_way = self._in_kernel()
            sockets = self.sockets.values()
            now = (counts, [(s.bytes_read, s.bytes_written, s.destroyed, s.closed) for s in sockets])
            still = 0 if moved or now != before else still + 1
            if still > (QUIET_TURNS + KERNEL_TURNS if under_way else QUIET_TURNS):
                return
            before = now
            # What is on its way inside the kernel needs time of its own.
            await asyncio.sleep(0 if still < QUIET_TURNS - PATIENT_TURNS else 0.001)
        raise AssertionError("it never came to rest")

    async def close(self) -> None:
        """Let go of everything."""
        for socket in self.sockets.values():
            socket.on("error", lambda error: None)
            socket.destroy()
        for peer in self.peers.values():
            peer.close()
        await self.until(lambda: all(socket.closed or socket.pending for socket in self.sockets.values()))


async def relayed(scene: Scene, **options: Any) -> tuple[Any, Any]:
    """A pipe() that has become a relay; options are those of the sink."""
    source, sender = scene.connect("source")
    sink, receiver = scene.connect("sink", **options)
    source.pipe(sink)
    sender.send(b"begin ")
    await scene.until(lambda: receiver.received == b"begin ")
    assert source._relayed
    return source, sink


async def move(scene: Scene, data: bytes) -> None:
    """Let data go through, and everything come to rest."""
    scene.peers["source"].send(data)
    await scene.until(lambda: scene.peers["sink"].received.endswith(data))
    await scene.quiet()
