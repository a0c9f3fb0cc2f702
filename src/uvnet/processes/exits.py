"""Hearing of the end of a child process, on any loop and in any thread."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from typing import Any

from uvnet._loop.record import LoopRecord

__all__ = ["Ending", "ExitWatch"]

# What a child has come to: its exit code or None, and the number of the signal that ended it or None.
Ending = tuple[int | None, int | None]


class ExitWatch:
    """Has ended() called on the loop once the child is over, which is waited for; it keeps run() going until then.

    A child that somebody else has waited for has the exit code 255, as asyncio says it.
    """

    def __init__(
        self, record: LoopRecord, owner: object, pid: int, ended: Callable[[Ending], object]
    ) -> None:
        self.owner = owner
        self._record = record
        self._pid = pid
        self._ended: Callable[[Ending], object] | None = ended
        self._descriptor = -1
        loop: Any = record.loop
        try:
            self._descriptor = os.pidfd_open(pid)
        except (AttributeError, OSError):
            # The system has no descriptors of processes, or none to spare.
            threading.Thread(target=self._wait, name=f"uvnet waits for {pid}", daemon=True).start()
        else:
            try:
                loop.add_reader(self._descriptor, self._over)
            except BaseException:
                self._close()
                raise
        self.set_referenced(True)

    def set_referenced(self, referenced: bool) -> None:
        """Whether it keeps uvnet.run() going."""
        if referenced and self._ended is not None:
            self._record.awaited.add(self)
        else:
            self._record.awaited.discard(self)

    def stop(self) -> None:
        """Watch no more, and leave the child to whoever waits for it."""
        self._ended = None
        self.set_referenced(False)
        if self._descriptor >= 0 and not self._record.loop.is_closed():
            self._record.loop.remove_reader(self._descriptor)
        self._close()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _over(self) -> None:
        self._tell(_wait_for(self._pid))

    def _tell(self, ending: Ending) -> None:
        ended = self._ended
        if ended is not None:
            self.stop()
            ended(ending)

    def _wait(self) -> None:
        ending = _wait_for(self._pid)
        # The loop may be closed by now.
        with contextlib.suppress(RuntimeError):
            self._record.loop.call_soon_threadsafe(self._tell, ending)


def _wait_for(pid: int) -> Ending:
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return 255, None
    code = os.waitstatus_to_exitcode(status)
    return (code, None) if code >= 0 else (None, -code)
