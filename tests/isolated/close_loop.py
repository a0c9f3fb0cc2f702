"""close_loop.py STATE WAY: the loop is closed while uvnet is in the middle of something.

Nothing may crash or hang, no listener or callback may be called any more, and nothing may be left.
"""

from __future__ import annotations

import asyncio
import socket as plain
import sys
from collections.abc import Callable
from typing import Any

import uvloop
from scene import SERVER_EVENTS, SOCKET_EVENTS, connected, event, new_path, say, say_what_is_left

import uvnet
from uvnet.socket.relaying import _enable

state, way = sys.argv[1:]
kept: list[Any] = []
plain_sockets: list[plain.socket] = []
closing = False


def watch(emitter: Any, events: tuple[str, ...]) -> Any:
    """Nothing may be called once the loop is being closed."""
    for name in events:
        emitter.on(name, lambda *_, name=name: called(f"{name} of {emitter}"))
    kept.append(emitter)
    return emitter


def called(what: str) -> None:
    if closing:
        say("called:", what)


def callback_of(what: str) -> Callable[..., None]:
    return lambda *_: called(what)


async def servers() -> tuple[uvnet.Server, uvnet.Server]:
    tcp = watch(uvnet.create_server(), SERVER_EVENTS).listen(0)
    unix = watch(uvnet.create_server(), SERVER_EVENTS).listen(new_path())
    return tcp, unix


async def connections() -> list[uvnet.Socket]:
    """Both ends of two connections."""
    sockets: list[uvnet.Socket] = []
    for server in await servers():
        sockets += await connected(server)
    for socket in sockets:
        watch(socket, SOCKET_EVENTS)
    return sockets


async def listening() -> None:
    await servers()


async def open_connections() -> None:
    await connections()


async def connecting() -> None:
    """A listener whose backlog is full: the system answers to nobody."""
    listener = plain.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    plain_sockets.append(listener)
    for _ in range(4):
        filler = plain.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        plain_sockets.append(filler)
    socket = uvnet.connect(listener.getsockname()[1], "127.0.0.1")
    socket.write(b"never", callback_of("callback of write"))
    socket.end(callback_of("callback of end"))
    await event(socket, "connectionAttempt")
    # Long enough for a connection that gets an answer.
    await asyncio.sleep(0.05)
    assert socket.connecting
    watch(socket, SOCKET_EVENTS)


async def looking_up() -> None:
    for number in range(8):
        watch(uvnet.connect(number + 1, "localhost"), SOCKET_EVENTS)
    watch(uvnet.create_server(), SERVER_EVENTS).listen(0, "localhost")


async def writing() -> None:
    for socket in await connections():
        socket.pause()
        socket.write(bytes(32 * 2**20), callback_of("callback of write"))
        socket.write(b"waits for the first", callback_of("callback of a second write"))
        assert socket.writable_length > 2**20


async def ending() -> None:
    for socket in await connections():
        socket.pause()
        socket.end(bytes(32 * 2**20), callback=callback_of("callback of end"))


async def piping() -> None:
    for socket in await connections():
        socket.pipe(socket)
        socket.write(b"round and round")
    await asyncio.sleep(0.01)


async def relaying() -> None:
    """Bulk from a TCP client to a Unix client that does not read: data waits in libuv and in a kernel pipe."""
    _enable(True)
    tcp_client, tcp_socket, unix_client, unix_socket = await connections()
    unix_client.pause()
    # Their listeners would let a program tell a relay.
    for socket in (tcp_socket, unix_socket):
        for name in ("data", "readable", "drain", "pause", "resume"):
            socket.remove_all_listeners(name)
    tcp_socket.pipe(unix_socket)
    tcp_client.write(bytes(64 * 2**20), callback_of("callback of write"))
    read = -1
    while read != tcp_socket.bytes_read:
        read = tcp_socket.bytes_read
        await asyncio.sleep(0.02)
    assert read > 2**16
    assert tcp_socket._relayed


async def idle_timeout() -> None:
    for socket in await connections():
        socket.set_timeout(0.001, callback_of("callback of set_timeout"))
    watch(uvnet.Socket(), SOCKET_EVENTS).set_timeout(60)


async def ticks() -> None:
    for number in range(100):
        uvnet.next_tick(called, f"tick {number}")
    watch(uvnet.Socket(), SOCKET_EVENTS).destroy(LookupError("never heard of"))
    for server in await servers():
        server.get_connections(callback_of("callback of get_connections"))


async def closing_already() -> None:
    for socket in await connections():
        socket.destroy()
    for server in kept[:2]:
        server.close(callback_of("callback of close"))


STATES = {
    function.__name__: function
    for function in (
        listening, open_connections, connecting, looking_up, writing, ending, piping, relaying,
        idle_timeout, ticks, closing_already,
    )
}  # fmt: skip


def now_closing() -> None:
    global closing
    closing = True


async def main() -> None:
    loop = asyncio.get_running_loop()
    await STATES[state]()
    close = loop.close

    def announced() -> None:
        now_closing()
        close()

    loop.close = announced  # type: ignore[method-assign]


def close_unbound() -> None:
    """Past the shadow that uvnet puts over loop.close()."""
    now_closing()
    uvloop.Loop.close(loop)


if way == "runner":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
elif way == "uvloop":
    uvloop.run(main())
elif way == "run":
    uvnet.run(main())
else:
    loop = uvloop.new_event_loop()
    loop.run_until_complete(main())
    loop.close() if way == "close" else close_unbound()
    assert loop.is_closed()

assert closing
for emitter in kept:
    if isinstance(emitter, uvnet.Server):
        assert not emitter.listening and emitter.address() is None
    elif state != "idle_timeout" or emitter is not kept[-1]:
        assert emitter.destroyed and not emitter.connecting and emitter.address() is None
for socket in plain_sockets:
    socket.close()
kept.clear()
say_what_is_left()
