"""The primary: it starts the workers, has the sockets they listen on, and hears of what becomes of them.

Node: "Cluster", its primary.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal as _signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uvnet._accept.sharing import wanted_of
from uvnet._channel.dealing import OVER, READY, TAKEN, key_in
from uvnet._loop.loop import running_record
from uvnet._loop.tick import call_on, next_tick_on
from uvnet.addresses.address import Address
from uvnet.arguments.checks import reject_unknown
from uvnet.cluster.shared_sockets import SharedSocket, SharedSockets
from uvnet.cluster.worker import Worker
from uvnet.errors.codes import invalid_callback, invalid_value
from uvnet.events.emitter import EventEmitter
from uvnet.processes.child_process import (
    ChildProcess,
    check_serialization,
    fork_command,
)
from uvnet.processes.port import JSON

__all__ = ["SCHED_NONE", "SCHED_RR", "WORKER_ID", "ForkedWorker", "Primary"]

SCHED_NONE = 1
SCHED_RR = 2
WORKER_ID = "UVNET_WORKER_ID"

SETTINGS = frozenset(
    ("exec", "args", "exec_path", "exec_argv", "cwd", "silent", "serialization", "user", "group", "start_new_session")
)


class ForkedWorker(Worker):
    """A worker as its primary knows it."""

    def __init__(self, number: int, process: ChildProcess, primary: Primary) -> None:
        super().__init__(number, process)
        self._listens_on: set[int] = set()
        # Called when it listens nowhere any more, while its channel is open; or None.
        self.listens_no_more: Callable[[], object] | None = None
        # Before the listeners of the worker, as in Node; they may add some of their own to both.
        self._observe("message", lambda *given: primary.emitter.emit("message", self, *given))

    def is_dead(self) -> bool:
        return self.process.exit_code is not None or self.process.signal_code is not None

    def disconnect(self) -> ForkedWorker:
        self.exited_after_disconnect = True
        self._process._say("disconnect")
        return self

    def kill(self, signal: int | str = _signal.SIGTERM) -> None:
        self.process.kill(signal)


class Primary:
    """What the module `uvnet.cluster` is in a process that is no worker."""

    def __init__(self, emitter: EventEmitter) -> None:
        self.emitter = emitter
        self.settings: dict[str, Any] = {}
        self.workers: dict[int, ForkedWorker] = {}
        self.sockets = SharedSockets()
        self._policy: int | None = None
        self._started = False
        self._numbers = 0
        self._is_set_up = False
        # One for all workers, which come and go.
        emitter._observe("newListener", self._somebody_listens)

    # === For users ===

    @property
    def scheduling_policy(self) -> int:
        if self._policy is None:
            names = {"none": SCHED_NONE, "rr": SCHED_RR}
            text = os.environ.get("UVNET_CLUSTER_SCHED_POLICY", "rr")
            if text not in names:
                raise invalid_value("UVNET_CLUSTER_SCHED_POLICY", text, 'must be "rr" or "none"')
            self._policy = names[text]
        return self._policy

    @scheduling_policy.setter
    def scheduling_policy(self, value: int) -> None:
        if value not in (SCHED_NONE, SCHED_RR):
            raise invalid_value("scheduling_policy", value, "must be SCHED_RR or SCHED_NONE")
        if self._started:
            raise RuntimeError("scheduling_policy cannot change once a worker was forked")
        self._policy = value

    def set_up(self, options: Mapping[str, Any]) -> None:
        reject_unknown(options, SETTINGS, "setup_primary()")
        merged = {**self.settings, **options}
        merged["serialization"] = check_serialization(merged.get("serialization", JSON))
        # Raises for what cannot be run.
        merged["command"] = self._command(merged)
        self.settings.clear()
        self.settings.update(merged)
        self._is_set_up = True
        next_tick_on(running_record(), self.emitter.emit, "setup", merged)

    def fork(
        self, env: Mapping[str, str] | None, descriptors: Sequence[int] = ()
    ) -> ForkedWorker:
        """Start a worker; it inherits the descriptors."""
        if not self._is_set_up:
            self.set_up({})
        dealt = self.scheduling_policy == SCHED_RR
        number = self._numbers + 1
        settings = self.settings
        process = ChildProcess(
            settings["command"],
            {**os.environ, **(env or {}), WORKER_ID: str(number)},
            silent=bool(settings.get("silent", False)),
            serialization=settings["serialization"],
            descriptors=descriptors,
            options={name: settings[name] for name in ("cwd", "user", "group", "start_new_session") if name in settings},
        )
        self._started = True
        self._numbers = number
        worker = self._attend_to(number, process, dealt)
        next_tick_on(running_record(), self.emitter.emit, "fork", worker)
        return worker

    def adopt(self, number: int, process: ChildProcess, listens_on: Mapping[int, bool]) -> ForkedWorker:
        """A worker of an earlier primary of this process; listens_on: numbers of sockets, and whether it wants more."""
        self._started = True
        self._numbers = max(self._numbers, number)
        worker = self._attend_to(number, process, self.scheduling_policy == SCHED_RR)
        worker._state = "listening"
        for key, wants_more in listens_on.items():
            shared = self.sockets.find(key)
            if shared is not None:
                worker._listens_on.add(key)
                shared.add(number, process._channel)
                share = shared.users[number]
                if share is not None:
                    share.wants(wants_more)
        return worker

    def disconnect(self, callback: Callable[[], Any] | None) -> None:
        """All workers; callback() once the last one is disconnected."""
        if callback is not None and not callable(callback):
            raise invalid_callback(callback)
        connected = [worker for worker in self.workers.values() if worker.is_connected()]
        left = len(connected)

        def one_is() -> None:
            nonlocal left
            left -= 1
            if left == 0 and callback is not None:
                callback()

        for worker in connected:
            # Behind what tells listeners of it.
            worker._process._observe("disconnect", one_is, once=True)
            worker.disconnect()
        if not connected and callback is not None:
            next_tick_on(running_record(), callback)

    # === Private ===

    def _somebody_listens(self, event: Any, listener: Any) -> None:
        for worker in self.workers.values():
            worker._process._somebody_listens(event, listener)

    def _command(self, settings: Mapping[str, Any]) -> list[str]:
        if settings.get("exec") is None:
            # What this process was started with.
            given: Sequence[str] | None = settings.get("args")
            if given is not None:
                raise invalid_value("args", given, "need the setting exec")
            return [settings.get("exec_path") or sys.executable, *sys.orig_argv[1:]]
        return fork_command(
            settings["exec"], settings.get("args") or (), settings.get("exec_path"), settings.get("exec_argv")
        )

    def _attend_to(self, number: int, process: ChildProcess, dealt: bool) -> ForkedWorker:
        """Make a worker of the process, and hear what it has to say."""
        worker = ForkedWorker(number, process, self)
        process._repeaters.append(self.emitter)
        self.workers[number] = worker

        def listens(message: dict[str, Any]) -> None:
            self._listen(worker, message, dealt)

        def exited_after_disconnect(_message: dict[str, Any]) -> None:
            worker.exited_after_disconnect = True

        def online(_message: dict[str, Any]) -> None:
            if worker._state == "none":
                worker._state = "online"
            self._emit(worker, "online")

        process._acts.update(
            {"online": online, "listen": listens, "exited_after_disconnect": exited_after_disconnect}
        )
        channel = process._channel
        assert channel is not None
        channel.receivers.update(
            {
                TAKEN: lambda payload, _: self._was_taken(number, payload),
                READY: lambda payload, _: self._is_ready(worker, payload),
                OVER: lambda payload, _: self._is_over(worker, payload),
            }
        )
        process._observe("disconnect", lambda: self._disconnected(worker), once=True)
        process._observe("exit", lambda code, signal: self._exited(worker, code, signal), once=True)
        return worker

    def _listen(self, worker: ForkedWorker, message: dict[str, Any], dealt: bool) -> None:
        sequence = message["sequence"]
        process = worker._process
        channel = process._channel
        shared = None
        try:
            shared = self.sockets.open(message["key"], wanted_of(message["wanted"]), dealt)
            descriptor = os.dup(shared.socket.fileno())
        except BaseException as error:
            if shared is not None:
                self.sockets.close_if_unused(shared)
            # The worker waits for an answer, whatever it is.
            process._say("granted", sequence=sequence, errno=getattr(error, "errno", None) or errno.EINVAL)
            if isinstance(error, OSError):
                return
            raise
        shared.add(worker.id, channel)
        try:
            process._say(
                "granted", lambda _: os.close(descriptor), (descriptor,),
                sequence=sequence, number=shared.number, dealt=shared.dealt,
            )  # fmt: skip
        except BaseException:
            os.close(descriptor)
            raise

    def _was_taken(self, number: int, payload: bytes) -> None:
        key, flags = key_in(payload)
        shared = self.sockets.find(key)
        share = None if shared is None else shared.users.get(number)
        if share is not None:
            share.was_taken(flags)

    def _is_ready(self, worker: ForkedWorker, payload: bytes) -> None:
        key, flag = key_in(payload)
        shared = self.sockets.find(key)
        if shared is None or worker.id not in shared.users:
            return
        share = shared.users[worker.id]
        is_first = key not in worker._listens_on
        if share is not None:
            share.wants(flag == b"\1")
        if is_first:
            worker._listens_on.add(key)
            worker._state = "listening"
            self._emit(worker, "listening", _address_of(shared))

    def _is_over(self, worker: ForkedWorker, payload: bytes) -> None:
        key, _ = key_in(payload)
        listened = key in worker._listens_on
        worker._listens_on.discard(key)
        shared = self.sockets.find(key)
        if shared is not None:
            self.sockets.remove_user(shared, worker.id)
        if listened and not worker._listens_on and worker.listens_no_more is not None:
            worker.listens_no_more()

    def _disconnected(self, worker: ForkedWorker) -> None:
        self.sockets.remove_worker(worker.id)
        worker.exited_after_disconnect = bool(worker.exited_after_disconnect)
        if worker.is_dead():
            self.workers.pop(worker.id, None)
        else:
            worker._state = "disconnected"
        self._emit(worker, "disconnect")

    def _exited(self, worker: ForkedWorker, code: int | None, signal: str | None) -> None:
        if not worker.is_connected():
            self.workers.pop(worker.id, None)
        worker.exited_after_disconnect = bool(worker.exited_after_disconnect)
        worker._state = "dead"
        self._emit(worker, "exit", code, signal)

    def _emit(self, worker: ForkedWorker, event: str, *details: Any) -> None:
        """By the worker, and then by the cluster, whatever a listener of the first raises."""
        record = worker._process._record
        call_on(record, worker.emit, event, *details)
        call_on(record, self.emitter.emit, event, worker, *details)


def _address_of(shared: SharedSocket) -> Any:
    """An Address, or the path of a Unix socket; None where the system cannot tell."""
    with contextlib.suppress(OSError):
        name = shared.socket.getsockname()
        if isinstance(name, tuple):
            return Address(name[0], "IPv6" if ":" in name[0] else "IPv4", name[1])
        return os.fsdecode(name)
    return None
