"""What a stream receives, into a file.  asyncio has nothing like it."""

from __future__ import annotations

import io
from asyncio import IncompleteReadError
from collections.abc import Coroutine
from typing import Any, Protocol

from uvnet.errors.codes import invalid_type, invalid_value, out_of_range
from uvnet.streams.receiving import receive

__all__ = ["WritableFile", "receive_file"]

BLOCK = 262144  # bytes written at once
LARGEST = 2**62  # bytes; where a file can end


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
    while received < count:
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
        except OSError as error:
            # What was received and has no place is lost, so nothing may go on as if all were well.
            went = received + len(block) - len(left)
            failure = OSError(error.errno, f"{error.strerror}: {went} of {count} bytes went into the file")
            stream.destroy(failure)
            stream._is_awaited(True)
            raise failure from error
        received += len(block)
    return received


# What users have called, for the warning that a coroutine was never awaited.
_receive.__qualname__ = "Socket.receive_file"
