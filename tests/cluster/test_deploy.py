"""examples/deploy: each file tried as far as it can be without the machine that it is for."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from free_ports import free_port
from peers import need
from places import EXAMPLES

DEPLOY = EXAMPLES / "deploy"
LIMIT = 60.0  # seconds


def get(url: str) -> str:
    """The body of an answer, from a server that may have to start first."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < end, url
            time.sleep(0.05)


@contextlib.contextmanager
def running(
    *command: str, directory: Path = DEPLOY, ended_by: int = signal.SIGTERM, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A program that is ended by a signal, and then has nothing to complain about."""
    process = subprocess.Popen(
        command, cwd=directory, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        yield process
        process.send_signal(ended_by)
        _, errors = process.communicate(timeout=LIMIT)
        assert process.returncode in (0, 128 + ended_by, -ended_by), errors.decode()
        assert b"Traceback" not in errors
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def serving(host: str, port: int, *, behind_proxy: bool = False) -> contextlib.AbstractContextManager[object]:
    """The application as its container starts it, but for the interpreter and the number of workers."""
    entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[1])  # type: ignore[index]
    assert entry[0] == "python" and entry[-2:] == ["--workers", "auto"]
    return running(
        sys.executable, *entry[1:-1], "1", LISTEN=f"{host}:{port}", BEHIND_PROXY="1" if behind_proxy else "0"
    )


def test_what_the_container_runs() -> None:
    port = free_port()
    with serving("127.0.0.1", port):
        assert get(f"http://127.0.0.1:{port}/health") == "well\n"
        assert re.fullmatch(r"127\.0\.0\.1 is answered by \d+\n", get(f"http://127.0.0.1:{port}/"))


def test_two_machines_behind_haproxy(tmp_path: Path) -> None:
    """Clients are told by the PROXY header, and a machine that has gone is not missed."""
    haproxy = need("haproxy", "haproxy")
    front, port = free_port(), free_port("127.0.0.2")
    text = (DEPLOY / "haproxy.cfg").read_text()
    for stands_for, there in (
        ("0.0.0.0:80", f"127.0.0.1:{front}"),
        ("192.0.2.11:8080", f"127.0.0.2:{port}"),
        ("192.0.2.12:8080", f"127.0.0.3:{port}"),
    ):
        assert text.count(stands_for) == 1
        text = text.replace(stands_for, there)
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(text)
    subprocess.run([haproxy, "-c", "-f", configuration], check=True, capture_output=True)
    url = f"http://127.0.0.1:{front}/"
    with (
        running(haproxy, "-db", "-f", str(configuration), ended_by=signal.SIGUSR1),
        serving("127.0.0.2", port, behind_proxy=True),
    ):
        with serving("127.0.0.3", port, behind_proxy=True):
            seen: set[str] = set()
            end = time.monotonic() + LIMIT
            while len(seen) < 2:
                assert time.monotonic() < end, seen
                with contextlib.suppress(urllib.error.HTTPError):
                    seen.add(get(url))
            assert all(text.startswith("127.0.0.1 is answered by ") for text in seen)
        answers = {get(url) for _ in range(20)}
        assert len(answers) == 1
        assert answers < seen


def test_units_of_systemd(tmp_path: Path) -> None:
    analyze = need("systemd-analyze", "systemd")
    units = []
    for name in ("uvnet.socket", "uvnet.service"):
        text = (DEPLOY / name).read_text().replace("/srv/app/.venv/bin/python", sys.executable)
        (tmp_path / name).write_text(text)
        units.append(str(tmp_path / name))
    done = subprocess.run([analyze, "verify", *units], capture_output=True, text=True, timeout=LIMIT, check=False)
    complaints = [line for line in done.stderr.splitlines() if "uvnet." in line]
    if not complaints and done.returncode:
        pytest.skip(f"systemd-analyze does not work here: {done.stderr.strip()}")
    assert complaints == []


def test_a_socket_of_systemd() -> None:
    """What systemd listens on is what the application gets, and its address is that of the unit."""
    activate = need("systemd-socket-activate", "systemd")
    port = free_port()
    unit = (DEPLOY / "uvnet.service").read_text()
    command = re.search(r"^ExecStart=\S+ (.*) --workers auto", unit, re.MULTILINE)
    assert command is not None
    with running(
        activate, "-l", f"127.0.0.1:{port}", "-E", "PATH", "-E", "LISTEN", "-E", "BEHIND_PROXY",
        sys.executable, *command[1].split(), "--workers", "1", LISTEN=f"127.0.0.1:{port}", BEHIND_PROXY="0",
    ):  # fmt: skip
        assert get(f"http://127.0.0.1:{port}/health") == "well\n"
