"""Waiting: for an event that may come before the next await, for a condition, for a few turns, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["step", "turns", "until", "upcoming"]


def upcoming(emitter: Any, name: str) -> asyncio.Future[tuple[Any, ...]]:
    """The arguments of the next event of this name.

    Unlike harness.event() it listens from now on, not from when it is awaited: a task that has
    only just been made does not run before the loop has polled for I/O once more.
    """
    future: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    def listener(*arguments: Any) -> None:
        if not future.done():
            future.set_result(arguments)

    emitter.once(name, listener)
    return future


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something is true that no event tells of; the limit is that of the scenario."""
    while not condition():
        await asyncio.sleep(0.001)


async def turns(count: int = 5) -> None:
    """Let the loop poll a few times: for what is to come, or must not."""
    for _ in range(count):
        await asyncio.sleep(0)


def step(awaitable: Any) -> Any:
    """What an awaitable gives without suspending; fails where it would."""
    with pytest.raises(StopIteration) as stopped:
        next(awaitable.__await__())
    return stopped.value.value
