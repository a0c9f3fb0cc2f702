"""Starts, bounds and ends the processes of a measurement."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, Any

from bench.build import build
from bench.cores import pinning_to

START_SECONDS = 15.0
STOP_SECONDS = 2.0
# How long opening, draining and tearing down may take beside warm-up and measurement.
MARGIN_SECONDS = 45.0


class MeasurementError(Exception):
    """One measurement failed; the message is shown in the peer's row."""


def _bounded(core: int | None, seconds: float) -> Callable[[], None]:
    """Pins the child and makes the kernel end it after a while, whatever becomes of the harness."""
    pin = pinning_to(core)

    def prepare() -> None:
        pin()
        signal.alarm(int(seconds) + 1)  # survives exec; its default action ends the process

    return prepare


def _last_words(errors: IO[bytes]) -> str:
    errors.seek(0)
    lines = errors.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else "it said nothing"


class Server:
    """A server process on its core, from its start to its certain end."""

    def __init__(self, command: list[str], core: int | None, lifetime: float) -> None:
        self._command = command
        self._core = core
        self._lifetime = lifetime

    def __enter__(self) -> Server:
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            preexec_fn=_bounded(self._core, self._lifetime),
        )
        try:
            self.port = self._wait_for_port()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    @property
    def process_id(self) -> int:
        return self._process.pid

    def check_alive(self) -> None:
        status = self._process.poll()
        if status is not None:
            raise MeasurementError(
                f"the server ended with status {status}: {_last_words(self._errors)}"
            )

    def last_words(self) -> str:
        return _last_words(self._errors)

    def _wait_for_port(self) -> int:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + START_SECONDS
        text = b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise MeasurementError(f"the server did not listen within {START_SECONDS:.0f} s")
            piece = os.read(pipe, 4096)
            if not piece:
                raise MeasurementError(f"the server did not start: {_last_words(self._errors)}")
            text += piece
        word, _, port = text.decode(errors="replace").partition(" ")
        if word != "listening" or not port.strip().isdigit():
            raise MeasurementError(f"the server announced {text!r}")
        return int(port)

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()


def run_load(
    arguments: Sequence[str],
    server: Server,
    core: int | None,
    lifetime: float,
    program: str = "load",
) -> dict[str, Any]:
    """Runs the load generator against the server and returns its report."""
    command = [
        str(build(program)),
        *arguments,
        *("--port", str(server.port)),
        *("--server-pid", str(server.process_id)),
    ]
    report = run_and_parse(command, core, lifetime)
    server.check_alive()
    if report["errors"]:
        raise MeasurementError(f"{report['error']} (server: {server.last_words()})")
    return report


def run_and_parse(command: list[str], core: int | None, lifetime: float) -> dict[str, Any]:
    """Runs a program to its end and returns the JSON object it printed."""
    try:
        answer = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=lifetime,
            preexec_fn=_bounded(core, lifetime),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MeasurementError(f"did not end within {lifetime:.0f} s") from error
    try:
        report = json.loads(answer.stdout)
    except ValueError:
        words = answer.stderr.decode(errors="replace").strip().splitlines() or ["no output"]
        raise MeasurementError(f"exit status {answer.returncode}: {words[-1]}") from None
    if not isinstance(report, dict):
        raise MeasurementError(f"printed {report!r} where an object was expected")
    return report
