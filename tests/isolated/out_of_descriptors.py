"""An echo server with few descriptors, for server/test_pressure.py.

Commands come on standard input, a line each, and are answered with a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import time
from typing import Any

import uvnet

LIMIT = 64


class Service:
    """The server, and what there is to tell."""

    def __init__(self) -> None:
        self.drops: list[Any] = []
        self.lines: list[float] = []
        self.errors: list[str] = []
        self.accepted = 0
        self.server = uvnet.create_server(self.accept)
        self.server.on("drop", self.drops.append)
        self.server.on("error", lambda error: self.errors.append(str(error)))

    def accept(self, socket: uvnet.Socket) -> None:
        self.accepted += 1
        socket.on("error", lambda _: None)
        socket.pipe(socket)

    async def answer(self, word: str) -> Any:
        if word == "state":
            return {
                "accepted": self.accepted,
                "reasons": sorted({drop["reason"] for drop in self.drops}),
                "keys": sorted({key for drop in self.drops for key in drop}),
                "drops": len(self.drops),
                "lines": len(self.lines),
                "errors": self.errors,
                "listening": self.server.listening,
            }
        if word.startswith("wait"):
            # How much of a second of waiting was spent working.
            seconds = float(word.split()[1])
            lines, cpu, start = len(self.lines), time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            return {
                "share": (time.process_time() - cpu) / (time.monotonic() - start),
                "lines": len(self.lines) - lines,
                "seconds": time.monotonic() - start,
            }
        if word == "accepted":
            # The next connection.
            await uvnet.once(self.server, "connection")
            return self.accepted
        done = asyncio.get_running_loop().create_future()
        self.server.close(done.set_result)
        await done
        return "closed"


async def main() -> None:
    loop = asyncio.get_running_loop()
    service = Service()
    handler = logging.Handler()
    handler.emit = lambda record: service.lines.append(time.monotonic())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    loop.set_exception_handler(lambda _, context: service.lines.append(time.monotonic()))
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    service.server.listen(0, "127.0.0.1")
    await uvnet.once(service.server, "listening")
    print(service.server.address().port, flush=True)
    while line := await reader.readline():
        print(json.dumps(await service.answer(line.decode().strip())), flush=True)


uvnet.run(main())
