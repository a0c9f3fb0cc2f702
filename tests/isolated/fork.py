"""fork.py HOW WHERE: a child process ends while both have the same servers and connections open.

HOW: by os._exit or by sys.exit.
WHERE it was forked: in a coroutine, in a listener, before the loop runs.

The parent must not notice: its connections live, its servers accept, its socket file is there.
"""

from __future__ import annotations

import os
import sys

from scene import connected, echoed, event, new_path, say, say_what_is_left

import uvnet

how, where = sys.argv[1:]
parent = os.getpid()


def fork() -> None:
    child = os.fork()
    if child == 0:
        if how == "os._exit":
            os._exit(5)
        sys.exit(5)
    _, status = os.waitpid(child, 0)
    say("child:", os.waitstatus_to_exitcode(status))


def servers() -> tuple[uvnet.Server, uvnet.Server]:
    tcp = uvnet.create_server(lambda socket: socket.pipe(socket)).listen(0)
    unix = uvnet.create_server(lambda socket: socket.pipe(socket)).listen(new_path())
    return tcp, unix


async def main() -> None:
    tcp, unix = made if where == "before" else servers()
    clients = [(await connected(server))[0] for server in (tcp, unix)]
    if where == "coroutine":
        fork()
    elif where == "listener":
        clients[0].once("data", lambda _: fork())
        clients[0].write(b"first")
        await event(clients[0], "data")
    say("file:", os.path.exists(unix.address()))
    for client in clients:
        client.write(b"still there")
        say(*await event(client, "data"))
    for server in (tcp, unix):
        say(await echoed(server, b"and accepts"))
    for client in clients:
        client.end()
        say(*await event(client, "close"))
    for server in (tcp, unix):
        server.close()
        await event(server, "close")


if where == "before":
    made = servers()
    fork()
try:
    uvnet.run(main())
finally:
    if os.getpid() == parent:
        say_what_is_left()
