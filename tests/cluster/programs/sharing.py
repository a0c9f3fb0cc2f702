"""Two workers that answer with their number, and a primary that asks: sharing.py net|asyncio rr|none."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvnet
from uvnet import cluster

KIND, POLICY = sys.argv[1:]
REQUESTS = 20


async def ask(port: int) -> str:
    async with await uvnet.open_connection(port, "127.0.0.1") as socket:
        return (await socket.read_until(b"\n")).decode().strip()


async def primary() -> None:
    told: dict[str, list[Any]] = {name: [] for name in ("fork", "online", "ports", "disconnect", "exit")}
    both_listen = asyncio.get_running_loop().create_future()
    both_ended = asyncio.get_running_loop().create_future()
    count = 0

    def listening(_worker: Any, address: Any) -> None:
        nonlocal count
        count += 1
        told["ports"].append(address.port)
        if count == 2:
            both_listen.set_result(address.port)

    def exited(worker: Any, code: int, signal: str) -> None:
        told["exit"].append([worker.id, code, signal, worker.exited_after_disconnect])
        if len(told["exit"]) == 2:
            both_ended.set_result(None)

    for name in ("fork", "online", "disconnect"):
        cluster.on(name, lambda worker, name=name: told[name].append(worker.id))
    cluster.on("listening", listening)
    cluster.on("exit", exited)
    cluster.scheduling_policy = cluster.SCHED_RR if POLICY == "rr" else cluster.SCHED_NONE
    cluster.fork()
    cluster.fork()
    port = await both_listen
    answers = [await ask(port) for _ in range(REQUESTS)]
    cluster.disconnect()
    await both_ended
    for numbers in told.values():
        numbers.sort()
    print(json.dumps({**told, "ports": sorted(set(told["ports"])), "answers": answers}))


def answer() -> bytes:
    worker = cluster.worker
    assert worker is not None
    return b"%d\n" % worker.id


async def worker() -> None:
    if KIND == "net":
        server = uvnet.create_server(lambda socket: socket.end(answer()))
        server.listen(0, "127.0.0.1")
        await uvnet.once(server, "close")
        return

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer())
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        await listening.serve_forever()
    except asyncio.CancelledError:
        # It was closed.
        pass


uvnet.run(primary() if cluster.is_primary else worker())
