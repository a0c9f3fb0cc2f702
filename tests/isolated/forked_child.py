"""forked_child.py WHAT WHERE: what a forked child does to the sockets and servers it has from its parent.

WHAT: "use" every method of them, "collect" them, "close" the loop (before it runs), or "run" a loop of
its own with a server and a client.
WHERE it was forked: in a coroutine, in a listener, in another thread, before the loop runs.

The parent must not notice: its connections live, those that wait are served, what was written arrives
once, a relay goes on, its socket file is there.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading

from scene import connected, echoed, event, fork, must_raise, new_path, say, say_what_is_left

import uvnet

what, where = sys.argv[1:]
parent = os.getpid()
everything: list[object] = []


def use() -> None:
    for thing in everything:
        if isinstance(thing, uvnet.Socket):
            must_raise(thing.write, b"from the child")
            must_raise(thing.end)
            must_raise(thing.destroy)
            must_raise(thing.reset_and_destroy)
            must_raise(thing.destroy_soon)
            must_raise(thing.close)
            must_raise(thing.pause)
            must_raise(thing.resume)
            must_raise(thing.on, "data", print)
            must_raise(thing.set_timeout, 1)
            must_raise(thing.set_no_delay)
            must_raise(thing.read)
            must_raise(thing.unshift, b"x")
            must_raise(thing.pipe, thing)
            must_raise(thing.connect, 1)
            must_raise(lambda given: uvnet.Socket(handle=given), thing)
            must_raise(lambda given: uvnet.create_server().listen(given), thing)
        elif isinstance(thing, uvnet.Server):
            must_raise(thing.close)
            must_raise(thing.listen, 0)
            must_raise(thing.shutdown, 0)
            must_raise(thing.get_connections, print)
            must_raise(lambda given: uvnet.create_server().listen(given), thing)


def run() -> None:
    async def main() -> None:
        server = uvnet.create_server(lambda socket: socket.pipe(socket)).listen(0)
        assert await echoed(server, b"in the child") == b"in the child"
        server.close()
        await event(server, "close")

    # As any program does that goes on in the child of a coroutine.
    asyncio._set_running_loop(None)
    uvnet.run(main())


def child() -> None:
    if what == "use":
        use()
    elif what == "run":
        run()
    elif what == "close":
        everything[0]._record.loop.close()  # type: ignore[attr-defined]
    everything.clear()
    globals().pop("made", None)
    gc.collect()


def servers() -> list[uvnet.Server]:
    tcp = uvnet.create_server(lambda socket: socket.pipe(socket)).listen(0)
    unix = uvnet.create_server(lambda socket: socket.pipe(socket)).listen(new_path())
    everything.extend((tcp, unix))
    return [tcp, unix]


async def main() -> None:
    both = made if where == "before" else servers()
    clients = [(await connected(server))[0] for server in both]
    everything.extend(clients)
    for client in clients:
        # A relay runs at the other end.
        client.write(b"first")
        await event(client, "data")
        client.set_timeout(60)
    got = {client: bytearray() for client in clients}
    for client in clients:
        client.on("data", got[client].extend)
    if where == "coroutine":
        for client in clients:
            client.write(b"gathered before ")
        fork(child)
    elif where == "thread":
        thread = threading.Thread(target=fork, args=(child,))
        thread.start()
        thread.join()
    elif where == "listener":
        clients[0].once("data", lambda _: fork(child))
        clients[0].write(b"fork")
        await event(clients[0], "data")
        got[clients[0]].clear()
    say("file:", os.path.exists(both[1].address()))
    for client in clients:
        client.write(b"still there")
        while not got[client].endswith(b"still there"):
            await event(client, "data")
        say(got[client] == (b"gathered before " if where == "coroutine" else b"") + b"still there")
    for server in both:
        say(await echoed(server, b"and accepts"))
    for client in clients:
        client.end()
        say(*await event(client, "close"))
    for server in both:
        server.close()
        await event(server, "close")


if where == "before":
    made = servers()
    fork(child)
uvnet.run(main())
say_what_is_left()
