"""run(): the whole life of a loop, with or without a coroutine.

Node's process lives until nothing keeps its loop alive; so does run().
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar, overload

from uvnet._core import alive
from uvnet._core.loop import record_of, running_record, take_pending_loop

__all__ = ["active_handles", "run"]

_T = TypeVar("_T")


@overload
def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T: ...
@overload
def run(main: None = None, *, debug: bool | None = None) -> None: ...
def run(main: Coroutine[Any, Any, _T] | None = None, *, debug: bool | None = None) -> _T | None:
    """Run the loop that the objects made so far in this thread belong to, then close it.

    With a coroutine: until it is done; returns its result or raises its exception, like asyncio.run().
    Without: until nothing keeps the loop alive (no open, referenced server or connection, no task, no timer, nothing
    written that waits to be sent).
    In both cases everything that is still open is closed before it returns or raises (also for Ctrl-C).
    `debug`: True or False sets asyncio's debug mode, None leaves it.
    Raises RuntimeError inside a running loop, and TypeError for anything that is no coroutine.
    This is not in Node: there the process is the loop.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("uvnet.run() cannot be called from a running event loop")
    if main is not None and not asyncio.iscoroutine(main):
        raise TypeError(f"uvnet.run() needs a coroutine, not {type(main).__name__}")
    loop = take_pending_loop()
    record = record_of(loop)
    asyncio.set_event_loop(loop)
    if debug is not None:
        loop.set_debug(debug)
    try:
        if main is None:
            alive.stop_when_idle(record)
            loop.run_forever()
            return None
        return _run_coroutine(loop, main)
    finally:
        try:
            _cancel_tasks(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _run_coroutine(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, _T]) -> _T:
    task = loop.create_task(main)
    try:
        return loop.run_until_complete(task)
    except (KeyboardInterrupt, SystemExit):
        # As asyncio.run() does: the coroutine hears of it as a cancellation.
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)
        raise


def _cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler(
                {
                    "message": "unhandled exception during uvnet.run() shutdown",
                    "exception": task.exception(),
                    "task": task,
                }
            )


def active_handles() -> list[Any]:
    """A list of the servers and sockets that keep uvnet.run() going now, on the current loop.

    This is not in Node.
    """
    return list(alive.active_handles(running_record()))
