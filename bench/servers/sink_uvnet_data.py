"""One-way receive on uvnet: a 'data' listener that counts; the count is the answer at the end."""

import uvnet


def on_connection(socket: uvnet.Socket) -> None:
    received = 0

    def on_data(chunk: bytes) -> None:
        nonlocal received
        received += len(chunk)

    def on_end() -> None:
        socket.end(str(received))

    socket.on("data", on_data)
    socket.on("end", on_end)


server = uvnet.create_server({"no_delay": True, "allow_half_open": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
