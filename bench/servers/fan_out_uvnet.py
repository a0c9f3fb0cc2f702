"""Fan-out on uvnet.

A new connection gets the message at once; a byte from any connection sends it to all of them.
"""

import uvnet

MESSAGE = bytes(range(128))

sockets: set[uvnet.Socket] = set()


def ignore_error(_error: OSError) -> None:
    """The load generator leaves in the middle of a round; that is no error here."""


def deliver(_chunk: bytes) -> None:
    for socket in sockets:
        socket.write(MESSAGE)


def on_connection(socket: uvnet.Socket) -> None:
    sockets.add(socket)
    socket.on("error", ignore_error)
    socket.on("close", lambda _had_error: sockets.discard(socket))
    socket.on("data", deliver)
    socket.write(MESSAGE)


server = uvnet.create_server({"no_delay": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
