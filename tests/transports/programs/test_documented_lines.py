"""The lines of docs/drop-in.md for each program, as they are printed there."""

from __future__ import annotations

import http.client
import re
import shlex
import socket
import sys
from pathlib import Path

from asyncio_programs import LIMIT, UnixConnection, application, ask, needs, python, running
from document_block import blocks_of
from places import DOCS

PAGE = (DOCS / "drop-in.md").read_text()


def line_for(program: str) -> str:
    """The line in the table, of the row that begins with the name of a program."""
    found = re.search(rf"^\| {re.escape(program)}[^|]*\| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert found is not None
    return found[1]


def block_with(words: str) -> str:
    """The Python block that has these words in it."""
    (found,) = [block.code for block in blocks_of(PAGE) if words in block.code]
    return found


def test_uvicorn(tmp_path: Path) -> None:
    needs("uvicorn", "h11")
    module = application(tmp_path).partition(":")[0]
    (tmp_path / "app.py").write_text(f"from {module} import application as app\n")
    command = (sys.executable, "-m", *shlex.split(line_for("uvicorn")), "--port", "0")
    with running(tmp_path, *command, ready="running on") as server:
        ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT))


def test_uvicorn_with_limits(tmp_path: Path) -> None:
    """... of loop_factory(): one connection at once, and none from 203.0.113.0/24, which is 127.0.0.2 here."""
    needs("uvicorn", "h11")
    module = application(tmp_path).partition(":")[0]
    (tmp_path / "app.py").write_text(f"from {module} import application as app\n")
    block = block_with("loop_factory(")
    (tmp_path / "mine.py").write_text(
        block.replace('"203.0.113.0", 24', '"127.0.0.2", 32').replace("max_connections=1000", "max_connections=1")
    )
    found = re.search(r": (uvicorn .*)$", block, re.MULTILINE)
    assert found is not None
    command = (sys.executable, "-m", *shlex.split(found[1]), "--port", "0")
    with running(tmp_path, *command, ready="running on") as server:
        where = ("127.0.0.1", server.port)
        with socket.create_connection(where, LIMIT, ("127.0.0.2", 0)) as blocked:
            assert blocked.recv(1) == b""
        first = http.client.HTTPConnection(*where, timeout=LIMIT)
        first.request("GET", "/")
        assert first.getresponse().read() == b"hello"
        with socket.create_connection(where, LIMIT) as second:
            assert second.recv(1) == b""
        ask(first)


def test_gunicorn(tmp_path: Path) -> None:
    needs("gunicorn", "uvicorn", "uvicorn_worker", "h11")
    module = application(tmp_path).partition(":")[0]
    (tmp_path / "app.py").write_text(f"from {module} import application as app\n")
    (tmp_path / "mine.py").write_text(block_with("UvicornWorker"))
    command = (sys.executable, "-m", *shlex.split(line_for("gunicorn")), "--bind", "127.0.0.1:0")
    with running(tmp_path, *command, ready="istening at", quiet=False) as server:
        ask(http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT))


def test_hypercorn(tmp_path: Path) -> None:
    needs("hypercorn")
    application(tmp_path)
    path = tmp_path / "socket"
    program = f'''
import hypercorn.asyncio, hypercorn.config, uvnet
from the_application import application as app

config = hypercorn.config.Config()
config.bind = ["unix:{path}"]
{line_for("hypercorn")}
'''
    with running(tmp_path, sys.executable, "-c", program, ready="unning on"):
        ask(UnixConnection(str(path)))


def test_aiohttp(tmp_path: Path) -> None:
    needs("aiohttp")
    line = line_for("aiohttp")
    # A port of its own.
    program = f'''
import socket, uvnet
from aiohttp import web

async def hello(request):
    return web.Response(text="hello")

app = web.Application()
app.add_routes([web.get("/", hello)])
listening = socket.create_server(("127.0.0.1", 0))
print(f"http://localhost:{{listening.getsockname()[1]}}")
{line.replace("(app, ", "(app, sock=listening, ")}
'''
    with running(tmp_path, sys.executable, "-c", program, ready="CTRL+C") as server:
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"hello"
            connection.close()


def test_anyio(tmp_path: Path) -> None:
    needs("anyio")
    program = f'''
import anyio, asyncio, uvnet

async def main():
    print(type(asyncio.get_running_loop()).__module__)

{line_for("anyio")}
'''
    assert python(tmp_path, program) == "uvnet.transports.loop\n"
