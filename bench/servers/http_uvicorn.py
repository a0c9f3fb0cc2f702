"""uvicorn with a program that says hello; the first argument chooses the loop, a second one is a certificate for TLS."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import loops
import uvicorn

Event = dict[str, Any]


async def hello(
    scope: Event, receive: Callable[[], Awaitable[Event]], send: Callable[[Event], Awaitable[None]]
) -> None:
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"Hello, world!"})


async def main() -> None:
    config = uvicorn.Config(
        hello,
        host="127.0.0.1",
        port=0,
        backlog=1024,
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="error",
        access_log=False,
        ssl_certfile=loops.certificate(),
    )
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server.serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    loops.announce(server.servers[0].sockets[0])
    await serving


loops.run(main(), sys.argv[1])
