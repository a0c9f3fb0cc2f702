"""The loops that a program for asyncio can be measured on, by the name its first argument gives; a second
argument of those that can be measured over TLS is a file with a certificate."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import uvloop


class Listener(Protocol):
    def getsockname(self) -> Any: ...


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


def certificate() -> str | None:
    """The file with the certificate and its key, None where the measurement is plain."""
    return sys.argv[2] if len(sys.argv) > 2 else None


def announce(listener: Listener) -> None:
    print("listening", listener.getsockname()[1], flush=True)


async def serve(server: asyncio.Server) -> None:
    """Announces the port and serves for ever."""
    announce(server.sockets[0])
    await server.serve_forever()


async def serve_protocol(factory: Callable[[], asyncio.BaseProtocol]) -> None:
    """On a port of its own, over TLS where there is a certificate."""
    context = None
    if path := certificate():
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(path)
    loop = asyncio.get_running_loop()
    await serve(await loop.create_server(factory, "127.0.0.1", 0, backlog=1024, ssl=context))
