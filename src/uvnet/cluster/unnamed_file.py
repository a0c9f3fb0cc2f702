"""A file without a name, for what one process leaves to another: no disk can be full, or forbidden, where it is memory."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import IO

__all__ = ["unnamed_file"]


def unnamed_file() -> IO[bytes]:
    """An empty one, closed in other programs.  Raises OSError."""
    if sys.platform == "linux":
        return open(os.memfd_create("uvnet"), "w+b")
    return tempfile.TemporaryFile()
