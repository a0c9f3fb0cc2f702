"""Telling systemd, or whoever speaks its protocol, how the service is: see sd_notify(3)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket as _socket
import time

__all__ = ["Notifier"]

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Says what it is told to say, where somebody wants to hear it.

    The variables leave the environment: they are not for workers.
    """

    def __init__(self) -> None:
        self.environment = {name: os.environ.pop(name) for name in VARIABLES if name in os.environ}
        self._address = self.environment.get("NOTIFY_SOCKET", "")
        self._timer: asyncio.TimerHandle | None = None

    def ready(self) -> None:
        self._say("READY=1")

    def reloading(self) -> None:
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for people."""
        self._say(f"STATUS={text}")

    def start(self) -> None:
        """Say that the loop of this process goes round, as often as is wanted."""
        usec, process = (self.environment.get(name, "") for name in ("WATCHDOG_USEC", "WATCHDOG_PID"))
        if usec.isdecimal() and int(usec) and process in ("", str(os.getpid())):
            self._watch(int(usec) / 2_000_000)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self, seconds: float) -> None:
        self._say("WATCHDOG=1")
        self._timer = asyncio.get_running_loop().call_later(seconds, self._watch, seconds)

    def _say(self, *lines: str) -> None:
        if self._address[:1] not in ("/", "@"):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # Nobody listens, or not fast enough: that is no reason to fail, nor to wait.
        with contextlib.suppress(OSError), _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.sendto("\n".join(lines).encode(), address)
