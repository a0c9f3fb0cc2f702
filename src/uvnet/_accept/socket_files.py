"""The files of Unix sockets: whose they are, who may use them, and when they are removed.

Who has a path that is taken already, and what may be done about it, is the business of stale_files.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from typing import Any, NamedTuple

from uvnet.arguments.checks import check_account, check_mode
from uvnet.errors.codes import invalid_value

__all__ = [
    "SocketFile",
    "bound_inode",
    "check_socket_file",
    "remove_socket_file",
    "set_rights",
    "unlink_if_same",
]


class SocketFile(NamedTuple):
    """How the file of a socket shall be."""

    mode: int | None = None  # its permissions, whatever the umask says
    owner: int | None = None  # the number of a user
    group: int | None = None
    readable_all: bool = False  # permissions beside those that the umask leaves
    writable_all: bool = False
    replace_stale: bool = False  # a file on whose socket nobody listens


def check_socket_file(options: Mapping[str, Any], path: str | None, prefix: str = "options.") -> SocketFile:
    """Options about the file of a socket at `path`; None: there is no path.

    Raises TypeError or ValueError.
    """
    # Node ignores its two where there is no path.
    if path is None or path.startswith("\0"):
        for name in ("mode", "owner", "group") if path is not None else ("mode", "owner", "group", "replace_stale"):
            value = options.get(name)
            if value is not None and value is not False:
                raise invalid_value(prefix + name, value, "needs the path of a Unix socket that is a file")
    mode = options.get("mode")
    if mode is not None:
        mode = check_mode(mode, prefix + "mode")
        for name in ("readable_all", "writable_all"):
            if options.get(name):
                raise invalid_value(prefix + name, True, "says what the option mode says already")
    return SocketFile(
        mode,
        check_account(options.get("owner"), prefix + "owner", "user"),
        check_account(options.get("group"), prefix + "group", "group"),
        bool(options.get("readable_all", False)),
        bool(options.get("writable_all", False)),
        bool(options.get("replace_stale", False)),
    )


def set_rights(path: str, file: SocketFile) -> None:
    """Give the file of a socket that nobody can connect to yet its permissions and its owner (decision 12).

    Raises OSError.
    """
    if file.mode is not None:
        os.chmod(path, file.mode)
    elif file.readable_all or file.writable_all:
        mode = os.stat(path).st_mode & 0o7777
        os.chmod(path, mode | (0o444 if file.readable_all else 0) | (0o222 if file.writable_all else 0))
    if file.owner is not None or file.group is not None:
        os.chown(
            path,
            -1 if file.owner is None else file.owner,
            -1 if file.group is None else file.group,
            follow_symlinks=False,
        )


def bound_inode(path: str) -> tuple[int, int, int] | None:
    """What tells the socket file at `path` from any other, and who bound it; None for an abstract name.

    A forked child has the same server, but the file is its parent's.
    """
    if path.startswith("\0"):
        return None
    status = os.stat(path)
    return os.getpid(), status.st_dev, status.st_ino


def unlink_if_same(path: str, inode: tuple[int, int, int] | None, new: bool = False) -> None:
    """Remove the socket file, if it is still the one that was bound (decision 10).

    A `new` one, which was bound just now, may have no inode yet.  While the socket is open no other file can have its
    inode, and nobody takes the file for a stale one: so this comes before the socket is closed.
    """
    # Where somebody else removed it, or took the right to, the server is closed all the same.
    with contextlib.suppress(OSError):
        if new and inode is None:
            inode = bound_inode(path)
        if inode is not None and bound_inode(path) == inode:
            os.unlink(path)


def remove_socket_file(path: Any) -> None:
    """Remove what another server has left at a path; nothing but a socket, and nothing for an abstract name."""
    if path[0] not in (0, "\0"):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(os.stat(path).st_mode):
                os.remove(path)
