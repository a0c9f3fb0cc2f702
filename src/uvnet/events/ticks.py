"""The tick queue as users see it.  Node: "process.nextTick(callback[, ...args])"; decision 22."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvnet._loop.loop import running_record
from uvnet._loop.tick import next_tick_on

__all__ = ["next_tick"]


def next_tick(callback: Callable[..., Any], *arguments: Any) -> None:
    """Call callback(*arguments) after the current callback of uvnet, before any further I/O.

    Called from anywhere else, the callback runs before the loop next waits for I/O.  An exception goes to the
    loop's exception handler.  The coroutine of an `async def` runs as a task.
    Raises TypeError for something that cannot be called.  Node: "process.nextTick(callback[, ...args])".
    """
    next_tick_on(running_record(), callback, *arguments)
