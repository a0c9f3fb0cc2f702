"""What a scenario cannot make itself on both sides: descriptors, ports where nobody answers, certificates.

They are made here and put into the scenario as plain numbers, and certificates as text.  Node inherits the descriptors.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from certificates import Certificates

__all__ = ["Supplies"]

_SILENT = ("127.0.0.2", "127.0.0.3")
_ATTEMPTS = 50


@functools.cache
def _pems() -> dict[str, str]:
    """Certificates with their keys, made once."""
    with tempfile.TemporaryDirectory() as directory:
        made = Certificates(Path(directory))
        names = ("authority", "server", "client", "expired", "other")
        return {name: made.path(name).read_text() for name in names}


class Supplies:
    """What one scenario has been given.  The same wish gives the same number."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.numbers: dict[str, int] = {}
        self._opened: list[tuple[int, os.stat_result]] = []
        self._sockets: list[socket.socket] = []

    def fill(self, value: Any) -> Any:
        """The same data, with numbers in the place of wishes."""
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("$") == "pem":
            return _pems()[value["name"]]
        if value.get("$") not in ("descriptor", "silent"):
            return {key: self.fill(item) for key, item in value.items()}
        kind = value.get("kind", "silent")
        if kind not in self.numbers:
            self.numbers[kind] = self._silent_port() if kind == "silent" else self._descriptor(kind)
        return self.numbers[kind]

    @property
    def descriptors(self) -> list[int]:
        """What a child has to inherit."""
        return [descriptor for descriptor, _ in self._opened]

    @property
    def names(self) -> dict[str, str]:
        """What the port is called in traces."""
        return {str(port): "nobody" for kind, port in self.numbers.items() if kind == "silent"}

    def close(self) -> None:
        """Close everything that the scenario has not taken over and closed."""
        for one in self._sockets:
            one.close()
        for descriptor, status in self._opened:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), status):
                    os.close(descriptor)

    def _descriptor(self, kind: str) -> int:
        if kind == "closed":
            return 9999
        if kind == "file":
            descriptor = os.open(os.devnull, os.O_RDONLY)
        else:
            family, _, state = kind.partition(" ")
            made = socket.socket(
                socket.AF_UNIX if family == "unix" else socket.AF_INET,
                socket.SOCK_DGRAM if family == "udp" else socket.SOCK_STREAM,
            )
            made.bind(str(self.directory / "given") if family == "unix" else ("127.0.0.1", 0))
            if state == "listening":
                made.listen()
            descriptor = made.detach()
        self._opened.append((descriptor, os.fstat(descriptor)))
        return descriptor

    def _silent_port(self) -> int:
        """A free port of 127.0.0.1 on which a connection to _SILENT gets no answer.

        There are listeners whose queues are full: Linux drops what comes then.
        """
        for _ in range(_ATTEMPTS):
            made = [socket.socket() for _ in range(2 * len(_SILENT))]
            listeners, clients = made[: len(_SILENT)], made[len(_SILENT) :]
            try:
                with socket.socket() as free:
                    free.bind(("127.0.0.1", 0))
                    port: int = free.getsockname()[1]
                    for listener, client, address in zip(listeners, clients, _SILENT, strict=True):
                        listener.bind((address, port))
                        listener.listen(0)
                        client.connect((address, port))
            except OSError:
                for one in made:
                    one.close()
                continue
            self._sockets += made
            return port
        raise OSError("no port is free on every loopback address")
