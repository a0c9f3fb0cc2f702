"""Asking a loop from another thread: what it counts is not to be looked at while it goes on, where there is no GIL."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sysconfig
from collections.abc import Callable
from typing import TypeVar

__all__ = ["ask"]

_T = TypeVar("_T")

FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
PATIENCE = 5.0  # seconds


def ask(loop: asyncio.AbstractEventLoop, function: Callable[[], _T]) -> _T:
    """What function() returns or raises: called here, or, without a GIL, in the thread in which the loop runs.

    Raises RuntimeError where something holds that loop up for more than 5 seconds.
    """
    if not FREE_THREADED or not loop.is_running() or asyncio._get_running_loop() is loop:
        return function()
    answer: concurrent.futures.Future[_T] = concurrent.futures.Future()

    def give() -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(function())
        except Exception as error:
            answer.set_exception(error)

    # It may have been closed in the meantime.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(give)
    try:
        return answer.result(PATIENCE)
    except concurrent.futures.TimeoutError:
        answer.cancel()
        raise RuntimeError(f"{loop!r} runs in another thread and has not answered: something holds it up") from None
