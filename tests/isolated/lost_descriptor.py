"""lost_descriptor.py WHAT THEN: a descriptor that uvnet has taken over is closed by somebody else.

WHAT uvnet does with it meanwhile, see below; THEN its number stays "closed" or stands for something "else".

There is an 'error' that says so and a 'close', the process lives, and what the number stands for is not touched.
"""

from __future__ import annotations

import asyncio
import os
import socket as plain
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from scene import event, new_path, say, say_what_is_left

import uvnet
from uvnet.socket.relaying import _enable

# Also where UVNET_RELAY=0 has switched relays off for the rest of the suite.
_enable(True)
what, then = sys.argv[1:]
BIG = bytes(3_000_000)


class Theirs:
    """What somebody else opens after closing the descriptor, under the same number."""

    def __init__(self) -> None:
        self.pair: tuple[plain.socket, plain.socket] | None = None

    def take(self, number: int) -> None:
        os.close(number)
        if then == "else":
            ours, theirs = plain.socketpair()
            if ours.fileno() != number:
                os.dup2(ours.fileno(), number)
                ours.close()
                ours = plain.socket(fileno=number)
            # As a program does that will start another with it.
            ours.set_inheritable(True)
            self.pair = ours, theirs

    def check(self) -> None:
        if self.pair is not None:
            ours, theirs = self.pair
            assert ours.get_inheritable()
            for one, other in ((ours, theirs), (theirs, ours)):
                one.send(b"still mine")
                other.settimeout(5)
                assert other.recv(100) == b"still mine"
            ours.close()
            theirs.close()


theirs = Theirs()
ends: list[plain.socket] = []


def taken(**options: Any) -> tuple[uvnet.Socket, plain.socket, int]:
    ours, peer = plain.socketpair()
    peer.setblocking(False)
    ends.append(peer)
    number = ours.detach()
    socket = uvnet.Socket(fd=number, **options)
    return socket, peer, number


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0.001)


async def told(emitter: Any) -> None:
    """The error and the end, which may have come already."""
    (error,) = await errors[emitter]
    assert isinstance(error, OSError), error
    assert error.errno == 9, error
    say("error:", error.code, "somebody else has closed it" in str(error))
    await closes[emitter]


errors: dict[Any, Any] = {}
closes: dict[Any, Any] = {}


def watch(emitter: Any) -> None:
    errors[emitter] = event(emitter, "error")
    closes[emitter] = event(emitter, "close")


async def at_once() -> None:
    socket, _, number = taken()
    watch(socket)
    theirs.take(number)
    await told(socket)


async def idle() -> None:
    socket, _, number = taken()
    watch(socket)
    socket.on("data", lambda _: None)
    await turns()
    theirs.take(number)
    await told(socket)


async def gathered() -> None:
    socket, _, number = taken()
    watch(socket)
    socket.resume()
    await turns()
    socket.write(b"one")
    socket.write(b"two")
    theirs.take(number)
    await closes[socket]
    say("error:", errors[socket].result()[0].code, True)


async def writing() -> None:
    socket, peer, number = taken()
    watch(socket)
    socket.write(BIG)
    theirs.take(number)
    await told(socket)


async def ending() -> None:
    socket, peer, number = taken()
    watch(socket)
    socket.write(BIG)
    socket.end()
    theirs.take(number)
    await told(socket)


async def destroyed() -> None:
    socket, peer, number = taken()
    watch(socket)
    await turns()
    theirs.take(number)
    socket.destroy()
    await closes[socket]
    say("error:", "EBADF", not errors[socket].done())


async def source_of_a_relay() -> None:
    source, peer, number = taken()
    sink, reader, _ = taken()
    sink.on("error", lambda _: None)
    watch(source)
    source.pipe(sink)
    peer.send(b"first")
    await turns()
    assert source._relayed
    # The sink takes no more, and the source is not read.
    for _ in range(50):
        try:
            peer.send(BIG)
        except BlockingIOError:
            pass
        await turns(1)
    theirs.take(number)
    while True:
        # It goes on when there is room.
        try:
            if not reader.recv(1_000_000):
                break
        except BlockingIOError:
            if errors[source].done():
                break
        await turns(1)
    await told(source)
    sink.destroy()


async def sink_of_a_relay() -> None:
    source, peer, _ = taken()
    sink, reader, number = taken()
    watch(sink)
    source.on("error", lambda _: None)
    source.pipe(sink)
    peer.send(b"first")
    await turns()
    assert source._relayed
    theirs.take(number)
    if then == "closed":
        peer.send(b"second")
    await closes[sink]
    say("error:", errors[sink].result()[0].code, True)
    source.destroy()


async def given_socket() -> None:
    ours, peer = plain.socketpair()
    ends.append(peer)
    number = ours.fileno()
    socket = uvnet.Socket(handle=ours)
    watch(socket)
    theirs.take(number)
    await told(socket)


async def server() -> None:
    listening = plain.create_server(("127.0.0.1", 0))
    number = listening.detach()
    made = uvnet.create_server().listen(fd=number)
    watch(made)
    theirs.take(number)
    await told(made)
    assert not made.listening


async def server_that_goes_on() -> None:
    listening = plain.socket(plain.AF_UNIX)
    path = new_path()
    listening.bind(path)
    listening.listen()
    number = listening.detach()
    made = uvnet.create_server().listen(fd=number)
    watch(made)
    await turns()
    clients = []
    for _ in range(20):
        client = plain.socket(plain.AF_UNIX)
        client.connect(path)
        clients.append(client)
    # Nobody takes the connections: it stops to accept.
    for _ in range(20):
        await turns(1)
    theirs.take(number)
    taking = aiter(made)
    for _ in range(16):
        try:
            (await asyncio.wait_for(anext(taking), 5)).destroy()
        except OSError:
            break
    try:
        await asyncio.wait_for(anext(taking), 5)
    except (OSError, StopAsyncIteration):
        pass
    await told(made)
    for client in clients:
        client.close()


WHAT: dict[str, Callable[[], Awaitable[None]]] = {
    function.__name__: function
    for function in (
        at_once, idle, gathered, writing, ending, destroyed, source_of_a_relay, sink_of_a_relay,
        given_socket, server, server_that_goes_on,
    )
}  # fmt: skip


async def main() -> None:
    # Only a loop that has something to do looks after them.
    async def busy() -> None:
        while True:
            await asyncio.sleep(0.05)

    keeping = asyncio.create_task(busy())
    await asyncio.wait_for(WHAT[what](), 30)
    keeping.cancel()
    theirs.check()
    for end in ends:
        end.close()


uvnet.run(main())
say_what_is_left()
