"""Files to QUIC streams.  Node: "quicstream.sendFD(fd[, options])", "quicstream.sendFile(path[, options])"; section 8.

They are read block by block in other threads, as they must be encrypted anyway.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from uvnet.errors.codes import invalid_callback, invalid_state, invalid_type, out_of_range
from uvnet.streams.sending_files import send_file

__all__ = ["send_descriptor", "send_path"]


def send_descriptor(stream: Any, fd: Any, offset: Any, length: Any) -> None:
    """The body of stream.send_fd()."""
    if hasattr(fd, "fileno"):
        fd = fd.fileno()
    if isinstance(fd, bool) or not isinstance(fd, int):
        raise invalid_type("fd", "a file descriptor or an object with fileno()", fd)
    if fd < 0:
        raise out_of_range("fd", ">= 0", fd)
    _check(stream, "send_fd", offset, length)
    if not stream.destroyed:
        _send(stream, os.dup(fd), offset, length)


def send_path(stream: Any, path: Any, offset: Any, length: Any, on_error: Callable[[OSError], object] | None) -> None:
    """The body of stream.send_file()."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise invalid_type("path", "of type str, bytes or a path", path)
    if on_error is not None and not callable(on_error):
        raise invalid_callback(on_error, "options.on_error")
    _check(stream, "send_file", offset, length)
    if stream.destroyed:
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if on_error is None:
            stream.destroy(error)
        else:
            stream._see_to_result(on_error(error))
            if not stream.destroyed:
                stream.close()
        return
    _send(stream, descriptor, max(offset, 0), length)


def _check(stream: Any, method: str, offset: Any, length: Any) -> None:
    for name, value in (("options.offset", offset), ("options.length", length)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid_type(name, "of type int", value)
        if value < -1:
            raise out_of_range(name, ">= -1", value)
    if stream.detached and not stream.destroyed:
        raise invalid_state(method, "the stream is detached")


def _send(stream: Any, descriptor: int, offset: int, length: int) -> None:
    """Send from a descriptor that is ours."""
    file = os.fdopen(descriptor, "rb", buffering=0)
    before = os.lseek(descriptor, 0, os.SEEK_CUR) if file.seekable() else 0

    def done(error: BaseException | None, _sent: int) -> None:
        if offset >= 0 and file.seekable():
            os.lseek(descriptor, before, os.SEEK_SET)
        file.close()
        if stream.destroyed:
            return
        if error is None:
            stream.end()
        else:
            stream.destroy(error if isinstance(error, Exception) else None)

    try:
        moved = offset if offset >= 0 else before
        count = None
        if length >= 0:
            count = length
            if file.seekable():
                # A part that the file does not have is no error here, as it is none in Node.
                count = max(min(length, os.fstat(descriptor).st_size - moved), 0)
        send_file(stream, file, moved, count, done)
    except BaseException:
        file.close()
        raise
