"""uvicorn in several processes, kept running: a rolling restart refuses no request.

python examples/uvicorn_serve.py [PORT]        2 workers on 127.0.0.1:8127; needs uvicorn
kill -HUP PID                                  the restart
Ctrl-C or SIGTERM ends all of them.

uvicorn and the application are as they are.  Each worker runs them on uvnet's loop, where what they listen on is the
primary's socket.
"""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn  # pyright: ignore[reportMissingImports]

from uvnet import cluster


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"hello from %d\n" % os.getpid()})


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8127
    await uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning")).serve()


cluster.serve(main, workers=2)
