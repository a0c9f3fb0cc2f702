"""Several loops in as many threads, and everything that they share under change: what breaks without a GIL, and how.

`python tests/threads/stress.py SECONDS [NAME ...]` runs each of the scenes for so long; the tests run them for a moment.
A scene raises where something is wrong; more often a fault of this kind ends the process.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket as plain
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from certificates import Certificates

import uvnet
import uvnet.tls
from uvnet._accept.counting import statistics

THREADS = 4
Scene = Callable[[float], int]


def in_threads(work: Callable[[int], int], count: int = THREADS) -> int:
    """Run work(number) in so many threads; the sum of what they return, or what one of them raised."""
    results: list[int] = []
    raised: list[BaseException] = []

    def run(number: int) -> None:
        try:
            results.append(work(number))
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]
    return sum(results)


def again_and_again(scene: Callable[[], Coroutine[Any, Any, int]], until: float) -> int:
    """Run a scene on one loop after the other; the sum of what they return."""
    total = 0
    while time.monotonic() < until:
        total += uvnet.run(scene())
    return total


class Serving:
    """Servers in threads of their own that share a port."""

    def __init__(self, answer: Callable[[uvnet.Socket], None], loops: int = 2, **options: Any) -> None:
        self._answer = answer
        self._options = options
        self._stop = threading.Event()
        self._barrier = threading.Barrier(loops + 1)
        self._raised: list[BaseException] = []
        self._threads = [threading.Thread(target=self._serve) for _ in range(loops)]
        # It keeps the port while nobody listens yet.
        self._reserved = plain.socket()
        self._reserved.setsockopt(plain.SOL_SOCKET, plain.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port = self._reserved.getsockname()[1]
        self.loops: list[asyncio.AbstractEventLoop] = []
        self.servers: list[uvnet.Server] = []
        self.accepted = 0

    def _serve(self) -> None:
        async def main() -> None:
            server = uvnet.Server(**self._options)
            server.on("connection", self._answer)
            server.listen(self.port, "127.0.0.1", reuse_port=True)
            await uvnet.once(server, "listening")
            self.loops.append(asyncio.get_running_loop())
            self.servers.append(server)
            await asyncio.to_thread(self._barrier.wait)
            await asyncio.to_thread(self._stop.wait)
            self.accepted += server.statistics().accepted
            await server.shutdown(timeout=1)

        try:
            uvnet.run(main())
        except BaseException as error:
            self._raised.append(error)
            self._barrier.abort()

    def __enter__(self) -> Serving:
        for thread in self._threads:
            thread.start()
        self._barrier.wait()
        self._reserved.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.loops.clear()
        self.servers.clear()
        if self._raised:
            raise self._raised[0]


def echo(socket: uvnet.Socket) -> None:
    socket.on("error", lambda _: None)
    socket.on("data", socket.write)


def conversations(port: int, until: float, seed: int) -> int:
    """Echoes of random sizes on connections that come and go; how many bytes were right."""
    chances = random.Random(seed)
    total = 0
    while time.monotonic() < until:
        with plain.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(20)
            for _ in range(chances.randrange(1, 20)):
                sent = chances.randbytes(chances.choice((1, 100, 500, 1000, 20_000, 300_000)))
                feeder = threading.Thread(target=connection.sendall, args=(sent,))
                feeder.start()
                received = b""
                while len(received) < len(sent):
                    piece = connection.recv(65_536)
                    assert piece, f"closed after {len(received)} of {len(sent)} bytes"
                    received += piece
                feeder.join()
                assert received == sent
                total += len(sent)
    return total


def echoing(seconds: float) -> int:
    """Loops that share a port, while other threads count, collect garbage and change what the servers look at."""
    until = time.monotonic() + seconds
    blocked = uvnet.BlockList()

    def disturb(number: int) -> int:
        chances = random.Random(number)
        while time.monotonic() < until:
            blocked.add_subnet(f"10.{chances.randrange(256)}.0.0", 16)
            blocked.remove_subnet(f"10.{chances.randrange(256)}.0.0", 16)
            assert not blocked.check("127.0.0.1")
            repr(blocked)
            for loop in list(serving.loops):
                statistics(loop)
            for server in list(serving.servers):
                repr(server)
            gc.collect()
            time.sleep(0.002)
        return 0

    def work(number: int) -> int:
        return disturb(number) if number == 0 else conversations(serving.port, until, number)

    with Serving(echo, block_list=blocked, max_connections_per_host=1000) as serving:
        return in_threads(work)


def relaying(seconds: float) -> int:
    """Proxies and echoes by pipe(), so that bytes move without Python, in two loops at once."""
    until = time.monotonic() + seconds

    def pipe(socket: uvnet.Socket) -> None:
        socket.on("error", lambda _: None)
        socket.pipe(socket)

    with Serving(pipe) as serving:
        return in_threads(lambda number: conversations(serving.port, until, number))


def clients(seconds: float) -> int:
    """Loops that come and go in their threads, each with a server and its clients, coroutines and all."""
    until = time.monotonic() + seconds

    async def scene() -> int:
        server = uvnet.create_server(echo)
        server.listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        total = 0
        for _ in range(20):
            async with await uvnet.open_connection(server.port, "127.0.0.1") as socket:
                for size in (10, 1000, 100_000):
                    socket.write(os.urandom(size))
                    total += len(await socket.read_exactly(size))
                socket.write(b"a\nb\n")
                async for line in socket.lines():
                    if line == b"b":
                        break
        server.close()
        return total

    return in_threads(lambda _number: again_and_again(scene, until))


def transports(seconds: float) -> int:
    """asyncio's streams on loops of ours."""
    until = time.monotonic() + seconds

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def scene() -> int:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        total = 0
        for _ in range(10):
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            for size in (10, 1000, 50_000):
                writer.write(os.urandom(size))
                total += len(await reader.readexactly(size))
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()
        return total

    def work(_number: int) -> int:
        total = 0
        while time.monotonic() < until:
            loop = uvnet.new_event_loop()
            try:
                total += loop.run_until_complete(scene())
            finally:
                loop.close()
        return total

    return in_threads(work)


