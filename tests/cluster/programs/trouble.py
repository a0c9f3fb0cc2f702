"""A primary and its workers in trouble of one kind: trouble.py SCENE.  The primary prints what came of it, as JSON."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import resource
import signal
import socket as plain
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvnet
from uvnet import cluster

(SCENE,) = sys.argv[1:]
HOST = "127.0.0.1"
LONG = 100  # seconds


def open_links() -> list[str]:
    links = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(path))
        except FileNotFoundError:
            # The directory itself.
            pass
    return links


async def ask(port: int, held: list[plain.socket] | None = None) -> str:
    """Which worker answers; the connection is closed, or held."""
    client = plain.socket()
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (HOST, port))
    answer = (await loop.sock_recv(client, 100)).decode()
    if held is None:
        client.close()
    else:
        held.append(client)
    return answer


async def workers_that_listen(count: int) -> tuple[list[Any], int]:
    listening = asyncio.get_running_loop().create_future()
    left = count

    def on_listening(_worker: Any, address: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            listening.set_result(address.port)

    cluster.on("listening", on_listening)
    workers = [cluster.fork() for _ in range(count)]
    port = await listening
    cluster.off("listening", on_listening)
    return workers, port


async def end_of_all() -> None:
    over = [uvnet.once(worker, "exit") for worker in cluster.workers.values()]
    cluster.disconnect()
    await asyncio.gather(*over)


async def sharing() -> Any:
    """Everybody gets as much."""
    _, port = await workers_that_listen(4)
    answers = Counter([await ask(port) for _ in range(200)])
    await end_of_all()
    return sorted(answers.values())


async def stopped() -> Any:
    """What was dealt to one that hangs goes to the other when it is killed."""
    workers, port = await workers_that_listen(2)
    workers[0].process.kill(signal.SIGSTOP)
    asked = asyncio.gather(*(ask(port) for _ in range(40)))
    while not any(share is not None and share.waiting >= 16 for socket in cluster._primary.sockets for share in socket.users.values()):
        await asyncio.sleep(0.001)
    over = uvnet.once(workers[0], "exit")
    workers[0].kill("SIGKILL")
    await over
    answers = Counter(await asked)
    await end_of_all()
    return answers


async def poor() -> Any:
    """What one cannot take, as it is out of descriptors, goes to the other."""
    workers, port = await workers_that_listen(2)
    ready = uvnet.once(workers[0], "message")
    workers[0].send("be poor")
    await ready
    held: list[plain.socket] = []
    answers = Counter([await asyncio.wait_for(ask(port, held), 20) for _ in range(20)])
    for client in held:
        client.close()
    await end_of_all()
    return answers


async def recovers() -> Any:
    """The only one is out of descriptors for a while: who comes then waits, and is served."""
    (worker,), port = await workers_that_listen(1)
    ready = uvnet.once(worker, "message")
    worker.send("be poor")
    await ready
    held: list[plain.socket] = []
    asked = [asyncio.ensure_future(ask(port, held)) for _ in range(6)]
    await asyncio.sleep(0.3)
    at_first = sum(each.done() for each in asked)
    while not all(each.done() for each in asked):
        while held:
            held.pop().close()
        await asyncio.sleep(0.001)
    for client in held:
        client.close()
    await end_of_all()
    return {"at first": at_first, "answers": [each.result() for each in asked]}


async def crowd() -> Any:
    """Workers come and go, and nothing is left of them."""
    counts = []
    for _ in range(4):
        workers, port = await workers_that_listen(3)
        await ask(port)
        workers[0].kill("SIGKILL")
        await end_of_all()
        while cluster.workers:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        counts.append(len(open_links()))
    try:
        os.waitpid(-1, os.WNOHANG)
        zombies = True
    except ChildProcessError:
        zombies = False
    return {"more": counts[-1] - counts[0], "zombies": zombies, "sockets": len(list(cluster._primary.sockets))}


async def late() -> Any:
    """A worker that is to leave gets no more sockets; a server of asyncio's is waited for."""
    (worker,), port = await workers_that_listen(1)
    held: list[plain.socket] = []
    await ask(port, held)
    told = uvnet.once(worker, "message")
    over = uvnet.once(worker, "exit")
    worker.disconnect()
    (message, _) = await told
    connected = worker.is_connected()
    try:
        await ask(port)
        refused = False
    except ConnectionRefusedError:
        refused = True
    held[0].close()
    return {"message": message, "connected": connected, "refused": refused, "exit": await over}


