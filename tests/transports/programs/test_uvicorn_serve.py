"""examples/uvicorn_serve.py: uvicorn in workers that share a port, and are replaced while clients ask."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request

from asyncio_programs import LIMIT, needs
from free_ports import free_port
from places import EXAMPLES


def ask(port: int) -> int:
    """The process that answers; on a connection of its own."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=LIMIT) as answer:
        assert answer.status == 200
        return int(answer.read().split()[-1])


def test_a_rolling_restart_under_requests() -> None:
    needs("uvicorn")
    port = free_port()
    process = subprocess.Popen([sys.executable, EXAMPLES / "uvicorn_serve.py", str(port)])
    try:
        end = time.monotonic() + LIMIT
        first: set[int] = set()
        while len(first) < 2:
            assert time.monotonic() < end
            try:
                first.add(ask(port))
            except OSError:
                # It has not begun to listen.
                assert not first
                time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        later: set[int] = set()
        while len(later) < 2:
            assert time.monotonic() < end
            later |= {ask(port)} - first
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
