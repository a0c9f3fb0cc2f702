"""What the kernel knows: the descriptors of this process and the options of its sockets."""

from __future__ import annotations

import contextlib
import os
import socket as plain
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import uvnet

__all__ = ["KEEP_ALIVE", "NO_DELAY", "open_descriptors", "open_sockets", "option_of", "queue_length", "system_option"]

KEEP_ALIVE = (plain.SOL_SOCKET, plain.SO_KEEPALIVE)
NO_DELAY = (plain.IPPROTO_TCP, plain.TCP_NODELAY)


def open_descriptors() -> dict[int, str]:
    """Every descriptor of this process, and what it stands for; without /proc the test is skipped."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc/self/fd")
    found: dict[int, str] = {}
    for name in os.listdir("/proc/self/fd"):
        # The descriptor of the directory itself is gone by now.
        with contextlib.suppress(FileNotFoundError):
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def open_sockets() -> dict[int, str]:
    """Only the sockets: a loop opens other descriptors for itself when it first needs them."""
    return {
        number: target
        for number, target in open_descriptors().items()
        if target.startswith("socket:")
    }


def option_of(thing: Any, level: int, option: int) -> int:
    """A socket option of a TCP server, or of an end of a TCP connection."""
    wanted = tuple(thing.address())[::2]
    for descriptor in open_sockets():
        with plain.socket(fileno=os.dup(descriptor)) as found:
            if found.family not in (plain.AF_INET, plain.AF_INET6):
                continue
            listens = bool(found.getsockopt(plain.SOL_SOCKET, plain.SO_ACCEPTCONN))
            if found.getsockname()[:2] == wanted and listens == hasattr(thing, "listening"):
                return found.getsockopt(level, option)
    raise LookupError(f"no descriptor is bound to {wanted}")


def system_option(socket: uvnet.Socket, option: tuple[int, int]) -> int:
    """What the system says of a TCP connection."""
    for copy in _copies():
        try:
            ends = copy.getsockname()[1], copy.getpeername()[1]
        except (OSError, IndexError):
            continue
        if ends == (socket.local_port, socket.remote_port):
            return copy.getsockopt(*option)
    raise LookupError("no such connection")


def _copies() -> Iterator[plain.socket]:
    """Duplicates of the sockets of this process."""
    for descriptor in range(3, 256):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                with plain.socket(fileno=os.dup(descriptor)) as copy:
                    yield copy


def queue_length(path: str | Path, most: int) -> int:
    """How many connections the kernel accepts for a Unix socket whose owner does not, at most `most`."""
    clients: list[plain.socket] = []
    try:
        for number in range(most):
            client = plain.socket(plain.AF_UNIX)
            clients.append(client)
            client.setblocking(False)
            try:
                client.connect(str(path))
            except BlockingIOError:
                return number
        return most
    finally:
        for client in clients:
            client.close()
