"""What nearly every test has in its hands: the loop it runs on, where it listens and connects, and its waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

__all__ = ["Player", "Transport", "close", "event", "listen"]


class Player:
    """Runs scenarios; `reported` are the contexts that reached the loop's exception handler."""

    def __init__(self) -> None:
        self.reported: list[dict[str, Any]] = []
        self.expected = 0

    def __call__(self, scenario: Callable[[], Coroutine[Any, Any, Any]], timeout: float = 20) -> Any:
        async def bounded() -> Any:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: self.reported.append(context))
            return await asyncio.wait_for(scenario(), timeout)

        return uvloop.run(bounded())

    def expect_report(self, kind: type[BaseException]) -> BaseException:
        """The one exception of this kind that was reported; it counts as expected."""
        found = [context for context in self.reported if isinstance(context.get("exception"), kind)]
        assert len(found) == 1, self.reported
        self.expected += 1
        exception = found[0]["exception"]
        assert isinstance(exception, kind)
        return exception


class Transport:
    """One kind of connection: how to listen on it and how to connect to what listens."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.path = str(directory / "socket")

    @property
    def listen_arguments(self) -> tuple[Any, ...]:
        return (0, "127.0.0.1") if self.kind == "tcp" else (self.path,)

    def connect_arguments(self, server: Any) -> tuple[Any, ...]:
        return (server.address().port, "127.0.0.1") if self.kind == "tcp" else (self.path,)


async def event(emitter: Any, name: str) -> tuple[Any, ...]:
    """The arguments of the next event of this name."""
    future: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    def listener(*arguments: Any) -> None:
        if not future.done():
            future.set_result(arguments)

    emitter.once(name, listener)
    return await future


async def listen(server: Any, transport: Transport) -> Any:
    """Wait until `server` listens; returns it."""
    server.listen(*transport.listen_arguments)
    if not server.listening:
        await event(server, "listening")
    return server


async def close(server: Any) -> None:
    """Wait until `server` is closed."""
    server.close()
    await event(server, "close")
