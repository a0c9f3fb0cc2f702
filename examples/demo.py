"""uvnet at work: one echo server on TCP, one on a Unix socket, and four clients that talk to them.

Prints what is said, then how many round trips one connection makes in a second.
"""

import asyncio
import platform
import socket
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import uvnet

LINES = ["hello", "naïve café", "x" * 40, "good bye"]
MESSAGE = b"m" * 64
SECONDS = 1.0
LIMIT = 4.5  # seconds after which the demonstration counts as hung


async def main() -> None:
    print(
        f"uvnet {uvnet.__version__}, uvloop {version('uvloop')}, "
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    with tempfile.TemporaryDirectory(prefix="uvnet-") as directory:
        path = str(Path(directory, "echo.sock"))
        tcp = await listening(0, "127.0.0.1")
        unix = await listening(path)
        port = tcp.port
        print(f"echo servers listen on 127.0.0.1:{port} and {unix.address()}")

        await talk("uvnet client over TCP", port, "127.0.0.1")
        await talk("uvnet client over the Unix socket", path)
        await talk_plainly("Python socket over TCP", socket.AF_INET, ("127.0.0.1", port))
        await talk_plainly("Python socket over the Unix socket", socket.AF_UNIX, path)
        await measure(port)

        for server in (tcp, unix):
            server.close()
            await uvnet.once(server, "close")
        left = "gone" if not Path(path).exists() else "STILL THERE"
        print(f"\nservers closed; open handles: {len(uvnet.active_handles())}; socket file: {left}")


async def listening(*where: int | str) -> uvnet.Server:
    """An echo server that listens."""
    server = uvnet.create_server(lambda connection: connection.pipe(connection))
    server.listen(*where)
    await uvnet.once(server, "listening")
    return server


async def talk(title: str, *where: int | str) -> None:
    """Send each line when the one before has come back."""
    print(f"\n{title}")
    client = uvnet.connect(*where)
    await uvnet.once(client, "connect")
    chunks = aiter(client)
    for line in LINES:
        client.write(f"{line}\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += await anext(chunks)
        show(line, answer.decode())
    client.end()
    async for chunk in chunks:
        raise SystemExit(f"unexpected after the last line: {chunk!r}")
    print(f"  end: {client.bytes_written} bytes written, {client.bytes_read} bytes read")


async def talk_plainly(title: str, family: int, address: tuple[str, int] | str) -> None:
    """The same with a blocking socket in a thread: nothing of uvnet on this side."""
    print(f"\n{title}")
    for line, answer in await asyncio.to_thread(converse, family, address):
        show(line, answer)


def converse(family: int, address: tuple[str, int] | str) -> list[tuple[str, str]]:
    """Each line with its answer."""
    with socket.socket(family) as connection:
        connection.settimeout(LIMIT)
        connection.connect(address)
        stream = connection.makefile("rw", encoding="utf8", newline="\n")
        answers = []
        for line in LINES:
            stream.write(f"{line}\n")
            stream.flush()
            answers.append((line, stream.readline()))
        stream.close()
    return answers


def show(line: str, answer: str) -> None:
    if answer != f"{line}\n":
        raise SystemExit(f"sent {line!r}, but {answer!r} came back")
    print(f"  > {line}\n  < {answer}", end="")


async def measure(port: int) -> None:
    """Count round trips of a small message on one connection."""
    client = uvnet.connect(port, "127.0.0.1", no_delay=True)
    await uvnet.once(client, "connect")
    count = 0
    missing = len(MESSAGE)

    def on_data(chunk: bytes) -> None:
        nonlocal count, missing
        missing -= len(chunk)
        if missing:
            return
        count += 1
        if time.perf_counter() - start < SECONDS:
            missing = len(MESSAGE)
            client.write(MESSAGE)
        else:
            client.end()

    client.on("data", on_data)
    start = time.perf_counter()
    client.write(MESSAGE)
    await uvnet.once(client, "end")
    elapsed = time.perf_counter() - start
    print(
        f"\n{count} round trips of {len(MESSAGE)} bytes in {elapsed:.2f} s: "
        f"{count / elapsed:,.0f} per second\n"
        "  (one TCP connection, one message in flight, client and server in one thread:\n"
        "  a sign that it works, not a benchmark; `make bench` measures)"
    )


if __name__ == "__main__":
    uvnet.run(asyncio.wait_for(main(), LIMIT))
