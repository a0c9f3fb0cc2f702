"""What a stream receives, into a file.  asyncio has nothing like it.

That the system moves it by itself, where it can, is the business of _stream/file_sink.pyx.
"""

from __future__ import annotations

import fcntl
import io
import os
from asyncio import IncompleteReadError
from collections.abc import Coroutine
from typing import Any, NoReturn, Protocol

from uvnet._stream.file_reading import leave_file_at, open_regular
from uvnet._stream.file_sink import FileSink, file_sink
from uvnet.errors.codes import invalid_type, invalid_value, out_of_range
from uvnet.streams.receiving import receive
from uvnet.streams.sinking import move_to_file

__all__ = ["WritableFile", "receive_file"]

BLOCK = 262144  # bytes written at once
LARGEST = 2**62  # bytes; where a file can end
PLAIN_WRITES = (io.FileIO.write, io.BufferedWriter.write, io.BufferedRandom.write)


class WritableFile(Protocol):
    """A file that is opened in binary mode, or something that can be written to like one."""

    def write(self, data: bytes, /) -> int | None: ...


def receive_file(stream: Any, file: Any, count: int) -> Coroutine[Any, Any, int]:
    """The body of socket.receive_file()."""
    if not hasattr(file, "write") or isinstance(file, io.TextIOBase) or "b" not in getattr(file, "mode", "b"):
        raise invalid_type("file", "opened in binary mode", file)
    if hasattr(file, "writable") and not file.writable():
        raise invalid_value("file", file, "must be opened for writing")
    if isinstance(count, bool) or not isinstance(count, int):
        raise invalid_type("count", "of type int", count)
    if not 0 <= count <= LARGEST:
        raise out_of_range("count", f">= 0 and <= {LARGEST}", count)
    if stream.readable_encoding is not None:
        raise invalid_value("encoding", stream.readable_encoding, "must not be set: a file is bytes")
    return _receive(stream, file, count)


async def _receive(stream: Any, file: Any, count: int) -> int:
    received = 0
    sink = _sink_of(file)
    while received < count:
        if sink is not None and not stream.readable_length:
            received += await _move(stream, file, sink, received, count)
            if sink.refused:
                sink = None
            if received == count:
                break
        block = await receive(stream, min(count - received, BLOCK))
        if not block:
            ended = IncompleteReadError(b"", count)
            ended.args = (f"the end came after {received} bytes, before there were {count}; they are in the file",)
            raise ended
        left = memoryview(block)
        try:
            while left:
                # A file without a buffer may take a part of it.
                written = file.write(left)
                left = left[len(left) if written is None else written :]
            if hasattr(file, "flush"):
                file.flush()
        except BaseException as error:
            _fail(stream, error, received + len(block) - len(left), count)
        received += len(block)
    return received


def _fail(stream: Any, error: BaseException, went: int, count: int) -> NoReturn:
    """What was received and has no place is lost, so nothing may go on as if all were well."""
    failure = error
    if isinstance(error, OSError):
        failure = OSError(error.errno, f"{error.strerror}: {went} of {count} bytes went into the file")
    stream.destroy(failure if isinstance(failure, Exception) else None)
    stream._is_awaited(True)
    raise failure from (None if failure is error else error)


async def _move(stream: Any, file: Any, sink: FileSink, received: int, count: int) -> int:
    """Let the system move what comes to where the file is; returns how many bytes it was."""
    file.flush()
    place = file.tell()
    try:
        await move_to_file(stream, sink.begin(place, count - received))
    finally:
        if sink.moved:
            leave_file_at(file, place + sink.moved)
    if sink.error:
        _fail(stream, OSError(sink.error, os.strerror(sink.error)), received + sink.moved, count)
    return sink.moved


def _sink_of(file: Any) -> FileSink | None:
    """What the system can write to by itself; None where `file` has to be asked."""
    # Of a temporary file.  Others may do with what they are given whatever they want.
    inner = getattr(file, "file", file)
    if getattr(type(inner), "write", None) not in PLAIN_WRITES:
        return None
    raw = getattr(inner, "raw", inner)
    if getattr(type(raw), "write", None) is not io.FileIO.write:
        return None
    descriptor = raw.fileno()
    # The system says where an appended byte goes, and splice(2) does not ask it.
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND:
        return None
    try:
        opened = open_regular(descriptor)
    except OSError:
        # No descriptor is left.
        return None
    return None if opened is None else file_sink(opened[0])


# What users have called, for the warning that a coroutine was never awaited.
_receive.__qualname__ = "Socket.receive_file"
