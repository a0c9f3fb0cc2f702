"""The files of Unix sockets."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any

__all__ = ["remove_socket_file"]


def remove_socket_file(path: Any) -> None:
    """Remove what another server has left at a path; nothing but a socket, and nothing for an abstract name."""
    if path[0] not in (0, "\0"):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.remove(path)
