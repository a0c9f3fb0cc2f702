"""Echo on uvnet: `async for` over the socket, and `drain()`, which is ready nearly always."""

import contextlib

import uvnet


async def on_connection(socket: uvnet.Socket) -> None:
    # The load generator leaves with messages in flight; that is no error here.
    with contextlib.suppress(OSError):
        async for chunk in socket:
            socket.write(chunk)
            await socket.drain()


server = uvnet.create_server({"no_delay": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
