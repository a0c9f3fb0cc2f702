"""Coroutines that callbacks of users return: wherever a function may be given, an `async def` may be.

Owns the tasks that run them, since asyncio keeps only weak references to tasks.
"""

from asyncio import get_running_loop
from collections.abc import Coroutine

cdef set _tasks = set()


cdef bint is_real_coroutine(object result) except -1:
    # Futures and tasks can be awaited too, but somebody runs them already.
    return isinstance(result, Coroutine)


cdef int start_coroutine(object loop, object coroutine, object failed) except -1:
    """Run it as a task of `loop`, None for the running one; failed(error) hears of an exception that ends it."""
    _start(loop, coroutine, failed)
    return 0


def _start(loop, coroutine, failed):
    try:
        task = (get_running_loop() if loop is None else loop).create_task(coroutine)
    except BaseException:
        coroutine.close()
        raise
    _tasks.add(task)

    def done(finished):
        _tasks.discard(finished)
        if not finished.cancelled() and finished.exception() is not None:
            failed(finished.exception())

    task.add_done_callback(done)
