"""Both ends of a channel in one process, and scripts that are at the other end."""

from __future__ import annotations

import os
import socket as plain
from pathlib import Path
from typing import Any

import uvnet
from uvnet.processes.port import JSON, MessagePort

__all__ = ["Heard", "connection", "script", "two_ports"]


class Heard:
    """What a port has told."""

    def __init__(self, port: MessagePort) -> None:
        self.messages: list[tuple[Any, Any]] = []
        self.errors: list[Any] = []
        self.disconnects = 0
        port.on("message", lambda *given: self.messages.append(given))
        port.on("error", self.errors.append)
        port.on("disconnect", self._disconnected)

    def _disconnected(self) -> None:
        self.disconnects += 1


def two_ports(serialization: str = JSON) -> tuple[MessagePort, MessagePort]:
    ends = plain.socketpair()
    ports = MessagePort(serialization), MessagePort(serialization)
    for port, end in zip(ports, ends, strict=True):
        port._open(end.detach())
    return ports


def connection() -> tuple[uvnet.Socket, plain.socket]:
    """A socket, and a plain one at its other end."""
    near, far = plain.socketpair()
    far.settimeout(10)
    return uvnet.Socket(handle=near), far


def script(directory: Path, text: str) -> Path:
    path = directory / f"child{len(os.listdir(directory))}.py"
    path.write_text(text)
    return path
