"""Look-ups when there is no descriptor left, for integration/test_isolated.py: the error says so, and later ones work."""

from __future__ import annotations

import os
import resource
from collections.abc import Awaitable, Callable

import uvnet

LIMIT = 64


async def code_of(act: Callable[[], Awaitable[object]]) -> str:
    try:
        await act()
    except OSError as error:
        return f"{type(error).__name__} {error.errno} {error.code} {error.syscall}"  # type: ignore[attr-defined]
    return "no error"


async def main() -> None:
    server = uvnet.create_server(lambda socket: socket.end()).listen(0, "127.0.0.1")
    await uvnet.once(server, "listening")
    port = server.address().port

    async def connect() -> None:
        async with await uvnet.open_connection(port, "localhost"):
            pass

    async def listen() -> None:
        async with uvnet.create_server().listen(0, "localhost"):
            pass

    # The thread pool is there, and the resolver has read what it reads once.
    print(await code_of(connect), await code_of(listen))
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    taken = []
    try:
        while True:
            taken.append(os.dup(0))
    except OSError:
        print(await code_of(connect), await code_of(listen), sep="\n")
    for descriptor in taken:
        os.close(descriptor)
    print(await code_of(connect), await code_of(listen))
    server.close()


uvnet.run(main())
