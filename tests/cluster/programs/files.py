"""A worker whose servers want sockets of many kinds of its primary: files.py net|asyncio DIRECTORY.

The worker prints what it got and what it was refused, one JSON value a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from typing import Any

import uvnet
from uvnet import cluster

KIND, DIRECTORY = sys.argv[1:]
os.chdir(DIRECTORY)


def say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def primary() -> None:
    ended = asyncio.get_running_loop().create_future()
    cluster.on("exit", lambda worker, code, signal: ended.set_result(code))
    cluster.fork()
    say(await ended)


async def on_path(**options: Any) -> Any:
    if KIND == "asyncio":
        loop: Any = asyncio.get_running_loop()
        return await loop.create_unix_server(asyncio.Protocol, "socket", **options)
    server = uvnet.create_server().listen("socket", **options)
    await uvnet.once(server, "listening")
    return server


async def attempt(**options: Any) -> None:
    try:
        server = await on_path(**options)
    except OSError as error:
        say(error.strerror)
        return
    say(oct(stat.S_IMODE(os.stat("socket").st_mode)))
    server.close()
    # Until the primary has closed it too.
    while os.path.exists("socket"):
        await asyncio.sleep(0.001)


def leave_behind() -> socket.socket:
    bound = socket.socket(socket.AF_UNIX)
    bound.bind("socket")
    return bound


async def worker() -> None:
    await attempt(mode=0o604, owner=os.getuid(), group=os.getgid())
    with leave_behind():
        await attempt(replace_stale=True)
    await attempt(replace_stale=False)
    await attempt(replace_stale=True, mode=0o600)
    if KIND == "net":
        server = uvnet.create_server().listen(0, ["127.0.0.1", "::1"])
        await uvnet.once(server, "listening")
        hosts = [address.address for address in server.addresses() if isinstance(address, uvnet.Address)]
        ports = {address.port for address in server.addresses() if isinstance(address, uvnet.Address)}
        say([hosts, len(ports)])
        for address in server.addresses():
            assert isinstance(address, uvnet.Address)
            (await uvnet.open_connection(address.port, address.address)).destroy()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            other = uvnet.create_server().listen(taken.getsockname()[1], ["::1", "127.0.0.1"])
            try:
                await uvnet.once(other, "listening")
            except OSError as error:
                say([getattr(error, "code", None), other.addresses()])
        server.close()
        await server.shutdown(0)
    assert cluster.worker is not None
    cluster.worker.disconnect()


uvnet.run(primary() if cluster.is_primary else worker())
