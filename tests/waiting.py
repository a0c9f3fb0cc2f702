"""Waiting for an event that may come before the next await."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["upcoming"]


def upcoming(emitter: Any, name: str) -> asyncio.Future[tuple[Any, ...]]:
    """The arguments of the next event of this name.

    Unlike conftest.event() it listens from now on, not from when it is awaited: a task that has
    only just been made does not run before the loop has polled for I/O once more.
    """
    future: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    def listener(*arguments: Any) -> None:
        if not future.done():
            future.set_result(arguments)

    emitter.once(name, listener)
    return future
