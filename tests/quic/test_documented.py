"""The program in docs/quic.md does what it says."""

from __future__ import annotations

import select
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Certificates
from document_block import blocks_of
from free_ports import free_port
from places import DOCS
from programs import EXAMPLES, Program, started

pytest.importorskip("aioquic", reason="QUIC needs the extra aioquic, and that CPython 3.11")


def test_the_program_of_the_page(certificates: Certificates, tmp_path: Path) -> None:
    (block,) = blocks_of((DOCS / "quic.md").read_text())
    for name, source in (("cert.pem", "server"), ("key.pem", "server")):
        (tmp_path / name).write_bytes(certificates.path(source).read_bytes())
    (tmp_path / "ca.pem").write_bytes(certificates.authority.read_bytes())
    program = block.code.replace("8124", str(free_port())).replace('ca="cert.pem"', 'ca="ca.pem"')
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == "b'hello'\n"


def test_the_chat(certificates: Certificates) -> None:
    """examples/quic_chat.py: who is in a room hears the others of it, and nobody else does."""
    chat, cert = str(EXAMPLES / "quic_chat.py"), str(certificates.path("server"))
    with started(chat, "serve", cert, cert) as server:
        port = server.line().rpartition(":")[2].strip()
        joining = (chat, "join", str(certificates.authority), port)
        with (
            started(*joining, "garden") as first,
            started(*joining, "garden") as second,
            started(*joining, "attic") as third,
        ):
            _say(third, "for the attic alone")
            # Until the first is in the room nobody can tell it anything.
            _say(first, "hello")
            for _ in range(200):
                _say(second, "are you there")
                if select.select([first.stdout], [], [], 0.1)[0]:
                    break
            assert first.line() == "are you there\n"
            _say(first, "I am")
            heard = second.line()
            assert heard in ("hello\n", "I am\n")
            # Which ends what they read from.
            outputs = [program.process.communicate(timeout=30)[0] for program in (first, second, third)]
            assert outputs[2] == b""
            assert {program.process.returncode for program in (first, second, third)} == {0}


def _say(program: Program, line: str) -> None:
    program.process.stdin.write(f"{line}\n".encode())
    program.process.stdin.flush()
