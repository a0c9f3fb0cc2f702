"""Qlog: what happens in a session, in the format of that name (JSON text sequences).  Sections 1, 4 and 5.

It is made as it is read: what nobody reads is kept up to a bound, and then the oldest is dropped and counted.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

from uvnet.quic.emitter import QuicEmitter

__all__ = ["Qlog"]

MOST = 1_048_576  # bytes that wait to be read


class Qlog(QuicEmitter):
    """A log of one session: `async for record in qlog`, or 'data' (bytes) and 'end' events; records are whole lines.

    `dropped`: records that nobody has read in time.  Node: "quicsession.qlog".
    """

    def __init__(self, parent: QuicEmitter, client: bool, original: bytes) -> None:
        super().__init__(parent)
        self._records: deque[bytes] = deque()
        self._length = 0
        self._ended = False
        self.dropped = 0
        self._waiting: list[Any] = []
        self._observe("newListener", self._somebody_listens)
        head = {
            "qlog_version": "0.3",
            "qlog_format": "JSON-SEQ",
            "trace": {
                "common_fields": {"ODCID": original.hex()},
                "vantage_point": {"name": "uvnet", "type": "client" if client else "server"},
            },
        }
        self._add(head)

    def read(self) -> bytes | None:
        """All that is there, None where there is nothing."""
        if not self._records:
            return None
        data = b"".join(self._records)
        self._records.clear()
        self._length = 0
        return data

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended

    def __iter__(self) -> Iterator[bytes]:
        """The records that are there."""
        while self._records:
            record = self._records.popleft()
            self._length -= len(record)
            yield record

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The records as they come, until the session ends."""
        while True:
            for record in self:
                yield record
            if self._ended:
                return
            future = self._record.loop.create_future()
            self._waiting.append(future)
            await future

    # === For the engine ===

    def _add(self, record: dict[str, Any]) -> None:
        line = b"\x1e" + json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"
        if self._is_heard("data"):
            self._emit_later("data", line)
            return
        self._records.append(line)
        self._length += len(line)
        while self._length > MOST:
            self._length -= len(self._records.popleft())
            self.dropped += 1
        self._wake()

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            self._wake()
            self._emit_later("end")

    # === Private ===

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _somebody_listens(self, event: Any, _listener: Any) -> None:
        if event == "data":
            self._later_call(self._catch_up)

    def _catch_up(self) -> None:
        for record in self:
            self._emit_here("data", record)
