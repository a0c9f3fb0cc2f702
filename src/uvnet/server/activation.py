"""Sockets handed over by systemd, or by whoever speaks its protocol (LISTEN_FDS)."""

from __future__ import annotations

import contextlib
import os
import socket

__all__ = ["listen_fds"]

FIRST_DESCRIPTOR = 3


def listen_fds(name: str | None = None) -> list[socket.socket]:
    """The sockets that this process was started with, ready for server.listen(handle).

    Reads LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES and removes them from the environment, so that child processes
    do not take the sockets for theirs: a second call finds none.  `name` chooses those of one FileDescriptorName=;
    the others are closed.  An empty list where the process was not started by socket activation.
    Raises ValueError where the variables make no sense, OSError where a descriptor is no socket.
    This is not in Node; see sd_listen_fds(3).
    """
    count, process, names = (
        os.environ.get(key) for key in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
    )
    if count is None or process is None or _number("LISTEN_PID", process) != os.getpid():
        return []
    descriptors = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + _number("LISTEN_FDS", count))
    known = names.split(":") if names else []
    for key in ("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"):
        os.environ.pop(key, None)
    sockets: list[socket.socket] = []
    with contextlib.ExitStack() as undo:
        for index, descriptor in enumerate(descriptors):
            os.set_inheritable(descriptor, False)
            found = undo.enter_context(socket.socket(fileno=descriptor))
            if name is None or (index < len(known) and known[index] == name):
                sockets.append(found)
            else:
                found.close()
        undo.pop_all()
    return sockets


def _number(key: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise ValueError(f"{key} is {text!r}, not a number")
    return int(text)
