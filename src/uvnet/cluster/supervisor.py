"""Supervisor: as many workers as wanted, whatever becomes of them, and new ones for old ones.

A worker serves from when it listens.  What workers listen on stays open while they change, so nobody is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Generator
from typing import Any

from uvnet.cluster.failures import Failures
from uvnet.cluster.heartbeat import Heartbeat
from uvnet.cluster.limits import Limits
from uvnet.cluster.member import Member, WorkerFailed, start_member
from uvnet.cluster.primary import Primary
from uvnet.cluster.telling import Telling
from uvnet.cluster.upgrade import (
    Adopted,
    CannotUpgrade,
    adopt,
    check_program,
    execute_anew,
    let_settle,
    let_signals_through,
)
from uvnet.server.activation import listen_fds

__all__ = ["INTERRUPTED", "Supervisor"]

_log = logging.getLogger("uvnet")

SOON = 1.0  # seconds; a worker that has listened for less has failed when it ends
INTERRUPTED = 130


class Slot:
    """A place for one worker."""

    def __init__(self) -> None:
        self.member: Member | None = None  # which serves here
        self.filling: asyncio.Task[None] | None = None  # what looks for one
        self.is_replaced = False  # by a rolling restart, right now


class Supervisor:
    """Keeps workers, in the primary; run() is its whole life."""

    def __init__(self, primary: Primary, workers: int, limits: Limits, status: str | None) -> None:
        self._primary = primary
        self._limits = limits
        self._slots = [Slot() for _ in range(workers)]
        self._failures = Failures(limits.max_failures, limits.failure_time)
        self._members: set[Member] = set()
        self._heartbeat = Heartbeat(self._members, limits.heartbeat_timeout)
        self._telling = Telling(status, self.snapshot)
        self._began = time.monotonic()
        self._has_served = False
        self._is_complete = False  # since as many have served as are wanted
        self._status: int | None = None  # the exit status, once it ends
        self._interrupts = 0
        self._restart: asyncio.Task[None] | None = None
        self._next_restart: asyncio.Future[bool] | None = None
        self._is_upgraded_next = False
        self._is_upgrading = False
        self._surplus: list[Member] = []  # that an earlier program has left: more than are wanted

    async def run(self) -> int:
        """Supervise until a signal or too many failures end it; returns the exit status."""
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._primary.sockets.keeps_unused = True
        self._primary.set_up({"start_new_session": True})
        adopted = adopt(self._primary)
        await self._telling.start(must_work=not adopted)
        with self._signals():
            let_signals_through()
            self._heartbeat.start()
            if adopted:
                self._go_on_with(adopted)
            else:
                self._primary.sockets.offered.extend(listen_fds())
                for slot in self._slots:
                    self._fill(slot)
            await self._over
        self._heartbeat.stop()
        self._telling.stop()
        self._primary.sockets.close()
        assert self._status is not None
        return self._status

    def snapshot(self) -> dict[str, Any]:
        """What it is doing, as what JSON can say: times in seconds, memory in bytes."""
        return {
            "pid": os.getpid(),
            "state": self._state(),
            "age": round(time.monotonic() - self._began, 1),
            "wanted": len(self._slots),
            "workers": [member.snapshot() for member in sorted(self._members, key=lambda each: each.worker.id)],
        }

    def _state(self) -> str:
        if self._status is not None:
            return "stopping"
        if self._restart is not None:
            return "restarting"
        return "serving" if all(slot.member is not None for slot in self._slots) else "starting"

    def _tell_status(self) -> None:
        serving = sum(slot.member is not None for slot in self._slots)
        self._telling.systemd.status(f"{self._state()}, {serving} of {len(self._slots)} workers serve")

    # === Signals ===

    @contextlib.contextmanager
    def _signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        handlers = {
            signal.SIGTERM: lambda: self.end(0, "SIGTERM"),
            signal.SIGINT: self._interrupted,
            signal.SIGHUP: self.reload,
            signal.SIGUSR2: self.upgrade,
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
            for member in self._members:
                member.kill()

    # === Starting workers ===

    async def _start(self) -> Member:
        """A worker that listens; raises WorkerFailed."""
        try:
            member = start_member(self._primary, self._ended, self._leaves)
        except Exception as error:
            # Out of descriptors, processes, memory: whatever it is, it is tried again later.
            raise WorkerFailed(f"a worker cannot be started: {error}", by_itself=False) from None
        self._members.add(member)
        try:
            await member.until_it_listens(self._limits.start_timeout)
        except asyncio.CancelledError:
            if member.state == "over":
                _log.info("%s %s", member, member.how_it_ended(in_short=True))
            member.stop(self._limits.shutdown_timeout)
            raise
        if member.state != "serving":
            raise WorkerFailed(f"{member} {member.how_it_ended()}", by_itself=False)
        self._has_served = True
        return member

    def _fill(self, slot: Slot) -> None:
        """Have the slot get a worker."""
        if slot.filling is None and not (slot.is_replaced or self._is_upgrading or self._status is not None):
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
            if slot.member is None:
                asyncio.get_running_loop().call_soon(self._fill_if_empty, slot)
        self._look_whether_complete()

    def _count_failure(self, is_hopeless: bool) -> None:
        if self._status is not None:
            return
        if is_hopeless:
            self.end(1, "the first workers cannot serve")
        elif self._failures.count():
            self.end(1, f"more than {self._failures.most} workers have failed within {self._failures.seconds:g} s")

    def _look_whether_complete(self) -> None:
        self._tell_status()
        if all(slot.member is not None for slot in self._slots):
            if not self._is_complete:
                self._is_complete = True
                self._telling.systemd.ready()
                for socket in self._primary.sockets.offered:
                    _log.warning("no worker listens on %s, which this program was given", socket.getsockname())
            _log.info("serving with %s", _workers(len(self._slots)))

    # === When one ends ===

    def _ended(self, member: Member, was: str) -> None:
        self._members.discard(member)
        if was == "stopping" or self._status is not None:
            _log.info("%s %s", member, member.how_it_ended(in_short=True))
        for slot in self._slots:
            if slot.member is member:
                slot.member = None
                if was == "serving" and self._status is None:
                    _log.error("%s %s", member, member.how_it_ended())
                    if member.lifetime < SOON:
                        self._count_failure(False)
                    self._tell_status()
                self._fill(slot)

    def _leaves(self, member: Member) -> None:
        """It listens no more: its place is free before it has ended."""
        _log.info("%s listens no more, and is replaced", member)
        member.leave(self._limits.shutdown_timeout)
        for slot in self._slots:
            if slot.member is member:
                slot.member = None
                self._fill(slot)

    # === Rolling restart ===

    def reload(self) -> asyncio.Future[bool]:
        """Begin a rolling restart, or have one follow that which is under way.

        The future's result is whether every worker was replaced.
        """
        loop = asyncio.get_running_loop()
        if self._next_restart is None or self._next_restart.done():
            # Done, where somebody did not want to wait for it any longer.
            self._next_restart = loop.create_future()
        future = self._next_restart
        if self._status is not None:
            self._next_restart = None
            future.set_result(False)
        else:
            self._begin_restart()
        return future

    def _begin_restart(self) -> None:
        if self._restart is None:
            self._restart = asyncio.get_running_loop().create_task(self._restart_all())

    async def _restart_all(self) -> None:
        try:
            while self._next_restart is not None or self._is_upgraded_next:
                if self._is_upgraded_next:
                    self._is_upgraded_next = False
                    await self._execute_anew()
                elif self._next_restart is not None:
                    future, self._next_restart = self._next_restart, None
                    await self._restart_once(future)
        finally:
            self._restart = None
        self._tell_status()

    async def _restart_once(self, over: asyncio.Future[bool]) -> None:
        done = False
        self._telling.systemd.reloading()
        try:
            done = await self._replace_all()
        finally:
            self._telling.systemd.ready()
            if not over.done():
                over.set_result(done)

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
        while self._surplus:
            leaving.append(self._surplus.pop())
            leaving[-1].stop(self._limits.shutdown_timeout)
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

    # === Upgrade ===

    def upgrade(self) -> None:
        """Execute the program of this process anew, and then replace every worker."""
        if self._status is None:
            self._is_upgraded_next = True
            self._begin_restart()

    async def _execute_anew(self) -> None:
        _log.info("upgrade: looking whether the program comes to serve()")
        try:
            await check_program(self._limits.start_timeout)
            _log.info("upgrade: it does; waiting until nothing is under way")
            # Those that do not serve yet are for the new program to start.
            self._is_upgrading = True
            for slot in self._slots:
                if slot.filling is not None:
                    slot.filling.cancel()
            self._heartbeat.stop()
            await let_settle(self._primary.sockets, self._members)
            _log.info("upgrade: the program is executed anew")
            self._telling.systemd.reloading()
            execute_anew(self._primary, list(self._members), self._telling.systemd.environment)
        except (CannotUpgrade, OSError) as error:
            _log.error("upgrade: given up, everything stays as it is: %s", error)
        finally:
            self._is_upgrading = False
            for shared in self._primary.sockets:
                shared.go_on()
            self._heartbeat.stop()
            self._heartbeat.start()
            for slot in self._slots:
                self._fill_if_empty(slot)

    def _go_on_with(self, adopted: list[Adopted]) -> None:
        """Supervise the workers of the program before this one, and replace them."""
        slots = list(self._slots)
        for each in adopted:
            member = Member(each.worker, self._primary, each.last_words, self._ended, self._leaves)
            member.began = each.began
            self._members.add(member)
            # Beyond as many as are wanted now they are stopped.
            is_stopping = each.is_stopping or not slots
            member.go_on_serving(each.is_stopping, self._limits.shutdown_timeout)
            if not is_stopping:
                slots.pop(0).member = member
            elif not each.is_stopping:
                self._surplus.append(member)
        _log.info("upgrade: done, with %s of before", _workers(len(adopted)))
        self._has_served = self._is_complete = True
        self.reload()

    # === The end ===

    def end(self, status: int, why: str) -> None:
        """Have every worker end gracefully, and run() return the status then."""
        if self._status is not None:
            return
        self._status = status
        (_log.info if status in (0, INTERRUPTED) else _log.error)("stopping: %s", why)
        self._telling.systemd.stopping()
        self._primary.sockets.keeps_unused = False
        if self._next_restart is not None and not self._next_restart.done():
            self._next_restart.set_result(False)
        for task in (self._restart, *(slot.filling for slot in self._slots)):
            if task is not None:
                task.cancel()
        for member in list(self._members):
            member.stop(self._limits.shutdown_timeout)
        self._ending = asyncio.get_running_loop().create_task(self._wait_for_all())

    async def _wait_for_all(self) -> None:
        while self._members:
            await asyncio.wait([member.over for member in self._members])
        _log.info("stopped")
        self._over.set_result(None)


def _workers(count: int) -> str:
    return f"{count} worker{'' if count == 1 else 's'}"
