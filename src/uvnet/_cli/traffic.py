"""How much went through: byte counts in words, the totals of a proxy, and the signal that asks for numbers."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable

import uvnet
from uvnet._cli.table import size

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

    def __init__(self, proxy: uvnet.Server) -> None:
        self.proxy = proxy
        self.begin = time.monotonic()
        self.passed_on = 0
        self.failed = 0
        self.refused = 0
        self._last = (self.begin, 0, 0)

    def __str__(self) -> str:
        now = self.proxy.statistics()
        return (
            f"{self.passed_on} connection{'' if self.passed_on == 1 else 's'}, {now.open} open, {self.failed} failed, "
            f"{self.refused} refused; {amount(now.bytes_read)} in, {amount(now.bytes_written)} out; "
            f"{seconds_since(self.begin)}"
        )

    def at_the_moment(self) -> str:
        """In short, with the bytes a second since it was last asked."""
        now, time_now = self.proxy.statistics(), time.monotonic()
        then, read, written = self._last
        period = max(time_now - then, 1e-9)
        self._last = (time_now, now.bytes_read, now.bytes_written)
        return (
            f"{now.open} open of {self.passed_on}, {self.failed} failed, {self.refused} refused; "
            f"{size((now.bytes_read - read) / period)}/s in, {size((now.bytes_written - written) / period)}/s out"
        )
