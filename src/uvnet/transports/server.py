"""Server: what loop.create_server() returns.  asyncio: "Server Objects"."""

from __future__ import annotations

import asyncio
import socket as _socket
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from uvnet._accept.listener import Lease
from uvnet.transports.names import ListeningSocket
from uvnet.transports.transport_server import TransportServer

__all__ = ["Server"]


class Server(TransportServer, asyncio.AbstractServer):
    """Listening sockets and the transports that came from them.  asyncio: "asyncio.Server"."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: Sequence[_socket.socket],
        protocol_factory: Callable[[], Any],
        backlog: int,
        given: bool,
        *,
        tls_options: tuple[Any, float, float] | None = None,
        on_closed: Callable[[], object] | None = None,
        leases: Sequence[Lease] = (),
        **options: Any,
    ) -> None:
        super().__init__(loop, protocol_factory, tls_options, **options)
        self._loop = loop
        self._sockets: list[_socket.socket] | None = list(listening)
        self._backlog = backlog
        self._given = given
        self._serving = False
        self._forever: asyncio.Future[None] | None = None
        self._waiters: list[asyncio.Future[None]] | None = []
        self._on_closed = on_closed
        # Of sockets that are another process's, in their order.
        self._leases = leases

    def __repr__(self) -> str:
        return f"<{type(self).__name__} sockets={self.sockets!r}>"

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop.  asyncio: "Server.get_loop()"."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether new connections are accepted.  asyncio: "Server.is_serving()"."""
        return self._serving

    @property
    def sockets(self) -> tuple[ListeningSocket, ...]:
        """The sockets it listens on; empty once it is closed.  asyncio: "Server.sockets"."""
        return tuple(map(ListeningSocket, self._sockets or ()))

    def _start_serving(self) -> None:
        if self._serving or self._sockets is None:
            return
        self._serving = True
        for listening, lease in zip_longest(self._sockets, self._leases):
            self._listen(listening, self._backlog, self._given, lease)

    async def start_serving(self) -> None:
        """Accept connections; harmless twice.  asyncio: "Server.start_serving()"."""
        self._start_serving()
        # Once round the loop, as asyncio's: then it is listening.
        await asyncio.sleep(0)

    async def serve_forever(self) -> None:
        """Accept connections until cancelled; then the server is closed.  asyncio: "Server.serve_forever()"."""
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        if self._sockets is None:
            raise RuntimeError(f"server {self!r} is closed")
        self._start_serving()
        self._forever = self._loop.create_future()
        try:
            await self._forever
        except asyncio.CancelledError:
            try:
                self.close()
                await self.wait_closed()
            finally:
                raise
        finally:
            self._forever = None

    def close(self) -> None:
        """Stop listening; connections stay.  Harmless twice.  asyncio: "Server.close()"."""
        sockets, self._sockets = self._sockets, None
        if sockets is None:
            return
        if self._on_closed is not None:
            self._on_closed()
        self._stop_listening()
        for lease in self._leases:
            lease.give_up()
        for listening in sockets:
            listening.close()
        self._serving = False
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake_if_over()

    def close_clients(self) -> None:
        """close() every transport of the server.  asyncio: "Server.close_clients()" (here on every version)."""
        self._cut_stages()
        for transport in self._open_connections():
            transport.close()

    def abort_clients(self) -> None:
        """abort() every transport of the server.  asyncio: "Server.abort_clients()" (here on every version)."""
        self._cut_stages()
        for transport in self._open_connections():
            transport.abort()

    def _close_and_tell(self, over: Callable[[], object]) -> None:
        """close(), and over() once the connections have ended too."""
        if self._waiters is None:
            over()
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        waiter.add_done_callback(lambda _: over())
        self._waiters.append(waiter)
        self.close()

    async def wait_closed(self) -> None:
        """Wait until it is closed and, from CPython 3.12 on, its connections are.  asyncio: "Server.wait_closed()"."""
        if self._sockets is not None or sys.version_info >= (3, 12):
            await self._drained()

    async def _drained(self) -> None:
        """Wait until it is closed and its connections are over."""
        if self._waiters is None:
            return
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _connection_gone(self) -> None:
        self._wake_if_over()

    def _wake_if_over(self) -> None:
        if self._sockets is not None or self.connections or self._waiters is None:
            return
        waiters, self._waiters = self._waiters, None
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.close()
        await self.wait_closed()
