"""Programs for the other end of a connection that have nothing to do with uvnet.

A client sends the file `source` to an echo server at `where`, half-closes, and writes what it gets
to `sink`.  A server echoes one connection.  `where` is a port on 127.0.0.1 or the path of a Unix
socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import shutil
import socket as plain
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

__all__ = [
    "BLOCK",
    "CLIENTS",
    "NODE_CONNECT",
    "SERVERS",
    "Where",
    "connect_plain",
    "haproxy_command",
    "need",
    "unused_port",
    "write_payload",
]

Where = int | str
Client = Callable[[Where, Path, Path], Awaitable[None]]
Server = Callable[[str, Path], Any]

NODE_CONNECT = """
const where = process.argv[1];
const port = Number(where);
const socket = require('net').connect(port ? { port, host: '127.0.0.1' } : where);
"""
NODE_CLIENT = f"""{NODE_CONNECT}
process.stdin.pipe(socket).pipe(process.stdout);
"""
NODE_SERVER = """
const server = require('net').createServer({ allowHalfOpen: true }, (socket) => {
  server.close();
  socket.pipe(socket);
});
server.listen(process.argv[1] || { port: 0, host: '127.0.0.1' }, () => {
  console.log(server.address().port);
});
"""
HAPROXY = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 10s
    timeout client 30s
    timeout server 30s
listen here
    bind {bind}
    server there {server}
"""
BLOCK = 256 * 1024


def need(program: str, package: str, *elsewhere: Path) -> str:
    """The path of a program, in PATH or in other folders; without it the test is skipped."""
    found = shutil.which(program)
    for folder in elsewhere:
        found = found or shutil.which(program, path=str(folder))
    if found is None:
        pytest.skip(f"needs {program}: install the package {package}")
    return found


def unused_port() -> int:
    """A port that nobody has, for programs that cannot choose one and tell.

    It is not of those that systems give to clients: one of these might have it a moment later.
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with plain.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def haproxy_command(directory: Path, bind: str, server: str) -> list[str]:
    """HAProxy in the foreground, between what it binds to and a server (both in the words of its configuration)."""
    path = directory / "haproxy.cfg"
    path.write_text(HAPROXY.format(bind=bind, server=server))
    return [need("haproxy", "haproxy"), "-db", "-q", "-f", str(path)]


NGINX = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log stderr warn;
load_module {module};
events {{}}
stream {{
    server {{
        listen {bind};
        proxy_pass {server};
        proxy_protocol on;
    }}
}}
"""


def nginx_command(directory: Path, bind: str, server: str) -> list[str]:
    """nginx in the foreground, which passes what it binds to on to a server, each connection behind a PROXY header."""
    module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
    command = need("nginx", "libnginx-mod-stream")
    if not module.exists():
        pytest.skip("needs the stream module of nginx: install the package libnginx-mod-stream")
    path = directory / "nginx.conf"
    path.write_text(NGINX.format(directory=directory, module=module, bind=bind, server=server))
    return [command, "-e", "stderr", "-p", str(directory), "-c", str(path)]


