"""A toy Redis: enough of it for redis-cli and redis-benchmark.  Nothing is stored on disk.

python examples/redis_server.py             listens on 127.0.0.1:6380; try: redis-cli -p 6380
python examples/redis_server.py PORT|PATH   on another port, or on a Unix socket (redis-cli -s PATH)
redis-benchmark -p 6380 -t ping,set,get,incr -P 16; Ctrl-C ends the server.

The protocol is RESP2.  A client may send many commands before it reads an answer (pipelining), and a chunk may end in
the middle of one: the parser takes what is complete, and the answers to one chunk go out in one write.
"""

import asyncio
import signal
import sys
from collections.abc import Callable

import uvnet

LARGEST = 16 * 2**20  # bytes of one command
data: dict[bytes, bytes] = {}


def bulk(value: bytes | None) -> bytes:
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)


def increment(key: bytes) -> bytes:
    try:
        data[key] = b"%d" % (int(data.get(key, b"0")) + 1)
    except ValueError:
        return b"-ERR value is not an integer or out of range\r\n"
    return b":%b\r\n" % data[key]


# Each with the least and the most arguments it takes.  The last three are what the tools ask before they start.
COMMANDS: dict[bytes, tuple[Callable[..., bytes], int, int]] = {
    b"PING": (lambda: b"+PONG\r\n", 0, 0),
    b"ECHO": (bulk, 1, 1),
    b"SET": (lambda key, value: data.update({key: value}) or b"+OK\r\n", 2, 2),
    b"GET": (lambda key: bulk(data.get(key)), 1, 1),
    b"DEL": (lambda key: b":%d\r\n" % (data.pop(key, None) is not None), 1, 1),
    b"INCR": (increment, 1, 1),
    b"CONFIG": (lambda get, name: b"*2\r\n" + bulk(name) + bulk(b""), 2, 2),
    b"COMMAND": (lambda *words: b"*0\r\n", 0, sys.maxsize),
    b"CLIENT": (lambda *words: b"+OK\r\n", 1, sys.maxsize),
}


def execute(words: list[bytes]) -> bytes:
    command, least, most = COMMANDS.get(words[0].upper(), (None, 0, 0))
    if command is None:
        return b"-ERR unknown command '%s'\r\n" % words[0][:64].translate(None, b"\r\n")
    if not least <= len(words) - 1 <= most:
        return b"-ERR wrong number of arguments for '%s' command\r\n" % words[0].lower()
    return command(*words[1:])


def parse(buffer: bytearray, start: int) -> tuple[list[bytes], int] | None:
    """The command at `start` and where the next one begins, or None while it is incomplete."""
    end = buffer.find(b"\r\n", start)
    if end < 0:
        return None
    if not buffer.startswith(b"*", start):  # an inline command, as typed by hand
        return bytes(buffer[start:end]).split(), end + 2
    words = []
    count, position = int(buffer[start + 1 : end]), end + 2
    for _ in range(count):
        end = buffer.find(b"\r\n", position)
        if end < 0:
            return None
        size = int(buffer[position + 1 : end])
        if not buffer.startswith(b"$", position) or size < 0:
            raise ValueError("a command is an array of strings")
        begin, position = end + 2, end + 2 + size
        if len(buffer) < position + 2:
            return None
        words.append(bytes(buffer[begin:position]))
        position += 2
    return words, position


def on_connection(socket: uvnet.Socket) -> None:
    buffer = bytearray()

    def on_data(chunk: bytes) -> None:
        buffer.extend(chunk)
        replies, position = [], 0
        try:
            while position < len(buffer) and (found := parse(buffer, position)):
                words, position = found
                if words:
                    replies.append(execute(words))
            if len(buffer) - position > LARGEST:
                raise ValueError("the command is too large")
        except ValueError as error:
            replies.append(b"-ERR Protocol error: %a\r\n" % str(error))
            socket.off("data", on_data).write(b"".join(replies))
            socket.destroy_soon()
            return
        del buffer[:position]
        # A client that sends and does not read is not read from, either.
        if replies and not socket.write(b"".join(replies)):
            socket.pause()
            socket.once("drain", socket.resume)

    socket.on("data", on_data).on("error", lambda error: None)


async def main(where: str) -> None:
    server = uvnet.create_server(on_connection, no_delay=True)
    server.listen({"path": where} if "/" in where else {"port": where, "host": "127.0.0.1"})
    await uvnet.once(server, "listening")
    print("listening on", f"127.0.0.1:{server.port}" if server.port else server.address(), flush=True)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
    await stopped.wait()


uvnet.run(main(sys.argv[1] if len(sys.argv) > 1 else "6380"))
