"""stdin and stdout as streams that may be anything: a terminal, a pipe, a file, a device, a socket.

Each has a thread that makes one blocking call after another.  Regular files cannot be polled, and O_NONBLOCK would
change a terminal or pipe for every process that shares it.  The threads are daemons: a call that is still
blocked when the program ends, such as read() from a terminal, does not hold it up.
"""

from __future__ import annotations

import asyncio
import errno
import os
import queue
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["StandardInput", "StandardOutput"]

READ_SIZE = 256 * 1024

_Call = tuple["asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class _Worker:
    """A thread that makes blocking calls for the running loop, in order."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Wait for function(*arguments); returns its result or raises its exception."""
        future: asyncio.Future[Any] = self.loop.create_future()
        self.calls.put((future, function, arguments))
        return await future

    def _work(self) -> None:
        while True:
            future, function, arguments = self.calls.get()
            result, error = None, None
            try:
                result = function(*arguments)
            except Exception as raised:
                error = raised
            try:
                self.loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                # The loop was closed meanwhile: nobody waits.
                return


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class StandardInput:
    """Reads stdin; a stdin that was closed before the program began is empty."""

    def __init__(self) -> None:
        self.descriptor = 0
        self.worker = None if sys.stdin is None else _Worker("stdin")

    async def read(self) -> bytes:
        """The next bytes, b"" at the end.  Raises OSError."""
        if self.worker is None:
            return b""
        chunk: bytes = await self.worker.call(self._read)
        return chunk

    def _read(self) -> bytes:
        while True:
            try:
                return os.read(self.descriptor, READ_SIZE)
            except BlockingIOError:
                _wait(self.descriptor, select.POLLIN)
            except OSError as error:
                raise _named(error, "read", "standard input") from None


class StandardOutput:
    """Writes stdout."""

    def __init__(self) -> None:
        self.descriptor = 1
        self.worker = _Worker("stdout")

    async def write(self, chunk: bytes) -> None:
        """Return when everything has been written.  Raises OSError, and a plain BrokenPipeError as print() does."""
        await self.worker.call(self._write, chunk)

    async def close(self) -> None:
        """Let whoever reads stdout see its end."""
        await self.worker.call(self._close)

    def _write(self, chunk: bytes) -> None:
        if sys.stdout is None:
            raise _named(OSError(errno.EBADF, "closed"), "write", "standard output")
        rest = memoryview(chunk)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:
                _wait(self.descriptor, select.POLLOUT)
            except BrokenPipeError:
                raise
            except OSError as error:
                raise _named(error, "write", "standard output") from None

    def _close(self) -> None:
        if sys.stdout is not None:
            # Not close(): another file must not become descriptor 1, which the interpreter still flushes.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.descriptor)
            os.close(null)


def _wait(descriptor: int, event: int) -> None:
    """Somebody else has made the file non-blocking."""
    poll = select.poll()
    poll.register(descriptor, event)
    poll.poll()


def _named(error: OSError, syscall: str, name: str) -> OSError:
    """The same error, worded as uvnet words those of sockets."""
    number = error.errno or 0
    code = errno.errorcode.get(number, str(number))
    named = OSError(number, f"{syscall} {code}: {os.strerror(number).lower()}, {name}")
    named.code = code  # type: ignore[attr-defined]
    return named
