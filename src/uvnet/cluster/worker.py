"""Worker: one process of a cluster, as its primary and as it itself knows it.  Node: "Class: Worker"."""

from __future__ import annotations

import signal as _signal
from collections.abc import Callable, Mapping
from typing import Any

from uvnet.events.emitter import EventEmitter
from uvnet.processes.port import MessagePort

__all__ = ["Worker"]


class Worker(EventEmitter):
    """A worker; not made by users.

    Events, in the primary: 'online', 'listening' (address), 'message' (message, handle), 'disconnect',
    'error' (error) and 'exit' (code, signal); in the worker itself 'message', 'disconnect' and 'error'.
    """

    def __init__(self, number: int, process: MessagePort) -> None:
        super().__init__()
        self._id = number
        self._process = process
        self._state = "none"
        self.exited_after_disconnect: bool | None = None
        process._observe("message", lambda message, handle: self._heard(message, handle))
        process._repeated_by(self)
        process._observe("error", lambda error: self.emit("error", error))

    @property
    def id(self) -> int:
        """Its number, which is no other worker's of this primary.  Node: "worker.id"."""
        return self._id

    @property
    def process(self) -> Any:
        """The ChildProcess in the primary, and uvnet.parent_process() in the worker.  Node: "worker.process"."""
        return self._process

    @property
    def state(self) -> str:
        """ "none", "online", "listening", "disconnecting", "disconnected" or "dead".  This is not documented in Node."""
        return self._state

    def send(
        self,
        message: Any,
        handle: Any = None,
        options: Mapping[str, Any] | Callable[..., Any] | None = None,
        callback: Callable[[Exception | None], Any] | None = None,
        *,
        keep_open: bool = False,
    ) -> bool:
        """Send a message, and with it a handle, to the other process; see ChildProcess.send().

        Node: "worker.send(message[, sendHandle[, options]][, callback])".
        """
        return self._process.send(message, handle, options, callback, keep_open=keep_open)

    def is_connected(self) -> bool:
        """Whether the channel between worker and primary is open.  Node: "worker.isConnected()"."""
        return self._process.connected

    def is_dead(self) -> bool:
        """Whether the process is over.  Node: "worker.isDead()"."""
        return False

    def disconnect(self) -> Worker:
        """Have its servers listen no more, and once their connections have ended close the channel.

        Then the worker ends, where nothing else keeps it.

        Node: "worker.disconnect()".
        """
        raise NotImplementedError

    def kill(self, signal: int | str = _signal.SIGTERM) -> None:
        """End the worker: in the primary with the signal, in the worker itself once its channel is closed.

        Raises ValueError for what is no signal.  Node: "worker.kill([signal])".
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<Worker {self._id} {self._state}>"

    def _heard(self, message: Any, handle: Any) -> None:
        self.emit("message", message, handle)
