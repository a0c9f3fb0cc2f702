"""Servers in other processes: isolated/serve.py, and what its clients are told."""

from __future__ import annotations

import os
import socket as plain
import subprocess
import sys
from pathlib import Path

from places import ISOLATED

import uvnet

__all__ = ["Serving", "told"]

SCRIPT = ISOLATED / "serve.py"


class Serving:
    """One process that serves."""

    def __init__(self, how: str, *descriptors: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(SCRIPT), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=descriptors,
            env={**os.environ, "PYTHONPATH": str(Path(uvnet.__file__).parent.parent)},
        )

    @property
    def pid(self) -> str:
        return str(self.process.pid)

    def line(self) -> str:
        """What it prints next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(self.process.stderr.read())
        return line

    def end(self) -> None:
        """Let it end, and see that it had nothing to complain about."""
        try:
            _, errors = self.process.communicate(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
        assert errors == ""
        assert self.process.returncode == 0


def told(port: int) -> str:
    """What a server tells a new client."""
    with plain.create_connection(("127.0.0.1", port), timeout=20) as client:
        return client.makefile().read()
