"""Header, body and trailer for each request, on uvnet: three writes in one 'data' listener."""

import uvnet

REPLY = bytes(index % 251 for index in range(64 + 1024 + 64))
HEADER, BODY, TRAILER = REPLY[:64], REPLY[64:-64], REPLY[-64:]


def ignore_error(_error: OSError) -> None:
    """The load generator leaves with requests in flight; that is no error here."""


def on_connection(socket: uvnet.Socket) -> None:
    def on_request(_chunk: bytes) -> None:
        socket.write(HEADER)
        socket.write(BODY)
        socket.write(TRAILER)

    socket.on("error", ignore_error)
    socket.on("data", on_request)


server = uvnet.create_server({"no_delay": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
