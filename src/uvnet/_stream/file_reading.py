"""Files that are to be sent: which the system can send by itself, and how the others are read."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["copy_file", "is_binary", "leave_file_at", "open_regular"]

BLOCK = 262144  # bytes read at once where there is no sendfile(2)


def is_binary(file: Any) -> bool:
    """Whether it gives bytes, as far as it says so."""
    mode = getattr(file, "mode", "b")
    return not isinstance(mode, str) or "b" in mode


def open_regular(descriptor: int) -> tuple[int, int] | None:
    """A descriptor of our own for a regular file, and its size; None for anything else.

    A copy, since whoever has the file may close it while it is on its way.
    """
    status = os.fstat(descriptor)
    return (os.dup(descriptor), status.st_size) if stat.S_ISREG(status.st_mode) else None


async def copy_file(
    loop: Any, file: Any, offset: int, count: int | None, send: Callable[[bytes], Awaitable[object]]
) -> int:
    """Read a file in other threads, and send() each block; returns how many bytes it was.

    The file is left where it was read up to, after an error too.
    """
    seekable = hasattr(file, "seek") and (not hasattr(file, "seekable") or file.seekable())
    if offset or seekable:
        file.seek(offset)
    total = 0
    try:
        while count is None or total < count:
            wanted = BLOCK if count is None else min(BLOCK, count - total)
            block = await loop.run_in_executor(None, file.read, wanted)
            if not block:
                break
            await send(block)
            total += len(block)
    finally:
        if total > 0 and seekable:
            leave_file_at(file, offset + total)
    return total


def leave_file_at(file: Any, place: int) -> None:
    """Move a file to where it was read up to; one that was closed meanwhile stays so."""
    with contextlib.suppress(OSError, ValueError):
        file.seek(place)