async def path() -> Any:
    """The file is made and removed by the primary, which a killed worker does not hinder."""
    listening = uvnet.once(cluster._cluster, "listening")
    worker = cluster.fork()
    _, address = await listening
    over = uvnet.once(worker, "exit")
    there = os.path.exists(address)
    worker.kill("SIGKILL")
    await over
    return {"there": there, "afterwards": os.path.exists(address)}


async def orphans() -> Any:
    """The primary is killed."""
    workers, _ = await workers_that_listen(2)
    print(json.dumps([worker.process.pid for worker in workers]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


async def listening() -> Any:
    """What a listener of the worker raises is not the cluster's affair."""
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
    told = []

    def raises(*_details: Any) -> None:
        raise ValueError("no such luck")

    def prepare(worker: Any) -> None:
        for event in ("online", "listening", "disconnect", "exit"):
            worker.on(event, raises)

    cluster.on("fork", prepare)
    for event in ("online", "listening", "disconnect", "exit"):
        cluster.on(event, lambda *_, event=event: told.append(event))
    over = uvnet.once(cluster._cluster, "exit")
    await workers_that_listen(1)
    cluster.disconnect()
    await over
    return {"told": told, "reported": reported}


async def hanging() -> Any:
    """The primary is killed, and its workers hang, each in another way."""
    asked = [cluster.fork({"HANG": way}) for way in WAYS_TO_HANG]
    await asyncio.gather(*(uvnet.once(worker, "message") for worker in asked if worker is not asked[-1]))
    print(json.dumps([worker.process.pid for worker in asked]), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


async def descriptors() -> Any:
    """A worker that has none for a listening socket hears so, and the primary does not count on it."""
    worker = cluster.fork()
    message, _ = await uvnet.once(worker, "message")
    sockets = len(list(cluster._primary.sockets))
    await end_of_all()
    return {"message": message, "sockets": sockets}


SCENES: dict[str, Callable[[], Awaitable[Any]]] = {
    function.__name__: function
    for function in (sharing, stopped, poor, recovers, crowd, late, path, orphans, listening, hanging, descriptors)
}


# === In the workers ===


def compute() -> None:
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        pass


# The last one has no loop when it begins.
WAYS_TO_HANG: dict[str, Callable[[], object]] = {
    "computing": compute,
    "asleep": lambda: time.sleep(LONG),
    "holding Python's lock": lambda: ctypes.PyDLL(None).sleep(LONG),
    "importing": lambda: time.sleep(LONG),
}


def be_poor(spare: int) -> None:
    limit = max(map(int, os.listdir("/proc/self/fd"))) + 10
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    fill = []
    try:
        while True:
            fill.append(os.dup(0))
    except OSError:
        for number in fill[len(fill) - spare :]:
            os.close(number)


async def serve_by_asyncio(me: Any) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"here")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)
    while server.is_serving():
        await asyncio.sleep(0.001)
    try:
        await asyncio.start_server(serve, HOST, 0)
    except RuntimeError as error:
        me.send(str(error))
    await uvnet.once(me, "disconnect")


async def work() -> None:
    me: Any = cluster.worker
    if SCENE == "late":
        await serve_by_asyncio(me)
        return
    if SCENE == "hanging":
        me.send("here", lambda _: WAYS_TO_HANG[os.environ["HANG"]]())
    server = uvnet.create_server(lambda socket: socket.on("error", print).write(str(me.id)))

    def on_message(_message: Any, _handle: Any) -> None:
        be_poor(3)
        me.send("poor")

    me.on("message", on_message)
    if SCENE == "descriptors":
        server.on("error", lambda error: me.send([error.errno, str(error)]))
        be_poor(0)
    if SCENE == "path":
        server.listen(os.environ["SOCKET"])
    else:
        server.listen(0, HOST)
    await uvnet.once(me, "disconnect")


async def main() -> None:
    if cluster.is_worker:
        await work()
    else:
        print(json.dumps(await SCENES[SCENE]()))


if os.environ.get("HANG") == "importing":
    WAYS_TO_HANG["importing"]()
uvnet.run(main())
