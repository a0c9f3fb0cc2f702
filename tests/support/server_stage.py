"""A server of either kind on its own loop, and plain sockets as its clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket as plain
from collections.abc import AsyncIterator, Callable
from typing import Any

from harness import Player
from waiting import until

import uvnet

__all__ = ["HOST", "KINDS", "OTHER", "THIRD", "Stage", "on_stage"]

KINDS = ("net", "asyncio")
HOST, OTHER, THIRD = "127.0.0.1", "127.0.0.2", "127.0.1.1"


class Stage:
    """A server with limits, and plain sockets as its clients."""

    def __init__(self, server: Any, port: int) -> None:
        self.server = server
        self.port = port
        self.drops: list[Any] = []
        self.heard = 0                          # bytes
        self.connections: list[Any] = []        # sockets or transports
        self.clients: list[plain.socket] = []

    @property
    def reasons(self) -> list[str]:
        return [drop["reason"] for drop in self.drops]

    async def client(self, source: str = HOST) -> plain.socket:
        client = plain.socket()
        self.clients.append(client)
        client.bind((source, 0))
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, (HOST, self.port))
        return client

    async def is_closed(self, client: plain.socket) -> bool:
        """Wait for the end of what a server sends, which says nothing."""
        try:
            return await asyncio.get_running_loop().sock_recv(client, 1) == b""
        except ConnectionResetError:
            return True


class Listener(asyncio.Protocol):
    def __init__(self, stage: list[Stage]) -> None:
        self.stage = stage

    def connection_made(self, transport: Any) -> None:
        self.stage[0].connections.append(transport)

    def data_received(self, data: bytes) -> None:
        self.stage[0].heard += len(data)


@contextlib.asynccontextmanager
async def serving(kind: str, **options: Any) -> AsyncIterator[Stage]:
    stages: list[Stage] = []

    def dropped(drop: Any) -> None:
        stages[0].drops.append(drop)

    if kind == "net":
        def on_connection(socket: uvnet.Socket) -> None:
            stages[0].connections.append(socket)
            socket.on("data", lambda data: setattr(stages[0], "heard", stages[0].heard + len(data)))
            socket.on("error", lambda error: None)

        server: Any = uvnet.create_server(on_connection, **options)
        server.on("drop", dropped)
        server.listen(0, HOST)
        await uvnet.once(server, "listening")
        port = server.port
    else:
        loop: Any = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Listener(stages), HOST, 0, on_drop=dropped, **options)
        port = server.sockets[0].getsockname()[1]
    stage = Stage(server, port)
    stages.append(stage)
    try:
        yield stage
    finally:
        for client in stage.clients:
            client.close()
        if kind == "net":
            await server.shutdown(0)
        else:
            server.close()
            server.abort_clients()
            await until(lambda: len(server.connections) == 0)


def on_stage(kind: str, play: Player, scene: Callable[[Stage], Any], **options: Any) -> None:
    """Play scene(stage) with a server of that kind, which has these options."""

    async def scenario() -> None:
        async with serving(kind, **options) as stage:
            await scene(stage)

    if kind == "net":
        play(scenario)
        return
    loop = uvnet.new_event_loop()
    try:
        loop.run_until_complete(asyncio.wait_for(scenario(), 60))
    finally:
        loop.close()
