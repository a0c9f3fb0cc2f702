"""The channel to the process that has started this one, where fork() of uvnet or of its cluster has.

Node: "process.send()" and its like.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from uvnet.errors.codes import invalid_environment
from uvnet.processes.port import JSON, MessagePort

__all__ = ["CHANNEL", "SERIALIZATION", "ParentChannel", "inherited_channel", "parent_process"]

CHANNEL = "UVNET_CHANNEL_FD"
SERIALIZATION = "UVNET_CHANNEL_SERIALIZATION"


class ParentChannel(NamedTuple):
    """What the environment says of the channel that this process was started with."""

    descriptor: int
    serialization: str


def _inherit() -> ParentChannel | None:
    """Take the channel out of the environment: it is not for this process's own children."""
    text = os.environ.pop(CHANNEL, None)
    serialization = os.environ.pop(SERIALIZATION, JSON)
    if text is None:
        return None
    if not text.isdecimal():
        raise invalid_environment(CHANNEL, text)
    descriptor = int(text)
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        # Somebody has closed it, or has handed on the environment alone.
        return None
    return ParentChannel(descriptor, serialization)


inherited_channel = _inherit()
_port: MessagePort | None = None


class _ParentPort(MessagePort):
    """The parent's end is what keeps uvnet.run() going, while somebody wants to hear of it."""

    def __init__(self, serialization: str) -> None:
        super().__init__(serialization)
        self._observe("newListener", self._is_wanted)

    def _is_wanted(self, event: object, _listener: object) -> None:
        if event in ("message", "disconnect"):
            self.ref()


def parent_process() -> MessagePort | None:
    """The MessagePort to the process that has started this one by uvnet.fork() or as a worker of a cluster; else None.

    It is used on the loop that first asks for it, and keeps uvnet.run() going while it has a 'message' or 'disconnect'
    listener.  In a worker of uvnet.cluster it is `uvnet.cluster.worker.process`.  Node: "process.send()".
    """
    global _port
    if _port is None and inherited_channel is not None:
        _port = _ParentPort(inherited_channel.serialization)
        _port._open(inherited_channel.descriptor)
        _port.unref()
    return _port
