"""A server for a protocol of lines: one request a line, one answer a line, in order.

python examples/line_server.py             listens on 127.0.0.1:8126; try: nc 127.0.0.1 8126
python examples/line_server.py PORT|PATH   on another port, or on a Unix socket
Ctrl-C ends it.

Requests: UPPER text, REVERSE text, SUM numbers, QUIT.  Each connection is one coroutine, which reads line by line
and waits when the client does not take its answers: so neither side can fill the server's memory.
"""

import asyncio
import signal
import sys

import uvnet

LONGEST = 64 * 1024  # bytes of one line
IDLE = 60  # seconds without a word


class BadRequest(Exception):
    """Its text is the answer."""


def answer(line: bytes) -> str:
    command, _, argument = line.decode("utf8", "replace").partition(" ")
    if command.upper() == "UPPER":
        return argument.upper()
    if command.upper() == "REVERSE":
        return argument[::-1]
    if command.upper() == "SUM":
        try:
            return f"{sum(map(float, argument.split())):g}"
        except ValueError:
            raise BadRequest("SUM wants numbers") from None
    raise BadRequest(f"no such request: {command!r}")


async def on_connection(socket: uvnet.Socket) -> None:
    # An idle connection fails like any other: with an error, which the `async for` raises.
    socket.set_timeout(IDLE, lambda: socket.destroy(TimeoutError("idle for too long")))
    farewell = ""
    try:
        async for line in socket.lines(limit=LONGEST):
            if line.upper() == b"QUIT":
                farewell = "BYE\n"
                break
            try:
                reply = f"OK {answer(line)}\n"
            except BadRequest as error:
                reply = f"ERROR {error}\n"
            socket.write(reply)
            await socket.drain()
    except asyncio.LimitOverrunError:
        farewell = "ERROR the line is too long\n"
    except OSError:
        # The connection is gone, and with it whom to tell.
        socket.destroy()
        return
    socket.end(farewell)
    # Nobody wants the rest, but to close a connection with unread data would be to reset it.
    socket.resume()


async def main(where: str) -> None:
    # Half-open: a client that sends its requests and half-closes still gets its answers.
    server = uvnet.create_server(on_connection, allow_half_open=True)
    server.listen({"path": where} if "/" in where else {"port": where, "host": "127.0.0.1"})
    await uvnet.once(server, "listening")
    address = server.address()
    if isinstance(address, uvnet.Address):
        address = f"{address.address}:{address.port}"
    print(f"listening on {address}", flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    await stopped.wait()


uvnet.run(main(sys.argv[1] if len(sys.argv) > 1 else "8126"))
