"""A server for a protocol of lines: one request a line, one answer a line, in order.

python examples/line_server.py             listens on 127.0.0.1:8126; try: nc 127.0.0.1 8126
python examples/line_server.py PORT|PATH   on another port, or on a Unix socket
Ctrl-C ends it.

Requests: UPPER text, REVERSE text, SUM numbers, QUIT.  Each connection is one coroutine, which reads with `async for`
and waits when the client does not take its answers: so neither side can fill the server's memory.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

import uvnet

LONGEST = 64 * 1024  # bytes of one line
IDLE = 60  # seconds without a word


class BadRequest(Exception):
    """Its text is the answer."""


async def lines_of(socket: uvnet.Socket) -> AsyncIterator[bytes]:
    """The lines that a client sends, without their ends; what is longer than LONGEST comes in pieces."""
    pending = b""
    async for chunk in socket:
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        if len(pending) > LONGEST:
            yield pending
            pending = b""
    if pending:
        # The client has half-closed without a last newline.
        yield pending


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
    try:
        async for line in lines_of(socket):
            # No `break`: that would destroy the socket, and with it what is still to be sent.
            if socket.writable_ended:
                continue
            if len(line) > LONGEST:
                socket.end("ERROR the line is too long\n")
            elif line.upper() == b"QUIT":
                socket.end("BYE\n")
            else:
                try:
                    reply = f"OK {answer(line)}\n"
                except BadRequest as error:
                    reply = f"ERROR {error}\n"
                if not socket.write(reply):
                    await uvnet.once(socket, "drain")
        if not socket.writable_ended:
            socket.end()
    except OSError:
        # The connection is gone, and with it whom to tell.
        socket.destroy()


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
