"""The Python blocks of Markdown files, and a program that runs one of them: document_block.py FILE LINE.

What a block needs and a reader does not stands in a comment right above it, which is not shown:

    <!-- test
    code to run first
    ...
    code to run afterwards, with what the block has defined
    -->

Where `await` is used outside of a function the whole runs as one coroutine.  The ports 8124 to 8129 and the paths
/tmp/*.sock are replaced by free ones; make_certificate() writes cert.pem and key.pem.  `<!-- test: not run, REASON -->` keeps a block from being run.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
import socket as plain
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from free_ports import free_ports

import uvnet
from uvnet._loop.loop import running_record

__all__ = ["Block", "blocks_of"]

LIMIT = 20.0  # seconds that a client waits for its server
_BLOCK = re.compile(
    r"(?:^<!-- test(?P<hidden>[\s\S]*?)-->\n)?^```python\n(?P<code>[\s\S]*?)^```$", re.MULTILINE
)


class Block(NamedTuple):
    """A Python block: the line it begins on, its code, what runs before and after it."""

    line: int
    code: str
    before: str
    after: str
    not_run: str  # the reason, or ""


def blocks_of(text: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        hidden = found["hidden"] or ""
        if hidden.startswith(": not run"):
            yield Block(line, found["code"], "", "", hidden.removeprefix(": not run").strip(", \n"))
            continue
        before, _, after = f"{hidden.strip()}\n".lstrip().partition("...\n")
        yield Block(line, found["code"], before, after, "")


class Conversation:
    """A client in a thread, with a plain socket: sends, half-closes, and takes what comes until the end."""

    def __init__(self, where: int | str, sent: bytes, stop: bool) -> None:
        self.where = where
        self.sent = sent
        self.loop = running_record().loop if stop else None
        self.received = b""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            with self._connect() as connection:
                connection.settimeout(LIMIT)
                connection.sendall(self.sent)
                connection.shutdown(plain.SHUT_WR)
                while chunk := connection.recv(65536):
                    self.received += chunk
        finally:
            if self.loop is not None:
                self.loop.call_soon_threadsafe(_close_everything)

    def _connect(self) -> plain.socket:
        deadline = time.monotonic() + LIMIT
        while True:
            is_path = isinstance(self.where, str)
            connection = plain.socket(plain.AF_UNIX if is_path else plain.AF_INET)
            try:
                connection.connect(self.where if is_path else ("127.0.0.1", self.where))
                return connection
            except OSError:
                connection.close()
                # It does not listen yet.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def _close_everything() -> None:
    for handle in uvnet.active_handles():
        if isinstance(handle, uvnet.Server):
            handle.close()
        else:
            handle.destroy()


def talk(where: int | str, sent: bytes = b"", stop: bool = True) -> Conversation:
    """Talk to the server that the block makes; with `stop` close everything then, so that run() returns."""
    return Conversation(where, sent, stop)


def make_certificate() -> None:
    """Write cert.pem and key.pem, for localhost, to where the block runs."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True, timeout=LIMIT)


def _run(path: str, line: int, directory: str) -> None:
    block = next(block for block in blocks_of(Path(path).read_text()) if block.line == line)
    ports = dict(zip(range(8124, 8130), free_ports(6), strict=True))

    def local(code: str) -> str:
        code = re.sub(r"\b812[4-9]\b", lambda found: str(ports[int(found[0])]), code)
        return code.replace("/tmp/", f"{directory}/")

    names: dict[str, Any] = {
        "__name__": "__main__",
        "asyncio": asyncio,
        "make_certificate": make_certificate,
        "talk": talk,
        "uvnet": uvnet,
    }
    before, code, after = local(block.before), local(block.code), local(block.after)
    # A traceback shows the lines of the file.
    padding = "\n" * (line - 1 - before.count("\n"))
    compiled = compile(
        padding + before + code + after, path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        uvnet.run(result)


if __name__ == "__main__":
    # asyncio's debug mode measures how long callbacks take; a busy machine is no defect.
    logging.getLogger("asyncio").addFilter(lambda record: not record.msg.startswith("Executing"))
    with tempfile.TemporaryDirectory(prefix="uvnet-") as temporary:
        _run(sys.argv[1], int(sys.argv[2]), temporary)
