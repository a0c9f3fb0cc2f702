"""Counts the system calls with which a process writes, with strace."""

from __future__ import annotations

import functools
import select
import shutil
import signal
import subprocess
import tempfile
import time
from types import TracebackType

WRITES = ("write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg", "sendmmsg")
ATTACH_SECONDS = 10.0
DETACH_SECONDS = 10.0


@functools.cache
def problem() -> str | None:
    """Why nothing can be counted here, or None."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    answer = subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    return None if answer.returncode == 0 else f"strace: {answer.stderr.strip()[:80]}"


class WriteCounter:
    """Counts between `with` and its end, in all threads of a process; `calls` is the result.

    The process pays for being watched, so nothing else is measured meanwhile.
    """

    calls: int | None = None

    def __init__(self, process_id: int) -> None:
        self._process_id = process_id

    def __enter__(self) -> WriteCounter:
        self._table = tempfile.NamedTemporaryFile(mode="r")
        self._strace = subprocess.Popen(
            [
                *("strace", "-f", "-c", "-U", "calls,name"),
                *("-e", f"trace={','.join(WRITES)}"),
                *("-o", self._table.name, "-p", str(self._process_id)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._wait_until_attached()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._strace.send_signal(signal.SIGINT)
        try:
            self._strace.communicate(timeout=DETACH_SECONDS)
        except subprocess.TimeoutExpired:
            self._strace.kill()
            self._strace.communicate()
        with self._table as table:
            self.calls = total_calls(table.read())

    def _wait_until_attached(self) -> None:
        """strace says so on its standard error; it goes on counting when it does not in time."""
        assert self._strace.stderr is not None
        deadline = time.monotonic() + ATTACH_SECONDS
        left = ATTACH_SECONDS
        while left > 0 and select.select([self._strace.stderr], [], [], left)[0]:
            line = self._strace.stderr.readline()
            if not line or b"attached" in line:
                return
            left = deadline - time.monotonic()


def total_calls(table: str) -> int | None:
    """The first number of the line that ends with `total`; no line means that there was no call."""
    for line in table.splitlines():
        words = line.split()
        if words and words[-1] == "total":
            return int(words[0])
    return None
