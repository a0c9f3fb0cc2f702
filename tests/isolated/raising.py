"""raising.py WHERE: user code raises (DESIGN 2, "a throw in a listener", decision 23).

It is reported once, the socket whose event it was is destroyed, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from scene import connected, echoed, event, new_path, say, say_what_is_left

import uvnet

reported: list[dict[str, Any]] = []
MEGABYTES = bytes(16 * 2**20)


def fails(*_: Any) -> None:
    raise LookupError("from user code")


async def fails_later(*_: Any) -> None:
    await asyncio.sleep(0)
    raise LookupError("from user code")


def echo(socket: uvnet.Socket) -> None:
    # A peer whose listener raises is destroyed, perhaps with data that it has not read.
    socket.on("error", lambda _: None)
    socket.pipe(socket)


async def gone(socket: uvnet.Socket) -> uvnet.Socket:
    await event(socket, "close")
    return socket


async def in_connection(server: uvnet.Server) -> uvnet.Socket:
    accepted = event(server, "connection")
    server.once("connection", fails)
    client = uvnet.connect(server.address())
    closed = event(client, "close")
    (socket,) = await accepted
    await closed
    return socket


async def in_event_of_client(
    server: uvnet.Server, name: str, listener: Callable[..., Any]
) -> uvnet.Socket:
    client, _ = await connected(server)
    # Listened for first: the listeners after one that raises are not called.
    closed = event(client, "close")
    client.on(name, listener)
    if name in ("end", "finish", "close"):
        client.end(b"hello")
    else:
        client.write(b"hello")
    if name in ("resume", "end", "finish", "close"):
        client.resume()
    await closed
    return client


async def in_connect(server: uvnet.Server, name: str, listener: Any = fails) -> uvnet.Socket:
    return await gone(uvnet.connect(server.address()).on(name, listener))


async def in_lookup(_: uvnet.Server) -> uvnet.Socket:
    server = uvnet.create_server().listen(0)
    client = uvnet.connect(server.address().port, "localhost").on("lookup", fails)
    client.on("connect", lambda: say("connected all the same"))
    await gone(client)
    server.close()
    await event(server, "close")
    return client


async def in_error(_: uvnet.Server) -> uvnet.Socket:
    return await gone(uvnet.connect("/nowhere/socket").on("error", fails))


async def without_an_error_listener(_: uvnet.Server) -> uvnet.Socket:
    client = uvnet.Socket()
    client.destroy(LookupError("from user code"))
    return await gone(client)


async def in_timeout(server: uvnet.Server) -> uvnet.Socket:
    client, _ = await connected(server)
    return await gone(client.set_timeout(0.001, fails))


async def in_drain(server: uvnet.Server) -> uvnet.Socket:
    client, _ = await connected(server)
    client.resume()
    assert client.write(MEGABYTES) is False
    return await gone(client.on("drain", fails))


async def in_write_callback(server: uvnet.Server, data: bytes) -> uvnet.Socket:
    client, _ = await connected(server)
    client.resume()
    client.write(data, fails)
    client.write(b"more", lambda _: say("the other callback"))
    return await gone(client)


async def in_end_callback(server: uvnet.Server) -> uvnet.Socket:
    client, _ = await connected(server)
    client.end(fails)
    client.end(lambda _: say("the other callback"))
    return await gone(client)


async def in_server_event(name: str, start: Callable[[uvnet.Server], Any]) -> None:
    server = uvnet.create_server()
    happened = event(server, name)
    server.on(name, fails)
    start(server)
    await happened
    listening = server.listening
    say("listening:", listening)
    if listening:
        server.close()
        await event(server, "close")


async def in_drop(_: uvnet.Server) -> None:
    server = uvnet.create_server().listen(0)
    server.max_connections = 0
    server.on("drop", fails)
    for _ in range(2):
        await gone(uvnet.connect(server.address().port, "127.0.0.1"))
    say("reported so far:", len(reported))
    del reported[1:]
    server.close()
    await event(server, "close")


async def in_get_connections(server: uvnet.Server) -> None:
    server.get_connections(fails)
    done = asyncio.Event()
    server.get_connections(lambda *_: done.set())
    await done.wait()


async def in_tick(_: uvnet.Server) -> None:
    uvnet.next_tick(fails)
    done = asyncio.Event()
    uvnet.next_tick(done.set)
    await done.wait()


def listens(server: uvnet.Server) -> None:
    server.listen(0)


CASES: dict[str, Callable[[uvnet.Server], Any]] = {
    "connection": in_connection,
    **{
        name: lambda server, name=name: in_event_of_client(server, name, fails)
        for name in ("data", "readable", "end", "finish", "close", "resume")
    },
    "async data": lambda server: in_event_of_client(server, "data", fails_later),
    "connect": lambda server: in_connect(server, "connect"),
    "ready": lambda server: in_connect(server, "ready"),
    "async connect": lambda server: in_connect(server, "connect", fails_later),
    "lookup": in_lookup,
    "error": in_error,
    "no error listener": without_an_error_listener,
    "timeout": in_timeout,
    "drain": in_drain,
    "callback of write": lambda server: in_write_callback(server, b"hello"),
    "callback of a long write": lambda server: in_write_callback(server, MEGABYTES),
    "callback of end": in_end_callback,
    "listening": lambda _: in_server_event("listening", listens),
    "error of the server": lambda _: in_server_event(
        "error", lambda server: server.listen("/nowhere/socket")
    ),
    "callback of close": lambda _: in_server_event(
        "close", lambda server: server.listen(0).close()
    ),
    "drop": in_drop,
    "callback of get_connections": in_get_connections,
    "tick": in_tick,
}


async def main() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    server = uvnet.create_server(echo).listen(new_path())
    other, _ = await connected(server)
    socket = await CASES[sys.argv[1]](server)
    if socket is not None:
        say("destroyed:", socket.destroyed)
    other.write(b"an old connection")
    say(*await event(other, "data"))
    say(await echoed(server, b"a new connection"))
    other.end()
    await event(other, "close")
    server.close()
    await event(server, "close")
    for context in reported:
        say("reported:", repr(context.get("exception")))


uvnet.run(main())
say_what_is_left()
