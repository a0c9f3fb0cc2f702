"""A file for each request of one byte, on uvnet: socket.send_file()."""

import sys

import uvnet

file = open(sys.argv[1], "rb")  # noqa: SIM115


def on_connection(socket: uvnet.Socket) -> None:
    def answered(error: BaseException | None, _sent: int) -> None:
        if error is not None:
            socket.destroy()

    def on_data(_request: bytes) -> None:
        socket.send_file(file, callback=answered)

    socket.on("data", on_data)
    socket.on("error", lambda error: None)


server = uvnet.create_server({"no_delay": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
