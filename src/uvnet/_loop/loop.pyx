"""Living on a loop that is uvloop's.

Owns the record of each loop, the loop that run() will run, and the two things that make the shared loop safe:
  - the shadow of loop.close(), which closes our handles before uvloop walks over them;
  - the guard, what `data` of every handle of ours points at.  uvloop's close casts `data` to its UVHandle and
    first asks for its repr, so the guard is one, and closes our handles in its __repr__ should close() have
    been reached past the shadow.
"""

import os
import threading
import weakref
from asyncio import _get_running_loop

import uvloop
import uvloop.loop

from uvnet._loop.gil cimport open_check
from uvnet._loop.handle cimport Handle, close_handles
from uvnet._loop.idle cimport IdleTimers
from uvnet._loop.prepare cimport open_prepare
from uvnet._loop.record cimport LoopRecord, PyThread_get_thread_ident, new_record, stream_hooks
from uvnet._loop.tick cimport drop_ticks
from uvnet._uv.table cimport uv

from uvnet._loop.slow import watch

_make_loop = uvloop.new_event_loop
_pending = threading.local()
_records = weakref.WeakSet()
cdef object _running_loop = _get_running_loop


class _Guard(uvloop.loop.UVHandle):
    # Made with __new__, so that its C fields are zero: it owns no libuv handle that uvloop could close.
    def __repr__(self):
        _close_record(self.record)
        return "<uvnet handles that were open when the loop was closed>"


def _close_record(LoopRecord record not None):
    """Close every handle of the loop, quietly: no listener is called any more."""
    if record.closed:
        return
    stream_hooks.flush(record)
    record.closed = True
    _shut(record)


cdef int _shut(LoopRecord record, Handle kept=None) except -1:
    """Let go of everything that the record of a closed loop has, `kept` excepted."""
    drop_ticks(record)
    close_handles(record, kept)
    if record.idle_timers is not None:
        (<IdleTimers>record.idle_timers).forget_all()
    record.look_for_end = NULL
    stream_hooks.let_go(record)
    return 0


def _leave_to_parent():
    """In the child of a fork: the objects of its loops are the parent's, and so is what their descriptors do.

    Only the child's copies of them are closed, once they have been taken out of what the parent's loop waits with.
    """
    global _pending
    cdef LoopRecord record
    _pending = threading.local()
    for record in list(_records):
        if record.closed:
            continue
        record.forked = record.closed = True
        stream_hooks.drop_gathered(record)
        # The thread of a loop that ran in another one is gone, and has left it in the middle of something.
        if ((PyThread_get_thread_ident() == record.hold.thread_id or not record.loop.is_running())
                and uv.loop_fork(record.uv_loop) == 0):
            # A listener that forks holds the GIL until this handle is called.
            _shut(record, record.check_handle)


os.register_at_fork(after_in_child=_leave_to_parent)


def _attach(loop):
    cdef LoopRecord record = new_record(loop)
    close = loop.close
    record.guard = _Guard.__new__(_Guard)
    record.guard.record = record

    def close_with_uvnet():
        """Close uvnet's handles, then the event loop."""
        if not loop.is_running():
            _close_record(record)
            if record.forked:
                (<Handle>record.check_handle).close()
        if record.forked and record.lookups:
            # uvloop would wait for look-ups that the threads of the parent do.
            return
        close()

    set_debug = loop.set_debug

    def set_debug_with_uvnet(enabled):
        """Set the debug mode, in which slow listeners are logged too."""
        set_debug(enabled)
        if enabled:
            watch()

    try:
        open_prepare(record)
        open_check(record)
        _records.add(record)
        loop._uvnet_record = record
        loop.set_debug = set_debug_with_uvnet
        loop.close = close_with_uvnet
    except BaseException:
        record.closed = True
        _shut(record)
        # What closes now is looked after until it has.
        loop._uvnet_record = record
        raise
    if loop.get_debug():
        watch()
    return record


def record_of(loop):
    """The record of a uvloop loop, made when the loop is first used.

    Raises RuntimeError for a loop of any other kind and for a closed one.
    """
    cdef LoopRecord record = getattr(loop, "_uvnet_record", None)
    if record is None:
        if isinstance(loop, uvloop.loop.Loop) and loop.is_closed():
            raise RuntimeError("the event loop is closed")
        record = _attach(loop)
    return record


cdef LoopRecord current_record():
    """The record of the running loop, or of the one that run() will run in this thread."""
    loop = _running_loop()
    if loop is None:
        loop = pending_loop()
    return record_of(loop)


def pending_loop():
    """The loop that the next uvnet.run() of this thread will run; made when it is first asked for."""
    loop = getattr(_pending, "loop", None)
    if loop is None or loop.is_closed():
        loop = _pending.loop = _make_loop()
    return loop


def make_loops_by(function):
    """Have function() make the loops of run(): what there is above knows of better ones than uvloop's."""
    global _make_loop
    _make_loop = function


def take_pending_loop():
    """The pending loop, to run it now; objects made afterwards outside of a loop get a new one."""
    loop = pending_loop()
    _pending.loop = None
    return loop


def running_record():
    """The record that new objects of this thread belong to now."""
    return current_record()
