"""The loops that a program for asyncio can be measured on, by the name its first argument gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop


def _aiofastnet_on_uvloop() -> asyncio.AbstractEventLoop:
    import aiofastnet

    return aiofastnet.loop_factory(uvloop.new_event_loop)()


def _uvnet() -> asyncio.AbstractEventLoop:
    import uvnet

    return uvnet.new_event_loop()


FACTORIES: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
    "aiofastnet": _aiofastnet_on_uvloop,
    "uvnet": _uvnet,
}


def run(main: Coroutine[Any, Any, None], name: str) -> None:
    """Until a signal ends the process: nothing is left to be tidied up."""
    loop = FACTORIES[name]()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main)


async def serve(server: asyncio.Server) -> None:
    """Announces the port and serves for ever."""
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
