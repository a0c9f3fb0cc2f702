"""One-way receive on uvnet: `async for` counts; the count is the answer at the end."""

import uvnet


async def on_connection(socket: uvnet.Socket) -> None:
    received = 0
    async for chunk in socket:
        received += len(chunk)
    socket.end(str(received))


server = uvnet.create_server({"no_delay": True, "allow_half_open": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
