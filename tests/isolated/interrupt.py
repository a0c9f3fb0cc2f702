"""interrupt.py FROM WAY: Ctrl-C while uvnet is busy or idle.

KeyboardInterrupt leaves run(), everything is closed, nothing is left and nothing is printed.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from scene import interrupt_me, new_path, say, say_what_is_left

import uvnet

# A job in the background inherits that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

where, way = sys.argv[1:]
made: list[Any] = []
ready = threading.Event()


def interrupt_in(name: str) -> Callable[..., None]:
    """A listener that interrupts if it is the one."""

    def listener(*_: Any) -> None:
        if where == name:
            interrupt_me()
            # Python runs the signal handler before it goes on to the next call.
            os.getpid()
            if way == "run":
                say("went on")

    return listener


def accept(socket: uvnet.Socket) -> None:
    made.append(socket)
    socket.on("error", lambda _: None)
    socket.on("end", interrupt_in("end"))
    socket.on("data", interrupt_in("data"))
    socket.set_timeout(0.01, interrupt_in("timeout"))
    socket.pipe(socket)
    interrupt_in("connection")()


def start() -> None:
    for server in (
        uvnet.create_server(accept).listen(0, interrupt_in("listening")),
        uvnet.create_server(accept).listen(new_path()),
    ):
        address = server.address()
        client = uvnet.connect(address if isinstance(address, str) else address.port)
        client.on("error", lambda _: None)
        client.on("connect", interrupt_in("connect"))
        client.on("close", interrupt_in("close"))
        client.write(b"hello", interrupt_in("callback"))
        if where in ("end", "close"):
            client.resume()
            client.end()
        made.extend((server, client))
    uvnet.next_tick(interrupt_in("tick"))
    if where in ("thread", "busy thread"):
        threading.Thread(target=interrupt_from_thread).start()


def interrupt_from_thread() -> None:
    ready.wait()
    interrupt_me()


def spin() -> None:
    """Keeps the loop busy with ticks and callbacks, one turn after another."""
    uvnet.next_tick(id, None)
    asyncio.get_running_loop().call_soon(spin)


def poll(settled: Callable[[], None]) -> None:
    """Call settled() once the connections are there."""
    if sum(isinstance(thing, uvnet.Socket) for thing in made) < 4:
        asyncio.get_running_loop().call_later(0.001, poll, settled)
    else:
        settled()


class InDestructor:
    """Where an exception of the signal handler would be lost."""

    def __del__(self) -> None:
        interrupt_me()
        os.getpid()


def settled() -> None:
    if where == "destructor":
        InDestructor()
    if where == "busy thread":
        spin()
    ready.set()
    interrupt_in("callback of asyncio")()


async def main() -> None:
    start()
    there = asyncio.Event()
    poll(there.set)
    try:
        await there.wait()
        interrupt_in("coroutine")()
        # Not from here: wherever the signal arrives, the coroutine must be found waiting.
        asyncio.get_running_loop().call_soon(settled)
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        say("main was cancelled")
        raise


try:
    if way == "run main":
        uvnet.run(main())
    else:
        start()
        uvnet.next_tick(poll, settled)
        uvnet.run()
    say("run() has returned")
except KeyboardInterrupt:
    say("KeyboardInterrupt")
for thing in made:
    if isinstance(thing, uvnet.Socket):
        assert thing.destroyed
    elif isinstance(thing, uvnet.Server):
        assert not thing.listening
made.clear()
say_what_is_left()
