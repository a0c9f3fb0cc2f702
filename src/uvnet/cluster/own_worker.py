"""The worker that this process is: it asks its primary for what its servers listen on, and leaves with it.

Node: "Cluster", its workers.
"""

from __future__ import annotations

import errno
import os
import signal as _signal
from collections.abc import Callable
from typing import Any

from uvnet._accept.listener import Lease
from uvnet._accept.sharing import Wanted
from uvnet._accept.stale_files import who_is_there
from uvnet._channel.dealing import DEALT, DealtLease, new_lease, receive_dealt
from uvnet._loop.loop import running_record
from uvnet._loop.tick import call_on
from uvnet.cluster.last_seconds import end_after
from uvnet.cluster.vital_signs import vital_signs
from uvnet.cluster.worker import Worker
from uvnet.errors.codes import channel_closed, of_another_loop
from uvnet.errors.system import system_error
from uvnet.processes.parent import parent_process
from uvnet.processes.port import MessagePort

__all__ = ["PATIENCE", "OwnWorker", "own_worker"]

PATIENCE = 0.9  # seconds for a process without its primary to end by itself

_Answered = Callable[[OSError | None, int, Lease | None], Any]


class OwnWorker(Worker):
    """A worker as it knows itself, and where its servers get their sockets."""

    def __init__(self, number: int, process: MessagePort) -> None:
        super().__init__(number, process)
        self._leases: dict[int, DealtLease] = {}
        self._asked: dict[int, tuple[_Answered, Wanted, str]] = {}
        self._sequence = 0
        # The keys in use: the second socket that one worker wants at the same place is another one.
        self._keys: dict[int, str] = {}
        self._used: set[str] = set()
        channel = process._channel
        assert channel is not None
        self._channel = channel
        channel.receivers[DEALT] = self._was_dealt
        channel.carriers.add(DEALT)
        process._acts.update({"granted": self._was_granted, "disconnect": self._shall_disconnect, "heartbeat": self._answer})
        process._observe("disconnect", self._was_disconnected, once=True)
        process.ref()
        self._state = "online"
        process._say("online")

    # === For users ===

    def disconnect(self) -> OwnWorker:
        self.exited_after_disconnect = True
        if self._state not in ("disconnecting", "disconnected"):
            self._process._say("exited_after_disconnect")
            self._close_servers(self._disconnect)
        return self

    def kill(self, signal: int | str = _signal.SIGTERM) -> None:
        """The signal does not matter here: the process ends with the exit code 0."""
        self.exited_after_disconnect = True
        if not self._process.connected:
            self._leave()
        self._process._observe("disconnect", self._leave, once=True)
        if self._state != "disconnecting":
            self._process._say("exited_after_disconnect")
            self._close_servers(None)
        self._disconnect()

    # === As a source of listening sockets ===

    def request(self, wanted: Wanted, answered: _Answered) -> None:
        if self._process._record is not running_record():
            raise of_another_loop(self)
        if not self._process.connected or self._state == "disconnecting":
            raise channel_closed()
        if wanted.path is not None and not wanted.path.startswith("\0"):
            wanted = wanted._replace(path=os.path.abspath(wanted.path))
        self._sequence += 1
        key = self._new_key(wanted)
        self._asked[self._sequence] = answered, wanted, key
        self._process._say("listen", sequence=self._sequence, key=key, wanted=wanted._asdict())

    def _new_key(self, wanted: Wanted) -> str:
        place = wanted.path if wanted.path is not None else f"{wanted.address or '*'}:{wanted.port}"
        if wanted.ipv6_only:
            place += " IPv6 only"
        index = 0
        while f"{place} {index}" in self._used:
            index += 1
        key = f"{place} {index}"
        self._used.add(key)
        return key

    def _was_granted(self, message: dict[str, Any]) -> None:
        answered, wanted, key = self._asked.pop(message["sequence"])
        failed = message.get("errno")
        if failed is not None:
            self._used.discard(key)
            answered(_cannot_bind(failed, wanted), -1, None)
            return
        (descriptor,) = descriptors = message["descriptors"]
        number = message["number"]
        self._keys[number] = key
        lease = new_lease(self._channel, self._leases, number, message["dealt"], self._was_given_up)
        if descriptor >= 0 and self._state != "disconnecting":
            descriptors.clear()
            answered(None, descriptor, lease)
            return
        # The primary must not count on it.
        lease.give_up()
        answered(_cannot_bind(errno.EMFILE if descriptor < 0 else errno.ECANCELED, wanted), -1, None)

    def _was_given_up(self, number: int) -> None:
        self._used.discard(self._keys.pop(number, ""))

    def _was_dealt(self, payload: bytes, descriptors: list[int]) -> None:
        receive_dealt(self._channel, self._leases, payload, descriptors)

    def _answer(self, message: dict[str, Any]) -> None:
        self._process._say("heartbeat", beat=message["beat"], **vital_signs())

    # === Its end ===

    def _shall_disconnect(self, _message: dict[str, Any]) -> None:
        self.exited_after_disconnect = True
        if self._state not in ("disconnecting", "disconnected"):
            self._close_servers(self._disconnect)

    def _close_servers(self, closed: Callable[[], object] | None) -> None:
        """Those that share; closed() is called once their connections have ended too."""
        self._state = "disconnecting"
        servers = {id(server): server for lease in self._leases.values() if (server := lease.holder()) is not None}
        waiting = len(servers)

        def one_is(*_: object) -> None:
            nonlocal waiting
            waiting -= 1
            if waiting == 0 and closed is not None:
                closed()

        for server in servers.values():
            server._close_and_tell(one_is)
        if not servers and closed is not None:
            closed()

    def _disconnect(self) -> None:
        if self._process.connected:
            self._process.disconnect()

    def _was_disconnected(self) -> None:
        self._state = "disconnected"
        asked, self._asked = self._asked, {}
        for answered, _, _ in asked.values():
            answered(OSError(errno.EPIPE, "the primary is gone"), -1, None)
        call_on(self._process._record, self.emit, "disconnect")
        if not self.exited_after_disconnect:
            # The primary is gone.
            self._leave()

    def _leave(self) -> None:
        end_after(PATIENCE)
        raise SystemExit(0)


def _cannot_bind(number: int, wanted: Wanted) -> OSError:
    if wanted.path is None:
        return system_error(-number, "bind", wanted.address, wanted.port, True)
    why = who_is_there(wanted.path) if number == errno.EADDRINUSE else None
    return system_error(-number, "bind", wanted.path, None, True, None, None, None if why is None else f"({why})")


_worker: OwnWorker | None = None


def own_worker(number: int) -> OwnWorker | None:
    """The one of this process, on the loop that first asks for it; None where its channel is not there."""
    global _worker
    if _worker is None:
        process = parent_process()
        if process is not None:
            _worker = OwnWorker(number, process)
    return _worker