def write_payload(path: Path, size: int) -> Path:
    """A file of `size` bytes in which every block differs from the others."""
    with path.open("wb") as file:
        for number in range(0, size, BLOCK):
            head = b"%020d" % number
            file.write((head + bytes(range(256)) * (BLOCK // 256))[: min(BLOCK, size - number)])
    return path


def connect_plain(where: Where) -> plain.socket:
    """A blocking socket of Python's."""
    if isinstance(where, str):
        connection = plain.socket(plain.AF_UNIX)
        try:
            connection.connect(where)
        except OSError:
            connection.close()
            raise
    else:
        connection = plain.create_connection(("127.0.0.1", where))
    return connection


# === Clients ===


async def run_client(command: list[str], source: Path, sink: Path) -> None:
    with source.open("rb") as given, sink.open("wb") as received:
        process = await asyncio.create_subprocess_exec(*command, stdin=given, stdout=received)
        assert await process.wait() == 0


async def nc(where: Where, source: Path, sink: Path) -> None:
    arguments = ["-U", where] if isinstance(where, str) else ["127.0.0.1", str(where)]
    await run_client([need("nc", "netcat-openbsd"), "-N", *arguments], source, sink)


async def socat(where: Where, source: Path, sink: Path) -> None:
    # -t: how long one direction may go on when the other is over.
    address = f"UNIX-CONNECT:{where}" if isinstance(where, str) else f"TCP:127.0.0.1:{where}"
    await run_client([need("socat", "socat"), "-t", "60", "-", address], source, sink)


async def node(where: Where, source: Path, sink: Path) -> None:
    await run_client([need("node", "nodejs"), "-e", NODE_CLIENT, "--", str(where)], source, sink)


async def python_threads(where: Where, source: Path, sink: Path) -> None:
    """Blocking sockets, one thread for each direction."""

    def send(connection: plain.socket) -> None:
        with source.open("rb") as file:
            connection.sendfile(file)
        connection.shutdown(plain.SHUT_WR)

    def talk() -> None:
        with connect_plain(where) as connection, sink.open("wb") as file:
            sender = threading.Thread(target=send, args=(connection,))
            sender.start()
            while chunk := connection.recv(BLOCK):
                file.write(chunk)
            sender.join()

    await asyncio.to_thread(talk)


async def asyncio_streams(where: Where, source: Path, sink: Path) -> None:
    """The standard library's own event loop, in a thread."""

    async def send(writer: asyncio.StreamWriter) -> None:
        with source.open("rb") as file:
            while chunk := file.read(BLOCK):
                writer.write(chunk)
                await writer.drain()
        writer.write_eof()

    async def talk() -> None:
        if isinstance(where, str):
            reader, writer = await asyncio.open_unix_connection(where)
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", where)
        sending = asyncio.create_task(send(writer))
        with sink.open("wb") as file:
            while chunk := await reader.read(BLOCK):
                file.write(chunk)
        await sending
        writer.close()
        await writer.wait_closed()

    await asyncio.to_thread(run_on_asyncio, talk)


def run_on_asyncio(main: Callable[[], Any]) -> None:
    loop = asyncio.SelectorEventLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


CLIENTS: dict[str, Client] = {
    "nc": nc,
    "socat": socat,
    "node": node,
    "python": python_threads,
    "asyncio": asyncio_streams,
}


# === Echo servers for one connection ===


@contextlib.asynccontextmanager
async def socat_server(kind: str, directory: Path) -> AsyncIterator[Where]:
    path = directory / "socat"
    address = f"UNIX-LISTEN:{path}" if kind == "unix" else "TCP-LISTEN:0,bind=127.0.0.1"
    process = await asyncio.create_subprocess_exec(
        need("socat", "socat"), "-d", "-d", "-t", "60", address, "EXEC:cat",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    line = await process.stderr.readline()
    while b"listening on" not in line:
        assert line, "socat does not listen"
        line = await process.stderr.readline()
    port = re.search(rb":(\d+)\s*$", line)
    yield str(path) if kind == "unix" else int(port[1] if port else b"")
    await process.communicate()
    assert process.returncode == 0


@contextlib.asynccontextmanager
async def node_server(kind: str, directory: Path) -> AsyncIterator[Where]:
    path = str(directory / "node")
    process = await asyncio.create_subprocess_exec(
        need("node", "nodejs"), "-e", NODE_SERVER, "--", *([path] if kind == "unix" else []),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    line = await process.stdout.readline()
    yield path if kind == "unix" else int(line)
    assert await process.wait() == 0


@contextlib.asynccontextmanager
async def asyncio_server(kind: str, directory: Path) -> AsyncIterator[Where]:
    """The standard library's own event loop, in a thread."""
    path = str(directory / "asyncio")
    here = asyncio.get_running_loop()
    listening: asyncio.Future[Where] = here.create_future()

    async def serve() -> None:
        over = asyncio.Event()

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while chunk := await reader.read(BLOCK):
                writer.write(chunk)
                await writer.drain()
            writer.close()
            await writer.wait_closed()
            over.set()

        if kind == "unix":
            server: Any = await asyncio.start_unix_server(echo, path)
            where: Where = path
        else:
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            where = server.sockets[0].getsockname()[1]
        here.call_soon_threadsafe(listening.set_result, where)
        await over.wait()
        server.close()
        await server.wait_closed()

    serving = asyncio.ensure_future(asyncio.to_thread(run_on_asyncio, serve))
    yield await listening
    await serving


SERVERS: dict[str, Server] = {
    "socat": socat_server,
    "node": node_server,
    "asyncio": asyncio_server,
}
