"""How much went through: byte counts in words, the totals of a proxy, and the signal that asks for numbers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import uvnet

__all__ = ["Totals", "amount", "on_request", "seconds_since"]

# SIGINFO is Ctrl-T in a terminal, where there is such a thing.
REQUESTS = ("SIGUSR1", "SIGINFO")


def amount(count: int) -> str:
    """A number of bytes, exactly, and where it is large in larger units too."""
    if count < 1024:
        return f"{count} byte" if count == 1 else f"{count} bytes"
    size, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{count} bytes ({size:.1f} {unit})"


def seconds_since(begin: float) -> str:
    """The time since `begin`, of time.monotonic()."""
    return f"{time.monotonic() - begin:.1f} s"


def on_request(tell: Callable[[], object]) -> None:
    """Call tell() on the running loop when somebody sends SIGUSR1, or SIGINFO where there is one."""
    for name in REQUESTS:
        number = getattr(signal, name, None)
        if number is not None:
            asyncio.get_running_loop().add_signal_handler(number, tell)


class Totals:
    """What the connections of a proxy come to, those that are open included."""

    def __init__(self) -> None:
        self.begin = time.monotonic()
        self.count = 0
        self.failed = 0
        self.refused = 0
        self.open: set[uvnet.Socket] = set()
        self.bytes_in = 0
        self.bytes_out = 0

    def watch(self, client: uvnet.Socket) -> None:
        """Count a connection that is passed on."""
        self.count += 1
        self.open.add(client)

        def closed(_had_error: bool) -> None:
            self.open.discard(client)
            self.bytes_in += client.bytes_read
            self.bytes_out += client.bytes_written

        client.on("close", closed)

    def __str__(self) -> str:
        bytes_in = self.bytes_in + sum(client.bytes_read for client in self.open)
        bytes_out = self.bytes_out + sum(client.bytes_written for client in self.open)
        return (
            f"{self.count} connection{'' if self.count == 1 else 's'}, {len(self.open)} open, {self.failed} failed, {self.refused} refused; "
            f"{amount(bytes_in)} in, {amount(bytes_out)} out; {seconds_since(self.begin)}"
        )
