"""A network on loopback that loses, doubles, reorders, delays and damages datagrams, by chances that a test gives."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Chances", "LossyRelay", "lossy_relay"]

HELD_BACK = 0.002  # seconds, at most, of one that lets another pass


@dataclass
class Chances:
    """Each from 0 to 1, of one datagram, in either direction."""

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.0  # seconds at most, evenly spread

    @classmethod
    def all(cls, chance: float, delay: float = 0.0) -> Chances:
        return cls(chance, chance, chance, chance, delay)


@dataclass
class Counts:
    """What has become of them."""

    passed: int = 0
    dropped: int = 0
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0
    held: list[Callable[[], None]] = field(default_factory=list)


class _Endpoint(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, Any], None]) -> None:
        self.received = received

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, remote: Any) -> None:
        self.received(data, remote)


class LossyRelay:
    """Between clients and a server; each client has a socket of its own towards the server."""

    def __init__(self, target: tuple[str, int], chances: Chances, seed: int) -> None:
        self.target = target
        self.chances = chances
        self.counts = Counts()
        self.closed = False
        self._random = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        self._upstream: dict[Any, _Endpoint] = {}
        self._early: dict[Any, list[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        _, self._front = await self._loop.create_datagram_endpoint(
            lambda: _Endpoint(self._from_client), ("127.0.0.1", 0)
        )
        self.address: tuple[str, int] = self._front.transport.get_extra_info("sockname")

    def rebind(self) -> None:
        """From now on the server sees every client at another address, as behind a NAT that has forgotten them."""
        for endpoint in self._upstream.values():
            endpoint.transport.close()
        self._upstream.clear()

    def close(self) -> None:
        self.closed = True
        for endpoint in (self._front, *self._upstream.values()):
            endpoint.transport.close()

    def _from_client(self, data: bytes, client: Any) -> None:
        endpoint = self._upstream.get(client)
        if endpoint is not None:
            self._pass_on(data, lambda changed: self._send(endpoint, changed, None))
        elif client in self._early:
            self._early[client].append(data)
        else:
            self._early[client] = [data]
            task = self._loop.create_task(self._connect(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, client: Any) -> None:
        def back(data: bytes, _server: Any) -> None:
            self._pass_on(data, lambda changed: self._send(self._front, changed, client))

        _, endpoint = await self._loop.create_datagram_endpoint(lambda: _Endpoint(back), remote_addr=self.target)
        self._upstream[client] = endpoint
        for data in self._early.pop(client):
            self._from_client(data, client)

    def _send(self, endpoint: _Endpoint, data: bytes, remote: Any) -> None:
        if not self.closed and not endpoint.transport.is_closing():
            endpoint.transport.sendto(data, remote)

    def _pass_on(self, data: bytes, send: Callable[[bytes], None]) -> None:
        counts, chances, chance = self.counts, self.chances, self._random.random
        if chance() < chances.drop:
            counts.dropped += 1
            return
        if data and chance() < chances.corrupt:
            counts.corrupted += 1
            place = self._random.randrange(len(data))
            data = data[:place] + bytes([data[place] ^ self._random.randrange(1, 256)]) + data[place + 1 :]
        copies = 1
        if chance() < chances.duplicate:
            counts.duplicated += 1
            copies = 2
        for _ in range(copies):
            counts.passed += 1
            if chance() < chances.reorder:
                counts.reordered += 1
                self._hold(lambda: send(data))
            elif chances.delay:
                self._loop.call_later(chance() * chances.delay, send, data)
            else:
                send(data)
                self._let_go()

    def _hold(self, release: Callable[[], None]) -> None:
        self.counts.held.append(release)
        self._loop.call_later(HELD_BACK, self._let_go)

    def _let_go(self) -> None:
        held, self.counts.held = self.counts.held, []
        for release in held:
            release()


@contextlib.asynccontextmanager
async def lossy_relay(target: tuple[str, int], chances: Chances, seed: int = 1) -> AsyncIterator[LossyRelay]:
    relay = LossyRelay(target, chances, seed)
    await relay.open()
    try:
        yield relay
    finally:
        relay.close()
        await asyncio.sleep(0)
