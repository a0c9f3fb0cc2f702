"""Supervisor: as many workers as wanted, whatever becomes of them, and new ones for old ones.

A worker serves from when it listens.  What workers listen on stays open while they change, so nobody is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Generator
from typing import NamedTuple

from uvnet.cluster.failures import Failures
from uvnet.cluster.member import Member, WorkerFailed, start_member
from uvnet.cluster.primary import Primary

__all__ = ["Limits", "Supervisor"]

_log = logging.getLogger("uvnet")

SOON = 1.0  # seconds; a worker that has listened for less has failed when it ends
INTERRUPTED = 130


class Limits(NamedTuple):
    """Of times in seconds, and of failures; see serve()."""

    start_timeout: float
    shutdown_timeout: float
    heartbeat_timeout: float
    max_failures: int
    failure_time: float


class Slot:
    """A place for one worker."""

    def __init__(self) -> None:
        self.member: Member | None = None  # which serves here
        self.filling: asyncio.Task[None] | None = None  # what looks for one
        self.is_replaced = False  # by a rolling restart, right now


class Supervisor:
    """Keeps workers, in the primary; run() is its whole life."""

    def __init__(self, primary: Primary, workers: int, limits: Limits) -> None:
        self._primary = primary
        self._limits = limits
        self._slots = [Slot() for _ in range(workers)]
        self._failures = Failures(limits.max_failures, limits.failure_time)
        self.members: set[Member] = set()
        self._has_served = False
        self._status: int | None = None  # the exit status, once it ends
        self._interrupts = 0
        self._restart: asyncio.Task[None] | None = None
        self._next_restart: asyncio.Future[bool] | None = None

    async def run(self) -> int:
        """Supervise until a signal or too many failures end it; returns the exit status."""
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._primary.sockets.keeps_unused = True
        self._primary.set_up({"start_new_session": True})
        with self._signals():
            for slot in self._slots:
                self._fill(slot)
            await self._over
        self._primary.sockets.close()
        assert self._status is not None
        return self._status

    # === Signals ===

    @contextlib.contextmanager
    def _signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: lambda: self.end(0, "SIGTERM"),
            signal.SIGINT: self._interrupted,
            signal.SIGHUP: self.reload,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _interrupted(self) -> None:
        self._interrupts += 1
        if self._interrupts == 1:
            self.end(INTERRUPTED, "SIGINT")
        else:
            _log.warning("SIGINT again: all workers are killed")
            for member in self.members:
                member.kill()

    # === Starting workers ===

    async def _start(self) -> Member:
        """A worker that listens; raises WorkerFailed."""
        try:
            member = start_member(self._primary, self._ended)
        except OSError as error:
            raise WorkerFailed(f"a worker cannot be started: {error}", by_itself=False) from None
        self.members.add(member)
        try:
            await member.until_it_listens(self._limits.start_timeout)
        except asyncio.CancelledError:
            member.stop(self._limits.shutdown_timeout)
            raise
        if member.state != "serving":
            raise WorkerFailed(f"{member} {member.how_it_ended()}", by_itself=False)
        self._has_served = True
        return member

    def _fill(self, slot: Slot) -> None:
        """Have the slot get a worker."""
        if slot.filling is None and not slot.is_replaced and self._status is None:
            slot.filling = asyncio.get_running_loop().create_task(self._find_for(slot))

    async def _find_for(self, slot: Slot) -> None:
        try:
            while slot.member is None and self._status is None:
                delay = self._failures.delay()
                if delay:
                    _log.info("the next worker is started in %.1f s", delay)
                    await asyncio.sleep(delay)
                try:
                    slot.member = await self._start()
                except WorkerFailed as failure:
                    _log.error("%s", failure)
                    self._count_failure(failure.by_itself and not self._has_served)
        finally:
            slot.filling = None
        self._look_whether_complete()

    def _count_failure(self, is_hopeless: bool) -> None:
        if self._status is not None:
            return
        if is_hopeless:
            self.end(1, "the first workers cannot serve")
        elif self._failures.count():
            self.end(1, f"more than {self._failures.most} workers have failed within {self._failures.seconds:g} s")

    def _look_whether_complete(self) -> None:
        if all(slot.member is not None for slot in self._slots):
            count = len(self._slots)
            _log.info("serving with %d worker%s", count, "" if count == 1 else "s")

    # === When one ends ===

    def _ended(self, member: Member, was: str) -> None:
        self.members.discard(member)
        if was == "stopping" or self._status is not None:
            _log.info("%s %s", member, member.how_it_ended(in_short=True))
        for slot in self._slots:
            if slot.member is member:
                slot.member = None
                if was == "serving" and self._status is None:
                    _log.error("%s %s", member, member.how_it_ended())
                    if member.lifetime < SOON:
                        self._count_failure(False)
                self._fill(slot)

    # === Rolling restart ===

    def reload(self) -> asyncio.Future[bool]:
        """Begin a rolling restart, or have one follow that which is under way.

        The future's result is whether every worker was replaced.
        """
        loop = asyncio.get_running_loop()
        if self._next_restart is None:
            self._next_restart = loop.create_future()
        future = self._next_restart
        if self._status is not None:
            self._next_restart = None
            future.set_result(False)
        elif self._restart is None:
            self._restart = loop.create_task(self._restart_all())
        return future

    async def _restart_all(self) -> None:
        while self._next_restart is not None:
            future, self._next_restart = self._next_restart, None
            done = False
            try:
                done = await self._replace_all()
            finally:
                if not future.done():
                    future.set_result(done)
        self._restart = None

    async def _replace_all(self) -> bool:
        _log.info("rolling restart: every worker is replaced")
        leaving: list[Member] = []
        for slot in self._slots:
            try:
                old = await self._replace_in(slot)
            except WorkerFailed as failure:
                _log.error("the rolling restart is given up, the workers that serve stay: %s", failure)
                return False
            if old is not None:
                leaving.append(old)
        # The next restart must not find more and more of them.
        if leaving:
            await asyncio.wait([member.over for member in leaving])
        self._primary.sockets.close_unused()
        _log.info("rolling restart: done")
        return True

    async def _replace_in(self, slot: Slot) -> Member | None:
        """Put a new worker there; returns the old one, which ends.  Raises WorkerFailed."""
        slot.is_replaced = True
        try:
            if slot.filling is not None:
                # It may wait for long, after failures that are history now.
                slot.filling.cancel()
            new = await self._start()
        finally:
            slot.is_replaced = False
            if slot.member is None:
                asyncio.get_running_loop().call_soon(self._fill_if_empty, slot)
        old, slot.member = slot.member, new
        if old is not None:
            old.stop(self._limits.shutdown_timeout)
        return old

    def _fill_if_empty(self, slot: Slot) -> None:
        if slot.member is None:
            self._fill(slot)

    # === The end ===

    def end(self, status: int, why: str) -> None:
        """Have every worker end gracefully, and run() return the status then."""
        if self._status is not None:
            return
        self._status = status
        (_log.info if status in (0, INTERRUPTED) else _log.error)("stopping: %s", why)
        self._primary.sockets.keeps_unused = False
        for task in (self._restart, *(slot.filling for slot in self._slots)):
            if task is not None:
                task.cancel()
        for member in list(self.members):
            member.stop(self._limits.shutdown_timeout)
        asyncio.get_running_loop().create_task(self._wait_for_all())

    async def _wait_for_all(self) -> None:
        while self.members:
            await asyncio.wait([member.over for member in self.members])
        _log.info("stopped")
        self._over.set_result(None)
