"""What keeps a loop alive: the end of run() without a coroutine, and the list for the curious.

Node ends when no active, referenced handle or request is left.  Here asyncio's tasks and timers count too.
A server that could not listen, without anybody hearing of it, is why nothing is left: run() raises its error.
"""

import asyncio

from uvnet._loop.handle cimport HANDLE_OPEN, Handle, first_alive, open_handles, user_of
from uvnet._loop.idle cimport IdleTimers
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport report, report_unheard
from uvnet._uv.table cimport uv

cdef enum Rest:
    NOTHING_LEFT
    NOT_YET_KNOWN            # another turn of the loop tells
    GOES_ON


def stop_when_idle(LoopRecord record not None):
    """Stop the running loop once nothing keeps it alive."""
    record.check()
    record.look_for_end = _look_for_end
    record.wake(record)


cdef void _look_for_end(LoopRecord record) noexcept:
    cdef Rest rest
    try:
        rest = _what_is_left(record)
        if rest == NOTHING_LEFT:
            record.look_for_end = NULL
            record.loop.stop()
        elif rest == GOES_ON:
            _tell(record)
    except BaseException as error:
        report(record, error, "exception while looking for the end of run()", None)


cdef Rest _what_is_left(LoopRecord record) except *:
    cdef IdleTimers idle_timers
    cdef Handle handle
    cdef int milliseconds
    if record.tick_count:
        return NOT_YET_KNOWN
    if record.lookups or record.awaited:
        return GOES_ON
    handle = first_alive(record)
    if handle is not None:
        return GOES_ON if handle.state == HANDLE_OPEN else NOT_YET_KNOWN
    # The timer of our idle timeouts never keeps the process alive (rule 2.12.8).
    idle_timers = <IdleTimers>record.idle_timers
    if idle_timers is not None:
        idle_timers.suspend()
    # libuv: -1 when the loop would block without limit, so when no timer is set and no callback waits.
    milliseconds = uv.backend_timeout(record.uv_loop)
    if idle_timers is not None:
        idle_timers.resume()
    if milliseconds > 0:
        return GOES_ON
    if milliseconds == 0:
        # libuv: also 0 while a new watcher waits for the next poll, which may then block without limit.
        record.loop.call_soon(_nothing)
        return NOT_YET_KNOWN
    return GOES_ON if asyncio.all_tasks(record.loop) else NOTHING_LEFT


def _nothing():
    pass


# === Servers that could not listen ===

def keep_unheard(LoopRecord record not None, error, server):
    """Report that `server` cannot listen, which no listener heard: at once, or by raising it at the end of run().

    Where run() goes on it is reported too.  One is kept: there is one exception to raise.
    """
    if record.look_for_end is NULL or record.unheard is not None:
        report_unheard(record, error, server)
    else:
        record.unheard = (server, error)
        record.hold.untold = True


def forget_unheard(LoopRecord record not None, server):
    """The end of run() is not for want of `server` any more: it listens, or is not meant to."""
    if record.unheard is not None and record.unheard[0] is server:
        _tell(record)
        record.unheard = None


def take_unheard(LoopRecord record not None):
    """At the end of run(): the error that is the reason for it, or None."""
    unheard, record.unheard = record.unheard, None
    if unheard is None:
        return None
    if record.look_for_end is NULL:
        record.hold.untold = False
        return unheard[1]
    # Somebody else has stopped the loop.
    _tell_of(record, unheard)
    return None


cdef int _tell(LoopRecord record) except -1:
    return 0 if record.unheard is None else _tell_of(record, record.unheard)


cdef int _tell_of(LoopRecord record, tuple unheard) except -1:
    if record.hold.untold:
        record.hold.untold = False
        report_unheard(record, unheard[1], unheard[0])
    return 0


def active_handles(LoopRecord record not None):
    """The owners (Socket, Server) of all that keeps run() going now, each once."""
    cdef Handle handle
    cdef list owners = []
    for lookup in record.lookups:
        owners.append(lookup.owner)
    for awaited in record.awaited:
        owners.append(awaited.owner)
    for handle in open_handles(record):
        if handle.keeps_alive() and (owner := user_of(handle)) is not None:
            owners.append(owner)
    return list({id(owner): owner for owner in owners}.values())
