"""Echo on uvnet.tls: a 'data' listener that writes; the argument is a certificate with its key."""

import sys

import uvnet
import uvnet.tls


def ignore_error(_error: OSError) -> None:
    """The load generator leaves with messages in flight; that is no error here."""


def on_connection(socket: uvnet.tls.TLSSocket) -> None:
    socket.on("error", ignore_error)
    socket.on("data", socket.write)


server = uvnet.tls.create_server({"no_delay": True, "cert": sys.argv[1]}, on_connection)
server.on("tlsClientError", lambda _error, _socket: None)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.port, flush=True))
uvnet.run()
