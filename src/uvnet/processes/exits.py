"""Hearing of the end of a child process, on any loop and in any thread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable

__all__ = ["Ending", "watch_exit"]

# What a child has come to: its exit code or None, and the number of the signal that ended it or None.
Ending = tuple[int | None, int | None]


def watch_exit(
    loop: asyncio.AbstractEventLoop, pid: int, ended: Callable[[Ending], object]
) -> Callable[[], None]:
    """Have ended() called on the loop once the child is over, which is waited for; returns what stops that.

    A child that somebody else has waited for has the exit code 255, as asyncio says it.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return _watch_in_a_thread(loop, pid, ended)

    def over() -> None:
        stop()
        ended(_wait(pid))

    def stop() -> None:
        nonlocal descriptor
        if descriptor >= 0:
            if not loop.is_closed():
                loop.remove_reader(descriptor)
            os.close(descriptor)
            descriptor = -1

    loop.add_reader(descriptor, over)
    return stop


def _watch_in_a_thread(
    loop: asyncio.AbstractEventLoop, pid: int, ended: Callable[[Ending], object]
) -> Callable[[], None]:
    """Where the system has no descriptors of processes."""
    wanted = True

    def tell(ending: Ending) -> None:
        if wanted:
            ended(ending)

    def wait() -> None:
        ending = _wait(pid)
        # The loop may be closed by now.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, ending)

    def stop() -> None:
        nonlocal wanted
        wanted = False

    threading.Thread(target=wait, name=f"uvnet waits for {pid}", daemon=True).start()
    return stop


def _wait(pid: int) -> Ending:
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return 255, None
    code = os.waitstatus_to_exitcode(status)
    return (code, None) if code >= 0 else (None, -code)
