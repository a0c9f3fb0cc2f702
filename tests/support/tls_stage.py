"""What tests of TLS share: loops to run a scenario on, protocols that write down what they are told."""

from __future__ import annotations

import asyncio
import ssl
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvnet

__all__ = [
    "LOOPS",
    "VERSIONS",
    "Buffered",
    "Recorder",
    "Reports",
    "all_gone",
    "echo",
    "in_thread",
    "on_loop",
    "open_pair",
    "recorded",
    "serve",
    "traces",
]

LOOPS: dict[str, Callable[[], Any]] = {"uvnet": uvnet.new_event_loop}
if sys.version_info >= (3, 11):
    # The TLS of asyncio before is another one, and no measure.
    LOOPS["asyncio"] = asyncio.SelectorEventLoop
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

Reports = list[dict[str, Any]]


def on_loop(
    scenario: Callable[[], Coroutine[Any, Any, Any]],
    factory: Callable[[], Any] = uvnet.new_event_loop,
    reports: Reports | None = None,
    timeout: float = 30,
) -> Any:
    """Run a scenario on a loop of its own; what reaches its exception handler goes to `reports`, or fails."""
    reported: Reports = [] if reports is None else reports
    loop = factory()
    loop.set_exception_handler(lambda _, context: reported.append(context))

    async def bounded() -> Any:
        try:
            return await asyncio.wait_for(scenario(), timeout)
        finally:
            # asyncio closes sockets a turn or two later.
            for _ in range(5):
                await asyncio.sleep(0)

    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(bounded())
    finally:
        try:
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
        if reports is None:
            assert not reported


def traces(scenario: Callable[[], Coroutine[Any, Any, Any]], reports: bool = False) -> tuple[Any, Any]:
    """What a scenario gives on uvnet's loop, and on asyncio's; with what was reported, if that is wanted."""
    results = []
    for factory in LOOPS.values():
        reported: Reports = []
        result = on_loop(scenario, factory, reported if reports else None)
        kinds = [type(context.get("exception")).__name__ for context in reported]
        results.append((result, kinds) if reports else result)
    return results[0], results[-1]


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


class Recorder(asyncio.Protocol):
    """Writes down what it is told; data that comes in pieces is one."""

    def __init__(self, **actions: Callable[[Any], Any]) -> None:
        loop = asyncio.get_running_loop()
        self.actions = actions  # by the names of callbacks: what is done there
        self.trace: list[Any] = []
        self.data = bytearray()
        self.transport: Any = None
        self.made: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[Any] = loop.create_future()
        self.paused: asyncio.Future[None] = loop.create_future()
        self.resumed: asyncio.Future[None] = loop.create_future()
        self.count = 0
        self._wanted: list[tuple[int, asyncio.Future[None]]] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.trace.append("made")
        self.made.set_result(None)
        self._act("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.received(len(data))

    def received(self, length: int) -> None:
        self.count += length
        if self.trace and isinstance(self.trace[-1], int):
            self.trace[-1] += length
        else:
            self.trace.append(length)
        for wanted, future in self._wanted:
            if self.count >= wanted and not future.done():
                future.set_result(None)
        self._act("data")

    def eof_received(self) -> Any:
        self.trace.append("eof")
        self.ended.set_result(None)
        return self._act("eof")

    def pause_writing(self) -> None:
        self.trace.append("pause")
        if not self.paused.done():
            self.paused.set_result(None)
        self._act("pause")

    def resume_writing(self) -> None:
        self.trace.append("resume")
        if not self.resumed.done():
            self.resumed.set_result(None)
        self._act("resume")

    def connection_lost(self, error: Any) -> None:
        self.trace.append(("lost", None if error is None else type(error).__name__))
        self.lost.set_result(error)
        self._act("lost")

    def _act(self, name: str) -> Any:
        action = self.actions.get(name)
        return None if action is None else action(self)

    async def until(self, count: int) -> None:
        """Wait until so many bytes have come in all."""
        if self.count < count:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._wanted.append((count, future))
            await future


class Buffered(Recorder, asyncio.BufferedProtocol):
    """The same with a buffer of its own."""

    def __init__(self, size: int = 65536, **actions: Callable[[Any], Any]) -> None:
        super().__init__(**actions)
        self.buffer = bytearray(size)

    def get_buffer(self, sizehint: int) -> Any:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += memoryview(self.buffer)[:nbytes]
        self.received(nbytes)


def recorded(protocols: list[Recorder], **actions: Callable[[Any], Any]) -> Callable[[], Recorder]:
    """A factory of protocols that go on a list."""

    def factory() -> Recorder:
        protocols.append(Recorder(**actions))
        return protocols[-1]

    return factory


def echo(protocol: Recorder) -> None:
    """An action for data: send it back, and forget it."""
    protocol.transport.write(bytes(protocol.data))
    protocol.data.clear()


async def all_gone(server: Any) -> None:
    """Wait until a server has no connection any more."""
    while server.connections:
        await asyncio.sleep(0.001)


async def serve(context: ssl.SSLContext, factory: Callable[[], Any], **options: Any) -> tuple[Any, int]:
    """A TLS server on the running loop, and its port."""
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=context, **options)
    return server, server.sockets[0].getsockname()[1]


async def open_pair(
    certificates: Any,
    version: ssl.TLSVersion | None = None,
    server: Callable[[], Any] = Recorder,
    client: Callable[[], Any] = Recorder,
    **options: Any,
) -> tuple[Any, Any]:
    """The protocols of both ends of a TLS connection in this loop: (server's, client's)."""
    loop = asyncio.get_running_loop()
    accepted = loop.create_future()

    def make() -> Any:
        protocol = server()
        accepted.set_result(protocol)
        return protocol

    listening, port = await serve(certificates.server(version), make, **options)
    try:
        _, near = await loop.create_connection(
            client, "127.0.0.1", port, ssl=certificates.client(version), server_hostname="localhost", **options
        )
        far = await accepted
        await far.made
    finally:
        listening.close()
    return far, near
