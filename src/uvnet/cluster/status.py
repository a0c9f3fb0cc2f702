"""The state of a supervisor, as JSON on a Unix socket that its user alone may open."""

from __future__ import annotations

import json
import os
import socket as _socket
from collections.abc import Callable
from typing import Any

from uvnet._accept.socket_files import remove_socket_file
from uvnet.events.once_and_on import once
from uvnet.server.server import Server
from uvnet.socket.socket import Socket

__all__ = ["StatusServer"]

MOST_CONNECTIONS = 16
PATIENCE = 5  # seconds for one who asks to read the answer


class StatusServer:
    """Whoever connects is sent what snapshot() gives, and the connection ends."""

    def __init__(self, path: str, snapshot: Callable[[], dict[str, Any]]) -> None:
        self._path = path
        self._snapshot = snapshot
        self._server = Server(self._asked)
        self._server.max_connections = MOST_CONNECTIONS

    async def start(self) -> None:
        """Raises OSError."""
        _remove_if_left_over(self._path)
        before = os.umask(0o177)
        try:
            self._server.listen(path=self._path)
        finally:
            os.umask(before)
        await once(self._server, "listening")

    def stop(self) -> None:
        self._server.close()

    def _asked(self, socket: Socket) -> None:
        socket.on("error", lambda _: None)
        socket.set_timeout(PATIENCE, socket.destroy)
        socket.end(json.dumps(self._snapshot()) + "\n")


def _remove_if_left_over(path: str) -> None:
    """Remove the file of a server that is no more: nobody listens there."""
    with _socket.socket(_socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            remove_socket_file(path)
        except OSError:
            # What else is wrong with it is said by listen().
            pass
