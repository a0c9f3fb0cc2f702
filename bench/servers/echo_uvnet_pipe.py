"""Echo on uvnet: the socket piped into itself."""

import uvnet


def ignore_error(_error: OSError) -> None:
    """The load generator leaves with messages in flight; that is no error here."""


def on_connection(socket: uvnet.Socket) -> None:
    socket.on("error", ignore_error)
    socket.pipe(socket)


server = uvnet.create_server({"no_delay": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
