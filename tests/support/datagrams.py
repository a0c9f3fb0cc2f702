"""For tests of datagrams: a bound handle, and what it has been told."""

from __future__ import annotations

import asyncio
from typing import Any

from uvnet._udp.datagram import DatagramHandle

__all__ = ["End", "Received"]

Received = tuple[bytes, tuple[Any, ...], "str | None"]


class End:
    """A handle, all that it has received, by calls, and the errors that it was told."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, **options: Any) -> None:
        self.batches: list[list[Received]] = []
        self.errors: list[tuple[OSError, tuple[Any, ...] | None]] = []
        self.handle = DatagramHandle(asyncio.get_running_loop(), self.received, self.failed, owner=self)
        try:
            self.handle.bind(address, port, ipv6=":" in address, **options)
        except BaseException:
            self.handle.close()
            raise
        self.name = self.handle.getsockname()

    def received(self, batch: list[Received]) -> None:
        self.batches.append(batch)

    def failed(self, error: OSError, remote: tuple[Any, ...] | None) -> None:
        self.errors.append((error, remote))

    @property
    def got(self) -> list[Received]:
        return [each for batch in self.batches for each in batch]

    @property
    def data(self) -> list[bytes]:
        return [each[0] for each in self.got]

    async def close(self) -> None:
        closed = asyncio.get_running_loop().create_future()
        self.handle.close(lambda: closed.set_result(None))
        await closed
