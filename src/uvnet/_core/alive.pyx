"""What keeps a loop alive: the end of run() without a coroutine, and the list for the curious.

Node ends when no active, referenced handle or request is left.  Here asyncio's tasks and timers count too.
"""

import asyncio

from uvnet._core.handle cimport Handle, first_alive, open_handles
from uvnet._core.idle cimport IdleTimers
from uvnet._core.record cimport LoopRecord
from uvnet._core.tick cimport report
from uvnet._uv.table cimport uv


def stop_when_idle(LoopRecord record not None):
    """Stop the running loop once nothing keeps it alive."""
    record.look_for_end = _look_for_end
    record.wake(record)


cdef void _look_for_end(LoopRecord record) noexcept:
    try:
        if not _is_alive(record):
            record.look_for_end = NULL
            record.loop.stop()
    except BaseException as error:
        report(record, error, "exception while looking for the end of run()", None)


cdef bint _is_alive(LoopRecord record) except -1:
    cdef IdleTimers idle_timers
    cdef int milliseconds
    if record.pending_requests or record.tick_count or first_alive(record) is not None:
        return True
    # The timer of our idle timeouts never keeps the process alive (rule 2.12.8).
    idle_timers = <IdleTimers>record.idle_timers
    if idle_timers is not None:
        idle_timers.suspend()
    # libuv: -1 when the loop would block without limit, so when no timer is set and no callback waits.
    milliseconds = uv.backend_timeout(record.uv_loop)
    if idle_timers is not None:
        idle_timers.resume()
    if milliseconds == 0:
        # libuv: also 0 while a new watcher waits for the next poll, which may then block without limit.
        # Another turn of the loop tells.
        record.loop.call_soon(_nothing)
    return milliseconds != -1 or bool(asyncio.all_tasks(record.loop))


def _nothing():
    pass


def active_handles(LoopRecord record not None):
    """The owners (Socket, Server) of the handles that keep run() going now."""
    cdef Handle handle
    cdef list owners = []
    for handle in open_handles(record):
        if handle.block.referenced and handle.is_active() and handle.owner is not None:
            owners.append(handle.owner)
    return owners
