"""One of several processes that want the same path at the same moment: `replace_stale.py KIND PATH`.

KIND is "net" or "asyncio".  For each line of its standard input, a time of the monotonic clock, it waits for that time
and then listens with replace_stale=True.  It prints "won", or "lost" and the error.  Whoever has won waits for another
line and leaves its socket file behind, as a process that is killed does; the others wait for the same line.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import Any

import uvnet

KIND, PATH = sys.argv[1:]


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.write(str(os.getpid()).encode())
        transport.close()


async def listen() -> Any:
    if KIND == "asyncio":
        loop: Any = asyncio.get_running_loop()
        return await loop.create_unix_server(Greeter, PATH, replace_stale=True, cleanup_socket=True)
    server = uvnet.create_server(lambda socket: socket.end(str(os.getpid())))
    server.listen(PATH, replace_stale=True)
    await uvnet.once(server, "listening")
    return server


async def lines() -> Any:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line


async def main() -> None:
    server: Any = None
    awaited = lines()
    async for line in awaited:
        moment = float(line)
        while time.monotonic() < moment:
            pass
        try:
            server = await listen()
            print("won", flush=True)
        except OSError as error:
            print("lost", error.strerror, flush=True)
        await awaited.__anext__()
        if server is not None:
            os.link(PATH, f"{PATH}.kept")
            server.close()
            assert not os.path.exists(PATH)
            os.rename(f"{PATH}.kept", PATH)
            server = None
        print("over", flush=True)


uvnet.run(main())
