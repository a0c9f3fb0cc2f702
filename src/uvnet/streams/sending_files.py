"""Files in their place among the writes of a stream: what of them is sent, whom to tell, and how they are read here.

That the system sends them by itself, where it can, is the business of _stream/file_request.pyx.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable
from typing import Any, Protocol

from uvnet._stream.file_reading import copy_file, is_binary, leave_file_at, open_regular
from uvnet._stream.file_request import FileRequest
from uvnet.errors.codes import (
    invalid_callback,
    invalid_type,
    invalid_value,
    out_of_range,
    stream_destroyed,
)

__all__ = ["BinaryFile", "copy_to_stream", "send_file"]

LARGEST = 2**62  # bytes; where a file can end


class BinaryFile(Protocol):
    """A file that is opened in binary mode, or something that can be read like one."""

    def read(self, size: int = ..., /) -> bytes: ...


def send_file(stream: Any, file: Any, offset: int, count: int | None, callback: Callable[..., object] | None) -> Any:
    """The body of socket.send_file()."""
    if callback is not None and not callable(callback):
        raise invalid_callback(callback)
    _check(file, offset, count)
    descriptor, size = _regular(file)
    end = -1 if count is None else offset + count
    try:
        if descriptor >= 0:
            end = _end_of(size, offset, count)
        elif offset and not _is_seekable(file):
            raise invalid_value("offset", offset, "must be 0 for a file in which one cannot seek")
    except ValueError:
        if descriptor >= 0:
            os.close(descriptor)
        raise
    future: asyncio.Future[int] = stream._record.loop.create_future()

    def done(error: BaseException | None) -> None:
        sent = request.place - request.start
        if sent and descriptor >= 0:
            leave_file_at(file, request.place)
        if callback is not None:
            stream._see_to_result(callback(error, sent))
        elif not future.done():
            if error is None:
                future.set_result(sent)
            else:
                # Where nobody asks the future, asyncio says so.
                stream._is_awaited(True)
                future.set_exception(error)

    request = FileRequest(file, descriptor, offset, end, done, whole=True)
    try:
        stream._queue_file(request)
    except BaseException:
        request.forget()
        raise
    if callback is not None:
        return stream
    stream._is_awaited(False)
    return future


def _check(file: Any, offset: Any, count: Any) -> None:
    if not hasattr(file, "read") or not is_binary(file) or isinstance(file, io.TextIOBase):
        raise invalid_type("file", "opened in binary mode", file)
    if getattr(file, "closed", False):
        raise invalid_value("file", file, "is closed")
    if hasattr(file, "readable") and not file.readable():
        raise invalid_value("file", file, "must be opened for reading")
    for name, value in (("offset", offset), ("count", count)):
        if value is None and name == "count":
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_type(name, "of type int", value)
        if not 0 <= value <= LARGEST:
            raise out_of_range(name, f">= 0 and <= {LARGEST}", value)


def _regular(file: Any) -> tuple[int, int]:
    """A descriptor of our own and the size of a regular file; -1 for one that is to be read."""
    # Of a temporary file.  Others that have a descriptor may give something else than what is behind it.
    inner = getattr(file, "file", file)
    if not isinstance(inner, io.FileIO | io.BufferedReader | io.BufferedRandom):
        return -1, 0
    if inner.writable():
        inner.flush()
    return open_regular(inner.fileno()) or (-1, 0)


def _end_of(size: int, offset: int, count: int | None) -> int:
    if offset > size:
        raise out_of_range("offset", f"<= {size}, the size of the file", offset)
    if count is None:
        return size
    if count > size - offset:
        raise out_of_range("count", f"<= {size - offset}, what the file has from there on", count)
    return offset + count


def _is_seekable(file: Any) -> bool:
    return hasattr(file, "seek") and (not hasattr(file, "seekable") or bool(file.seekable()))


async def copy_to_stream(stream: Any, request: FileRequest) -> None:
    """Read and send what the system cannot: it goes through TLS, or is no regular file."""
    loop = asyncio.get_running_loop()
    failure: BaseException | None = None
    sent = 0

    async def send(block: bytes) -> None:
        nonlocal sent
        future: asyncio.Future[None] = loop.create_future()

        def written(error: BaseException | None) -> None:
            if not future.done():
                future.set_exception(error) if error is not None else future.set_result(None)

        stream._write_of_file(request, block, written)
        await future
        sent += len(block)

    try:
        if request.is_regular:
            await copy_file(loop, _Part(request), 0, request.count, send)
        else:
            await copy_file(loop, request.file, request.start, request.count, send)
    except asyncio.CancelledError:
        failure = stream_destroyed("send_file")
        raise
    except BaseException as error:
        failure = error
    finally:
        request.settle(sent, failure)
        stream._file_copied(request)


class _Part:
    """A part of a regular file, read as the system would read it: wherever others are in it, and whether or not it
    was closed."""

    def __init__(self, request: FileRequest) -> None:
        self.request = request
        self.place = request.start

    def read(self, size: int) -> bytes:
        block = self.request.read_at(self.place, size)
        self.place += len(block)
        return block
