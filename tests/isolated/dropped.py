"""dropped.py: nobody holds the server or its sockets, and they go on.

DESIGN 3, "Lifetime: Node's rule".
"""

from __future__ import annotations

import asyncio
import gc
import weakref

import uvloop
from scene import echoed, new_path, say, say_what_is_left

import uvnet

references: list[weakref.ref[uvnet.Socket]] = []


def accept(socket: uvnet.Socket) -> None:
    references.append(weakref.ref(socket))
    socket.on("data", socket.write)


def start() -> tuple[weakref.ref[uvnet.Server], int, str]:
    path = new_path()
    tcp = uvnet.create_server(accept).listen(0)
    uvnet.create_server(accept).listen(path)
    return weakref.ref(tcp), tcp.address().port, path


def start_a_client(port: int, log: list[bytes]) -> None:
    """A uvnet client of which nobody keeps anything either."""
    socket = uvnet.connect(port, "127.0.0.1", lambda: socket.write(b"from a client"))
    references.append(weakref.ref(socket))
    socket.on("data", lambda data: (log.append(data), socket.end()) and None)


async def main() -> None:
    reference, port, path = start()
    gc.collect()
    log: list[bytes] = []
    start_a_client(port, log)
    gc.collect()
    for reader, writer in (
        await asyncio.open_connection("127.0.0.1", port),
        await asyncio.open_unix_connection(path),
    ):
        for number in range(100):
            gc.collect(0)
            message = b"%d" % number
            writer.write(message)
            assert await reader.readexactly(len(message)) == message
        gc.collect()
        writer.write(bytes(1_000_000))
        assert await reader.readexactly(1_000_000) == bytes(1_000_000)
        writer.close()
        await writer.wait_closed()
    say(log)
    # In the order in which their callbacks come: those of the sockets, then the next turn's.
    while any(alive() is not None for alive in references):
        await asyncio.sleep(0)
        gc.collect()
    say("sockets:", len(references), "all gone")
    server = reference()
    assert server is not None
    assert await echoed_by(server)
    for handle in uvnet.active_handles():
        if isinstance(handle, uvnet.Server):
            handle.close()
    del server, handle
    while reference() is not None:
        await asyncio.sleep(0)
        gc.collect()
    say("server: gone")


async def echoed_by(server: uvnet.Server) -> bool:
    return await echoed(server, b"again") == b"again"


uvloop.run(main())
say_what_is_left()
