"""Coroutines that callbacks of users return: wherever a function may be given, an `async def` may be.

Owns the tasks that run them, since asyncio keeps only weak references to tasks.
"""

from asyncio import get_running_loop
from collections.abc import Coroutine

cdef dict _tasks = {}                    # task -> on whose behalf it runs


cdef bint is_real_coroutine(object result) except -1:
    # Futures and tasks can be awaited too, but somebody runs them already.
    return isinstance(result, Coroutine)


cdef int start_coroutine(object loop, object coroutine, object owner, object failed) except -1:
    """Run it as a task of `loop`, None for the running one; failed(error) hears of an exception that ends it."""
    _start(loop, coroutine, owner, failed)
    return 0


cdef list running_coroutines():
    """(task, owner) of all that have not ended."""
    return [item for item in list(_tasks.items()) if not item[0].done()]


def _start(loop, coroutine, owner, failed):
    try:
        task = (get_running_loop() if loop is None else loop).create_task(coroutine)
    except BaseException:
        coroutine.close()
        raise
    _tasks[task] = owner

    def done(finished):
        del _tasks[finished]
        if not finished.cancelled() and finished.exception() is not None:
            failed(finished.exception())

    task.add_done_callback(done)
