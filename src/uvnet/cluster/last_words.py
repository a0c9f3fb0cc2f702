"""What a worker leaves to its primary when it ends: an exception, or the stack that a signal has found it with.

It is a file without a name that both have open, so that a worker whose loop hangs or has never begun can write there,
and one that crashes.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import traceback
from types import TracebackType
from typing import IO, NamedTuple

from uvnet.cluster.unnamed_file import unnamed_file

__all__ = ["LAST_WORDS", "LastWords", "Said", "expect_signals", "leave"]

LAST_WORDS = "UVNET_LAST_WORDS_FD"
MOST = 65536  # bytes that are read
MARK = "uvnet: "


class Said(NamedTuple):
    """What a worker has left."""

    reason: str  # the exception in one line; "" where there was none
    details: str  # a traceback, or what faulthandler has written

    def __str__(self) -> str:
        return "\n".join(filter(None, (self.in_short(), self.details)))

    def in_short(self) -> str:
        return self.reason and f": {self.reason}"


class LastWords:
    """The file, as the primary has it."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._file: IO[bytes] = unnamed_file() if descriptor is None else open(descriptor, "w+b")

    def fileno(self) -> int:
        return self._file.fileno()

    def read(self) -> Said:
        text = os.pread(self.fileno(), MOST, 0).decode(errors="replace").strip()
        if not text.startswith(MARK):
            return Said("", text)
        reason, _, details = text.removeprefix(MARK).partition("\n")
        return Said(reason, details)

    def close(self) -> None:
        self._file.close()


# === In the worker ===


def _inherit() -> int | None:
    """The descriptor; the variable is not for this process's own children."""
    text = os.environ.pop(LAST_WORDS, None)
    if text is None or not text.isdecimal():
        return None
    try:
        os.set_inheritable(int(text), False)
    except OSError:
        return None
    return int(text)


_descriptor = _inherit()


def expect_signals() -> None:
    """Have SIGABRT, and the signals of crashes, leave the stacks of all threads."""
    if _descriptor is not None:
        faulthandler.enable(_descriptor)


def leave(error: BaseException) -> bool:
    """Leave an exception; False where there is nobody to leave it to."""
    if _descriptor is None:
        return False
    reason = traceback.format_exception_only(error)[-1].strip().partition("\n")[0]
    where = _where_it_began(error)
    details = "" if where is None else "".join(traceback.format_exception(type(error), error, where))
    try:
        os.write(_descriptor, f"{MARK}{reason}\n{details}".encode(errors="backslashreplace")[:MOST])
    except OSError:
        return False
    return True


def _where_it_began(error: BaseException) -> TracebackType | None:
    """The traceback without what has called the program, and None where that is all."""
    ours = os.path.dirname(os.path.dirname(__file__)) + os.sep
    where = error.__traceback__
    while where is not None:
        file = where.tb_frame.f_code.co_filename
        if not file.startswith((ours, "<frozen importlib", os.path.dirname(importlib.__file__) + os.sep)):
            return where
        where = where.tb_next
    return None
