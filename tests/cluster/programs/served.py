"""Servers that tell their pid, under uvnet.cluster.serve(): served.py KIND [OPTION=VALUE ...]."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import signal
import sys
import time
from typing import Any

import uvnet
from uvnet import cluster
from uvnet.cluster import member

ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npid %d" % os.getpid()


async def net() -> None:
    async def on_connection(socket: uvnet.Socket) -> None:
        async with socket:
            await socket.read_until(b"\r\n\r\n")
            socket.write(ANSWER)

    async with uvnet.create_server(on_connection) as server:
        server.listen(0, "127.0.0.1")
        await server.closed()


def idle() -> None:
    """No coroutine: it goes on until nothing is left."""
    server = uvnet.create_server()

    @server.on("connection")
    async def on_connection(socket: uvnet.Socket) -> None:
        await socket.read_until(b"\r\n\r\n")
        socket.end(ANSWER)

    server.listen(0, "127.0.0.1")


async def streams() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    await server.serve_forever()


def uvicorn() -> None:
    import uvicorn

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        body = b"pid %d" % os.getpid()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(
        application, host="127.0.0.1", port=0, loop="uvnet:new_event_loop", lifespan="off", log_level="warning"
    )


async def stubborn() -> None:
    """It keeps its connections, and itself."""
    server = uvnet.create_server(lambda socket: socket.write("stay"))
    server.listen(0, "127.0.0.1")
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass


async def hanging() -> None:
    """Whoever says something makes it hang."""

    def fall_asleep(_data: bytes) -> None:
        time.sleep(1000)

    def on_connection(socket: uvnet.Socket) -> None:
        socket.on("data", fall_asleep)
        socket.on("error", lambda _: None)

    server = uvnet.create_server(on_connection)
    server.listen(0, "127.0.0.1")
    await server.closed()


async def raising() -> None:
    raise ValueError("no such luck")


def leaving() -> None:
    sys.exit(3)


async def deaf() -> None:
    """It does not listen."""
    await asyncio.sleep(1000)


async def fragile() -> None:
    """The first worker serves; those that come after it cannot."""
    worker = cluster.worker
    assert worker is not None
    if worker.id > 1:
        raise ValueError("not again")
    await net()


async def returning() -> None:
    """It serves one connection, and is over."""
    server = uvnet.create_server(lambda socket: socket.end(ANSWER))
    server.listen(0, "127.0.0.1")
    await uvnet.once(server, "connection")


hurried = reloading = unstartable = net


def hurry() -> None:
    """Signals come before serve()."""
    for number in (signal.SIGHUP, signal.SIGUSR2):
        os.kill(os.getpid(), number)


async def reload_and_end(_worker: Any, _address: Any) -> None:
    first = cluster.reload()
    while not any(worker.id == 2 for worker in cluster.workers.values()):
        await asyncio.sleep(0.001)
    second = cluster.reload()
    os.kill(os.getpid(), signal.SIGTERM)
    logging.info("replaced: %s", await asyncio.gather(first, second))


def no_thread() -> None:
    raise RuntimeError("can't start new thread")


def prepare_primary(kind: str) -> None:
    if kind == "reloading":
        cluster.once("listening", reload_and_end)
    elif kind == "unstartable":
        member.LastWords = no_thread  # type: ignore[assignment,misc]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    kind, *rest = sys.argv[1:]
    options: dict[str, Any] = {}
    for each in rest:
        name, _, value = each.partition("=")
        options[name] = ast.literal_eval(value)
    if cluster.is_primary:
        prepare_primary(kind)
    elif kind == "hurried":
        hurry()
    cluster.serve(globals()[kind], **options)
