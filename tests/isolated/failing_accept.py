"""A server whose accept(2) fails, for accept/test_failures.py: argv has the error, and how often (-1: until told)."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import sys
import time
from typing import Any

import uvnet

NAME, TIMES, HEARD = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "heard"
SHIM = ctypes.CDLL(None)


async def main() -> None:
    left = ctypes.c_int.in_dll(SHIM, "failing_accept_times")
    calls = ctypes.c_int.in_dll(SHIM, "failing_accept_calls")
    told: list[tuple[float, str]] = []

    def tell(error: Any) -> None:
        assert error.errno == getattr(errno, NAME) and error.code == NAME and error.syscall == "accept"
        told.append((time.monotonic(), str(error)))
        if len(told) == 3:
            left.value = 0

    server = uvnet.create_server(lambda socket: socket.end("served"))
    if HEARD:
        server.on("error", tell)
    else:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: tell(context["exception"]))
    server.listen(0, "127.0.0.1")
    await uvnet.once(server, "listening")
    ctypes.c_int.in_dll(SHIM, "failing_accept_errno").value = getattr(errno, NAME)
    left.value = TIMES
    async with await uvnet.open_connection(server.address().port, "127.0.0.1") as client:
        received = b"".join([chunk async for chunk in client])
    assert server.listening
    await server.shutdown()
    gaps = [after[0] - before[0] for before, after in zip(told, told[1:], strict=False)]
    print(json.dumps([received.decode(), [text for _, text in told], gaps, calls.value]))


uvnet.run(main())
