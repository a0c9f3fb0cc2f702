"""What others are told of a supervisor: systemd, and whoever asks at its status socket."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from uvnet.cluster.notify import Notifier
from uvnet.cluster.status import StatusServer

__all__ = ["Telling"]

_log = logging.getLogger("uvnet")


class Telling:
    """status: the path of the status socket, where snapshot() is told, or None."""

    def __init__(self, status: str | None, snapshot: Callable[[], dict[str, Any]]) -> None:
        self.systemd = Notifier()
        self._server = None if status is None else StatusServer(status, snapshot)

    async def start(self, must_work: bool) -> None:
        """Raises OSError where there can be no status socket, and logs it where that is no reason to end."""
        self.systemd.start()
        if self._server is None:
            return
        try:
            await self._server.start()
        except OSError as error:
            if must_work:
                self.stop()
                raise
            _log.error("the status cannot be told: %s", error)

    def stop(self) -> None:
        self.systemd.stop()
        if self._server is not None:
            self._server.stop()
