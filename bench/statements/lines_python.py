"""Times reading line by line and prints nanoseconds for a line as one JSON object.

usage: lines_python.py uvnet-lines|uvnet-until|uvloop|asyncio SECONDS
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable

COUNT = 2048  # lines that are there at once
LINES = {"line_32": b"x" * 31 + b"\n", "line_8": b"x" * 7 + b"\n"}

Read = Callable[[int], Awaitable[None]]


def uvnet_lines(connection: socket.socket) -> Read:
    import uvnet

    lines = uvnet.Socket(handle=connection, high_water_mark=1 << 20).lines()

    async def read(count: int) -> None:
        async for _ in lines:
            count -= 1
            if not count:
                break

    return read


def uvnet_until(connection: socket.socket) -> Read:
    import uvnet

    read_until = uvnet.Socket(handle=connection, high_water_mark=1 << 20).read_until

    async def read(count: int) -> None:
        for _ in range(count):
            await read_until(b"\n")

    return read


async def stream_reader(connection: socket.socket) -> Read:
    reader, writer = await asyncio.open_connection(sock=connection, limit=1 << 20)

    async def read(count: int) -> None:
        # Dropped, it would close the connection.
        assert not writer.is_closing()
        async for _ in reader:
            count -= 1
            if not count:
                break

    return read


async def measure(kind: str, seconds: float) -> dict[str, float]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    if kind == "uvnet-lines":
        read = uvnet_lines(ours)
    elif kind == "uvnet-until":
        read = uvnet_until(ours)
    else:
        read = await stream_reader(ours)
    results = {}
    for case, line in LINES.items():
        best = float("inf")
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            theirs.sendall(line * COUNT)
            # All of it has been received before the clock starts.
            for _ in range(4):
                await asyncio.sleep(0)
            begin = time.perf_counter()
            await read(COUNT)
            best = min(best, time.perf_counter() - begin)
        results[case] = best / COUNT * 1e9
    return results


def main() -> None:
    kind, seconds = sys.argv[1], float(sys.argv[2])
    if kind == "asyncio":
        results = asyncio.run(measure(kind, seconds))
    else:
        import uvloop

        results = uvloop.run(measure(kind, seconds))
    print(json.dumps(results))


main()
