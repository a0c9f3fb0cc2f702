"""Every test runs on a loop of its own and leaves nothing behind.

`play(scenario)` runs a coroutine function inside a fresh uvloop and afterwards asserts that no handle, request
or pinned buffer is left, and that nothing was reported to the loop's exception handler that the test did
not expect.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from uvnet._core.counters import snapshot
from uvnet.relaying import _enable

NOTHING = {"handles": 0, "requests": 0, "pinned": 0}


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


@pytest.fixture
def play() -> Iterator[Player]:
    player = Player()
    yield player
    assert len(player.reported) == player.expected, player.reported


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The workers of a parallel run find each other's tests by name.
    changing = [item.nodeid for item in items if re.search(" at 0x[0-9a-f]+", item.nodeid)]
    if changing:
        raise pytest.UsageError(f"names of tests that differ from run to run: {', '.join(changing)}")


@settings(max_examples=1, database=None)
@given(st.none())
def _draw(_nothing: None) -> None:
    """What hypothesis makes when it is first used."""


def pytest_collection_finish() -> None:
    # Tests and the modules they import stay to the end: collections after each test need not look at them.
    # Hypothesis asks the collector who refers to its random numbers, and would not hear of what is frozen.
    _draw()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test may leave a handle, a request or a pinned buffer, nor begin with one."""
    assert snapshot() == NOTHING
    yield
    gc.collect()
    assert snapshot() == NOTHING


@pytest.fixture
def relays_on() -> Iterator[None]:
    """Relays, also where UVNET_RELAY=0 has switched them off for the rest of the suite."""
    before = _enable(True)
    yield
    _enable(before)


@pytest.fixture(params=["tcp", "unix"])
def transport(request: pytest.FixtureRequest, tmp_path: Path) -> Transport:
    """Where to listen and connect, once with TCP and once with a Unix socket."""
    return Transport(request.param, tmp_path)


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
