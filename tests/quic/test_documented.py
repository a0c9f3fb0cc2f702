"""The program in docs/quic.md does what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Certificates
from document_block import blocks_of
from free_ports import free_port
from places import DOCS

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
