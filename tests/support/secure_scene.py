"""For tests of `uvnet.tls`: a server that listens, and a client that is connected to it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from certificates import Certificates
from harness import event

import uvnet
import uvnet.tls

__all__ = ["closed", "failure", "listening", "received", "secured"]


@contextlib.asynccontextmanager
async def listening(certificates: Certificates, listener: Any = None, **options: Any) -> AsyncIterator[uvnet.tls.Server]:
    """A server that listens; at the end what is left of its connections is cut."""
    if "context" not in options and "cert" not in options:
        options["context"] = certificates.server()
    server = uvnet.tls.create_server(options, listener)
    server.listen(0, "127.0.0.1")
    if not server.listening:
        await event(server, "listening")
    try:
        yield server
    finally:
        await server.shutdown(0)


@contextlib.asynccontextmanager
async def secured(
    certificates: Certificates, server: Any = None, client: Any = None
) -> AsyncIterator[tuple[uvnet.tls.TLSSocket, uvnet.tls.TLSSocket]]:
    """Two ends of one connection, the server's first, both of which are secure."""
    async with listening(certificates, **(server or {})) as listener:
        options: dict[str, Any] = {"host": "localhost", "port": listener.port, **(client or {})}
        if "context" not in options:
            options["context"] = certificates.client()
        accepted: asyncio.Future[uvnet.tls.TLSSocket] = asyncio.get_running_loop().create_future()
        listener.once("secureConnection", accepted.set_result)
        async with uvnet.tls.connect(options) as near:
            far = await accepted
            yield far, near
            near.destroy()
            far.destroy()
            await closed(far)


async def closed(socket: Any) -> None:
    if not socket.closed:
        await event(socket, "close")


async def failure(socket: Any) -> Any:
    """The 'error' of a socket, once it is closed too."""
    (error,) = await event(socket, "error")
    await closed(socket)
    return error


async def received(socket: Any, done: Callable[[bytes], bool] = lambda _: False) -> bytes:
    """What a socket receives, until the end or until that is enough."""
    data = bytearray()
    async for chunk in socket:
        data += chunk
        if done(data):
            break
    return bytes(data)
