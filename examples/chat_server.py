"""A chat server: every line goes to everybody else, and a slow client does not hurt the others.

python examples/chat_server.py             listens on 127.0.0.1:8125; try: nc 127.0.0.1 8125
python examples/chat_server.py PORT|PATH   on another port, or on a Unix socket
Ctrl-C ends it.

write() never blocks: what a client does not take waits in memory.  A server that sends the same to many must
therefore set a limit.  Here a client with more than BACKLOG waiting is told so and dropped.
"""

import contextlib
import itertools
import sys

import uvnet

BACKLOG = 256 * 1024  # bytes that may wait for one client
LONGEST = 4096  # bytes of one line
GRACE = 5  # seconds that a dropped client has to take its last words

clients: set["Client"] = set()
numbers = itertools.count(1)


class Client:
    def __init__(self, socket: uvnet.Socket) -> None:
        self.socket = socket
        self.name = f"guest{next(numbers)}"
        self.pending = b""  # the beginning of a line whose end has not come yet
        socket.on("data", self.on_data)
        # With no listener an error of this connection would be reported as one of the program.
        socket.on("error", lambda error: None)
        socket.on("close", self.on_close)
        clients.add(self)
        self.send(f"* you are {self.name}, one of {len(clients)}\n".encode())
        tell_others(self, f"* {self.name} is here\n".encode())

    def on_data(self, chunk: bytes) -> None:
        # A chunk is not a line: it may hold many, or a part of one.
        *lines, self.pending = (self.pending + chunk).split(b"\n")
        if any(len(line) > LONGEST for line in (*lines, self.pending)):
            self.drop(b"* your line is too long\n")
            return
        for line in lines:
            tell_others(self, b"%s: %s\n" % (self.name.encode(), line.removesuffix(b"\r")))

    def send(self, line: bytes) -> None:
        if self.socket.writable_length > BACKLOG:
            self.drop(b"* you are too slow\n")
        else:
            self.socket.write(line)

    def drop(self, last_words: bytes) -> None:
        """No more lines to or from this client; it goes when it has taken what waits, or after GRACE."""
        clients.discard(self)
        self.socket.off("data", self.on_data)
        self.socket.resume()
        self.socket.end(last_words)
        self.socket.set_timeout(GRACE, self.socket.destroy)

    def on_close(self, had_error: bool) -> None:
        clients.discard(self)
        tell_others(self, f"* {self.name} has left\n".encode())


def tell_others(speaker: Client, line: bytes) -> None:
    # A copy: send() may drop a client.
    for client in tuple(clients):
        if client is not speaker:
            client.send(line)


def on_error(error: OSError) -> None:
    raise error


def on_listening() -> None:
    address = server.address()
    if isinstance(address, uvnet.Address):
        address = f"{address.address}:{address.port}"
    print(f"listening on {address}", flush=True)


where = sys.argv[1] if len(sys.argv) > 1 else "8125"
server = uvnet.create_server(Client)
server.on("error", on_error)
server.listen(
    {"path": where} if "/" in where else {"port": where, "host": "127.0.0.1"}, on_listening
)

with contextlib.suppress(KeyboardInterrupt):
    uvnet.run()
