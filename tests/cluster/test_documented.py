"""The programs of docs/processes.md and docs/serve.md, each run as it stands there but for the port."""

from __future__ import annotations

import os
import signal
import socket as plain
import subprocess
import sys
import time
from pathlib import Path

from asyncio_programs import application, needs
from document_block import blocks_of
from free_ports import free_port
from places import DOCS
from supervised import supervised

LIMIT = 30.0  # seconds
BLOCKS = [block.code for block in blocks_of((DOCS / "processes.md").read_text())]
SERVED = [block.code for block in blocks_of((DOCS / "serve.md").read_text())]


def ask(port: int) -> bytes:
    """What a server says, which may have to start first."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            with plain.create_connection(("127.0.0.1", port), LIMIT) as connection:
                return b"".join(iter(lambda: connection.recv(100), b""))
        except ConnectionRefusedError:
            assert time.monotonic() < end, "nobody listens"
            time.sleep(0.02)


def is_there(process: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_one_program_in_several_processes(tmp_path: Path) -> None:
    port = free_port()
    program = tmp_path / "program.py"
    program.write_text(BLOCKS[0].replace("8124", str(port)).replace("os.cpu_count() or 1", "2"))
    process = subprocess.Popen([sys.executable, program])
    try:
        seen: set[bytes] = set()
        end = time.monotonic() + LIMIT
        while len(seen) < 2:
            assert time.monotonic() < end
            seen.add(ask(port))
        workers = [int(text.split()[-1]) for text in seen]
        assert process.pid not in workers
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    end = time.monotonic() + LIMIT
    while any(map(is_there, workers)):
        assert time.monotonic() < end, "a worker has outlived its primary"
        time.sleep(0.02)


def test_a_connection_for_a_child(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "child.py").write_text(BLOCKS[2])
    (tmp_path / "program.py").write_text(BLOCKS[1].replace("8124", str(port)))
    process = subprocess.Popen([sys.executable, "program.py"], cwd=tmp_path)
    try:
        assert ask(port) == b"yours\n"
        assert ask(port) == b"yours\n"
    finally:
        process.terminate()
        process.wait()


def test_a_server_that_goes_on(tmp_path: Path) -> None:
    port = free_port()
    program = tmp_path / "program.py"
    program.write_text(SERVED[0].replace("8124", str(port)).replace('"auto"', "2"))
    with supervised(str(program)) as serving:
        assert ask(port).startswith(b"hello from ")
        serving.end()
        # Nobody has asked for the log.
        assert serving.output == ""


def test_uvicorn_that_goes_on(tmp_path: Path) -> None:
    needs("uvicorn", "h11")
    application(tmp_path)
    (tmp_path / "the_application.py").rename(tmp_path / "shop.py")
    port = free_port()
    text = SERVED[1].replace("8000", str(port)).replace("shop:app", "shop:application").replace("workers=4", "workers=1")
    (tmp_path / "program.py").write_text(f"import logging\nlogging.basicConfig(level=logging.INFO)\n{text}")
    with supervised("program.py", cwd=tmp_path) as serving:
        _, found = serving.listening()
        assert found == port
        with plain.create_connection(("127.0.0.1", port), LIMIT) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.makefile("rb").read().endswith(b"hello")
        serving.end()
