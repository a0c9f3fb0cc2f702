"""What uvicorn and gunicorn serve in the comparison of restarts: the number of the process that answers."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

BODY = b"%d" % os.getpid()
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(BODY))]


async def application(
    _scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