def secured(seconds: float) -> int:
    """TLS in several loops at once, by the same two contexts."""
    with tempfile.TemporaryDirectory() as directory:
        certificates = Certificates(Path(directory))
        ours, theirs = certificates.server(), certificates.client()
    until = time.monotonic() + seconds

    async def scene() -> int:
        server = uvnet.tls.create_server(echo, context=ours)
        server.listen(0, "127.0.0.1")
        await uvnet.once(server, "listening")
        total = 0
        for _ in range(5):
            socket = uvnet.tls.connect(server.port, "127.0.0.1", context=theirs)
            await uvnet.once(socket, "secureConnect")
            for size in (10, 1000, 100_000):
                socket.write(os.urandom(size))
                total += len(await socket.read_exactly(size))
            socket.end()
            await uvnet.once(socket, "close")
        server.close()
        return total

    return in_threads(lambda _number: again_and_again(scene, until))


def emitting(seconds: float) -> int:
    """An emitter of no loop, which every thread may use."""
    until = time.monotonic() + seconds
    emitter = uvnet.EventEmitter()
    emitter.set_max_listeners(0)
    told = [0] * THREADS
    added = [0] * THREADS

    def work(number: int) -> int:
        def listener(*_: object) -> None:
            told[number] += 1

        def once(*_: object) -> None:
            calls.append(None)

        calls: list[None] = []
        while time.monotonic() < until:
            for _ in range(100):
                emitter.on("event", listener)
                emitter.once("event", once)
                added[number] += 1
                emitter.emit("event", number)
                emitter.emit("event")
                emitter.listeners("event")
                emitter.event_names()
                emitter.off("event", listener)
        # What another thread has taken may still be under way; nothing may be called twice, or be lost.
        emitter.off("event", once)
        time.sleep(0.1)
        assert len(calls) <= added[number], (len(calls), added[number])
        assert len(calls) >= added[number] - 1
        return len(calls)

    total = in_threads(work)
    assert emitter.listener_count("event") == 0
    assert emitter.event_names() == []
    return total


SCENES: dict[str, Scene] = {
    scene.__name__: scene for scene in (echoing, relaying, clients, transports, secured, emitting)
}


def main(seconds: float, *names: str) -> None:
    for name in names or SCENES:
        print(f"{name:12} {SCENES[name](seconds):,}", flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
