"""Waiting for the first of some events of an emitter, before its listeners hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

__all__ = ["first_of"]


async def first_of(emitter: Any, outcomes: dict[Hashable, Callable[..., Any]]) -> Any:
    """Wait for the first of some events; returns what its outcome does with the arguments, or raises it."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def listener(outcome: Callable[..., Any]) -> Callable[..., None]:
        def happened(*arguments: Any) -> None:
            if not future.done():
                result = outcome(*arguments)
                if isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    future.set_result(result)

        return happened

    listeners = {event: listener(outcome) for event, outcome in outcomes.items()}
    for event, function in listeners.items():
        emitter._observe(event, function, first=True)
    try:
        return await future
    finally:
        for event, function in listeners.items():
            emitter._stop_observing(event, function)
