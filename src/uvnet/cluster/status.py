"""The state of a supervisor, as JSON on a Unix socket that its user alone may open."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

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
        self._server.listen(path=self._path, mode=0o600, replace_stale=True)
        await once(self._server, "listening")

    def stop(self) -> None:
        self._server.close()

    def _asked(self, socket: Socket) -> None:
        socket.on("error", lambda _: None)
        socket.set_timeout(PATIENCE, socket.destroy)
        socket.end(json.dumps(self._snapshot()) + "\n")
