"""Whatever is called from within 'drop' and 'connection', and by clients meanwhile: nothing breaks, all counts are right."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket as plain
from typing import Any

import pytest
from certificates import Certificates
from harness import Player
from waiting import turns, until

import uvnet

HOST = "127.0.0.1"
CLIENTS = 120
OPTIONS: dict[str, Any] = {
    "max_connections_per_host": 3,
    "accept_rate_per_host": (200, 6),
    "accept_rate": (2000, 60),
    "max_lifetime": 0.08,
    "first_data_timeout": 0.04,
    "idle_timeout": 0.06,
    "max_total_buffered": 2**20,
}


class Scene:
    def __init__(self, number: int, secure: bool) -> None:
        self.random = random.Random(number)
        self.secure = secure
        self.sockets: list[Any] = []
        self.drops = 0
        self.told = self.accepted = 0
        self.listens = 0

    async def listen(self) -> None:
        if not self.server.listening and self.listens < 4:
            self.listens += 1
            self.server.listen(self.port, HOST)
            await uvnet.once(self.server, "listening")

    def anything(self) -> None:
        """One thing that a program may do."""
        choose = self.random
        socket = choose.choice(self.sockets) if self.sockets else None
        what = choose.randrange(13)
        if what == 0 and choose.random() < 0.2:
            self.server.close()
        elif what == 1:
            self.server.max_connections = choose.choice([None, 0, 5, 40])
        elif what == 2:
            self.server.off("drop", self.on_drop)
            if choose.random() < 0.7:
                self.server.on("drop", self.on_drop)
        elif what == 3:
            for each in list(self.sockets):
                each.destroy()
        elif what == 4:
            self.server.unref() if choose.random() < 0.5 else self.server.ref()
        elif what == 5:
            assert sum(self.server.dropped.values()) >= 0
        elif what == 6 and choose.random() < 0.1:
            raise ZeroDivisionError("a listener's own mistake")
        elif socket is None or socket.destroyed:
            return
        elif what == 7:
            socket.destroy()
        elif what == 8:
            socket.write(bytes(choose.randrange(400_000)))
        elif what == 9:
            socket.end()
        elif what == 10:
            socket.reset_and_destroy() if not self.secure else socket.destroy()
        elif what == 11:
            socket.pause() if choose.random() < 0.5 else socket.resume()
        elif what == 12:
            socket.set_timeout(0.03, socket.destroy)

    def on_drop(self, drop: Any) -> None:
        self.drops += 1
        self.anything()
        self.anything()

    def on_connection(self, socket: Any) -> None:
        self.accepted += 1
        self.sockets.append(socket)
        socket.on("error", lambda error: None)
        socket.on("close", lambda had_error: self.anything())
        socket.on("data", lambda data: self.anything())
        self.anything()

    async def secure_client(self) -> None:
        with contextlib.suppress(OSError):
            client = await uvnet.open_connection(self.port, HOST, tls=True, reject_unauthorized=False)
            async with client:
                client.write(b"x" * self.random.randrange(1, 3000))
                await asyncio.sleep(self.random.random() * 0.03)
                async for _ in client:
                    pass

    async def client(self) -> None:
        if self.secure and self.random.random() < 0.7:
            return await self.secure_client()
        client = plain.socket()
        client.setblocking(False)
        client.bind((f"127.0.0.{self.random.randrange(1, 12)}", 0))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError), client:
            await loop.sock_connect(client, (HOST, self.port))
            for _ in range(self.random.randrange(4)):
                await loop.sock_sendall(client, b"x" * self.random.randrange(1, 3000))
                await asyncio.sleep(self.random.random() * 0.03)
            while await asyncio.wait_for(loop.sock_recv(client, self.random.randrange(1, 100_000)), 10):
                await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", ["plain", "tls"])
@pytest.mark.parametrize("number", range(3))
def test_anything(play: Player, certificates: Certificates, kind: str, number: int) -> None:
    async def scenario() -> None:
        scene = Scene(number, kind == "tls")
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        if kind == "tls":
            scene.server = uvnet.tls.create_server(scene.on_connection, context=certificates.server(), **OPTIONS)
        else:
            scene.server = uvnet.create_server(scene.on_connection, **OPTIONS)
        scene.server.on("drop", scene.on_drop)
        scene.server.on("error", lambda error: None)
        scene.server.listen(0, HOST)
        await uvnet.once(scene.server, "listening")
        scene.port = scene.server.port
        for _ in range(CLIENTS // 20):
            await scene.listen()
            await asyncio.gather(*(scene.client() for _ in range(20)))
        await scene.server.shutdown(0)
        await until(lambda: all(socket.closed for socket in scene.sockets))
        await turns()
        assert all(isinstance(error, ZeroDivisionError) for error in reported), reported

    play(scenario)
