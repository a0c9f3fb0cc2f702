"""Socket files that are in the way: who listens there, and how one that nobody listens on is replaced.

A server that is gone leaves its file, and only connect(2) tells it from that of a server that runs.  Whoever replaces
one looks, removes and binds while it holds a lock, so that no two do that at once.  unix(7), flock(2).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
from collections.abc import Callable

from uvnet._accept.socket_files import SocketFile, remove_socket_file, set_rights, unlink_if_same

__all__ = ["PathInUse", "Replacing", "bind_to_path", "who_is_there"]

# What is said of a path that cannot be bound.
LIVE = "somebody listens there"
STALE = "nobody listens there: the file was left behind, and replace_stale=True replaces it"
NO_SOCKET = "what is there is no socket"
UNKNOWN = "whether somebody listens there cannot be told"
BEING_REPLACED = "another process is about to listen there"

ATTEMPTS = 100  # at a lock file that others remove at that moment


def who_is_there(path: str) -> str | None:
    """What is to be said of a path that is in use; None where nobody is there, and for an abstract name.

    It is asked with a socket of another type: the system says that this is wrong where there is one, listening or only
    bound, and whoever has it is told nothing.
    """
    if path.startswith("\0"):
        return None
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return NO_SOCKET
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(path)
    except ConnectionRefusedError:
        return STALE
    except FileNotFoundError:
        return None
    except OSError as error:
        return LIVE if error.errno == errno.EPROTOTYPE else UNKNOWN
    return LIVE


class Replacing:
    """The right to replace a stale file at a path, if that is wanted, from begin() until whoever has bound says end().

    status: 0, or the negative errno for which nothing may be bound; then detail says more, or is None.
    The right is a lock on a file beside the path, which goes with it.
    """

    def __init__(self, path: str, wanted: bool) -> None:
        self.status = 0
        self.detail: str | None = None
        self._path = path
        self._lock_path = path + ".lock"
        self._wanted = wanted and not path.startswith("\0")
        self._lock = -1

    def begin(self) -> None:
        if not self._wanted:
            return
        try:
            self._take_lock()
            if self._lock >= 0:
                self._remove_stale()
        except OSError as error:
            self._refuse(error.errno or errno.EINVAL, None)

    def end(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:
            # In this order: nobody else can have the lock while the file is removed.
            with contextlib.suppress(OSError):
                os.unlink(self._lock_path)
            # Of a child that was forked meanwhile too.
            with contextlib.suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_UN)
            os.close(lock)

    def _take_lock(self) -> None:
        for _ in range(ATTEMPTS):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.open(self._lock_path, flags, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_its_file(lock):
                    self._lock = lock
                    return
            except BlockingIOError:
                break
            finally:
                if self._lock < 0:
                    os.close(lock)
        self._refuse(errno.EADDRINUSE, BEING_REPLACED)

    def _is_its_file(self, lock: int) -> bool:
        # Whoever had it before may have removed the file since it was opened: then another one counts.
        with contextlib.suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(lock), os.stat(self._lock_path, follow_symlinks=False))
        return False

    def _remove_stale(self) -> None:
        found = who_is_there(self._path)
        if found == STALE:
            os.unlink(self._path)
        elif found is not None:
            self._refuse(errno.EADDRINUSE, found)

    def _refuse(self, number: int, detail: str | None) -> None:
        self.status, self.detail = -number, detail


class PathInUse(OSError):
    """EADDRINUSE of a path, with what is to be said of it."""

    def __init__(self, detail: str | None) -> None:
        super().__init__(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        self.detail = detail


def bind_to_path(
    bind: Callable[[], socket.socket], path: str, file: SocketFile, replaces: bool
) -> socket.socket:
    """What bind() makes, bound to the path, with its file as wanted.

    replaces: any socket file that is in the way, as asyncio does.
    Raises OSError, PathInUse where it is in use.
    """
    if replaces:
        remove_socket_file(path)
    replacing = Replacing(path, file.replace_stale)
    try:
        replacing.begin()
        if replacing.status == -errno.EADDRINUSE:
            raise PathInUse(replacing.detail)
        if replacing.status < 0:
            raise OSError(-replacing.status, os.strerror(-replacing.status), path)
        try:
            made = bind()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PathInUse(who_is_there(path)) from None
            raise
        try:
            if not path.startswith("\0"):
                set_rights(path, file)
        except BaseException:
            unlink_if_same(path, None, new=True)
            made.close()
            raise
        return made
    finally:
        replacing.end()
