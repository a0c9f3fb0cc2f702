"""run(): the whole life of a loop, with or without a coroutine.

Node's process lives until nothing keeps its loop alive; so does run().
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Generator
from types import FrameType
from typing import Any, TypeVar, overload

from uvnet._loop import alive
from uvnet._loop.loop import record_of, running_record, take_pending_loop

__all__ = ["active_handles", "at_run", "run"]

_T = TypeVar("_T")

_at_run: list[Callable[[], object]] = []


def at_run(function: Callable[[], object]) -> None:
    """Have function() called on the loop of each run() when it begins."""
    _at_run.append(function)


@overload
def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T: ...
@overload
def run(main: None = None, *, debug: bool | None = None) -> None: ...
def run(main: Coroutine[Any, Any, _T] | None = None, *, debug: bool | None = None) -> _T | None:
    """Run the loop that the objects made so far in this thread belong to, then close it.

    With a coroutine: until it is done; returns its result or raises its exception, like asyncio.run().
    Without: until nothing keeps the loop alive (no open, referenced server or connection, no task, no timer, nothing
    written that waits to be sent).
    Then it raises the error (OSError) of a server that could not listen, where no 'error' listener heard of it, the
    server was not closed, and so nothing is left; Python ends with exit code 1.
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
    for function in _at_run:
        loop.call_soon(function)
    try:
        if main is None:
            alive.stop_when_idle(record)
            try:
                loop.run_forever()
            finally:
                unheard = alive.take_unheard(record)
            if unheard is not None:
                raise unheard
            return None
        return _run_coroutine(loop, main)
    finally:
        try:
            _cancel_tasks(loop, asyncio.all_tasks(loop))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def _run_coroutine(loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, _T]) -> _T:
    if sys.version_info >= (3, 14):
        entered: Any = _left_as_entered(loop, main)
        # Which the task is shown with.
        entered.__qualname__ = getattr(main, "__qualname__", entered.__qualname__)
        main = entered
    task = loop.create_task(main)
    with _cancelled_by_sigint(loop, task) as interrupted:
        try:
            return loop.run_until_complete(task)
        except asyncio.CancelledError:
            if interrupted():
                raise KeyboardInterrupt from None
            raise
        except (KeyboardInterrupt, SystemExit):
            # In a child of a fork all_tasks() does not know it any more, since CPython 3.14.
            _cancel_tasks(loop, {task})
            raise


async def _left_as_entered(
    loop: asyncio.AbstractEventLoop, main: Coroutine[Any, Any, _T]
) -> _T:
    """`main`, left while its loop and its task are the running ones, as asyncio demands since Python 3.14.

    In a forked child none are; one that left the task so would hang.
    """
    process = os.getpid()
    task = asyncio.current_task()
    try:
        return await main
    finally:
        if os.getpid() != process:
            asyncio._set_running_loop(loop)
            if task is not None and asyncio.current_task() is None:
                asyncio.tasks._enter_task(loop, task)


@contextlib.contextmanager
def _cancelled_by_sigint(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]
) -> Generator[Callable[[], bool], None, None]:
    """Let Ctrl-C cancel the task, as asyncio.Runner does; a second one raises KeyboardInterrupt where it finds us.

    A KeyboardInterrupt raised by the handler itself is lost where CPython calls it from a destructor.
    Gives a function that says whether it was Ctrl-C that ended the task.
    """
    count = 0

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count > 1 or task.done():
            raise KeyboardInterrupt
        task.cancel()
        # Wakes a loop that waits.
        loop.call_soon_threadsafe(lambda: None)

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: count > 0
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _cancel_tasks(loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]]) -> None:
    tasks = {task for task in tasks if not task.done()}
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

    One whose host is being looked up is among them.  This is not in Node.
    """
    return list(alive.active_handles(running_record()))
