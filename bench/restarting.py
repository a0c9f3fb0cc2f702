"""A server of several processes that is restarted and upgraded while it serves."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.processes import MeasurementError
from bench.restart_clients import HOST, Clients

WORKERS = 2
LIMIT = 60.0  # seconds for anything
STEP = 0.02  # seconds between two looks


def is_there(process: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it; raises MeasurementError."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise MeasurementError(f"{what} took longer than {LIMIT:.0f} s")
        time.sleep(STEP)


class Restarted:
    """The server, while clients ask it."""

    def __init__(self, primary: int, port: int, directory: Path, output: int, clients: Clients) -> None:
        self.port = port
        self.primary = primary
        self.clients = clients
        self.files_left: list[str] = []  # in its directory, once it has ended
        self._directory = directory
        self._output = output
        self._since = 0.0

    def said(self) -> str:
        """All that it has printed."""
        return os.pread(self._output, os.fstat(self._output).st_size, 0).decode(errors="replace")

    def other_primaries(self) -> list[int]:
        """Those that an upgrade which failed may have left."""
        return [int(path.read_text()) for path in self._directory.glob("pid*")]

    def wait_for_all(self) -> None:
        """Until every worker that there shall be has answered."""
        until(lambda: len(self._workers()) >= WORKERS, "the start")

    def restart(self) -> None:
        """Have every worker replaced; returns when the old ones are gone."""
        self._replace(lambda: os.kill(self.primary, signal.SIGHUP), "a restart")

    def upgrade(self) -> None:
        """Have the primary replaced too."""
        if (self._directory / "pid").exists():
            self._replace(self._upgrade_gunicorn, "an upgrade")
        else:
            self._replace(lambda: os.kill(self.primary, signal.SIGUSR2), "an upgrade")

    def _workers(self) -> set[int]:
        return {each for each in self.clients.answered_since(self._since) if is_there(each)}

    def _replace(self, begin: Callable[[], None], what: str) -> None:
        old = self._workers()
        begin()
        until(lambda: not any(map(is_there, old)), what)
        # What they had answered before is not to be taken for a sign of life.
        self._since = time.monotonic()
        self.wait_for_all()

    def _upgrade_gunicorn(self) -> None:
        """As its documentation has it: the new one serves beside the old one, which is told to end then."""
        old, moment = self._workers(), time.monotonic()
        os.kill(self.primary, signal.SIGUSR2)
        new_file = self._directory / "pid.2"
        until(
            lambda: len(self.clients.answered_since(moment) - old) >= WORKERS and new_file.exists(),
            "gunicorn's new master",
        )
        new = int(new_file.read_text())
        os.kill(self.primary, signal.SIGTERM)
        self.primary = new
        # It takes no notice of another upgrade before that.
        until(lambda: not new_file.exists(), "gunicorn's new master")


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def restarted(command: list[str], threads: int) -> Iterator[Restarted]:
    """A server, told its port and a directory, and clients that ask it; raises MeasurementError."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*command, str(port), name], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=Path(command[1]).parent,
        )  # fmt: skip
        server = Restarted(process.pid, port, Path(name), output.fileno(), Clients(port, threads))
        try:
            until(lambda: _listens(port) or process.poll() is not None, "the start")
            with server.clients:
                server.wait_for_all()
                server.clients.counts.clear()
                yield server
        except MeasurementError as error:
            words = server.said().strip().splitlines() or ["it said nothing"]
            raise MeasurementError(f"{error} ({words[-1]})") from None
        finally:
            for primary in (server.primary, *server.other_primaries()):
                _end(primary)
            process.wait()
            server.files_left = os.listdir(name)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _end(primary: int) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(primary, number)
        end = time.monotonic() + LIMIT
        while is_there(primary) and time.monotonic() < end:
            time.sleep(STEP)
