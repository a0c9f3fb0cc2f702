"""The tick queue: Node's process.nextTick() for one loop, and the frame around every callback of ours.

Every libuv callback that may reach user code runs between enter() and leave().  The outermost leave() sends
what was gathered and drains the queue, so ticks run after the current callback and before any further I/O
(rule 0.1.2).  Ticks queued from anywhere else (a coroutine, module level) are drained by a prepare handle
before the loop next polls for I/O.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport malloc, free

from uvnet._loop.context cimport PyContext_Enter, PyContext_Exit, copy_context
from uvnet._loop.coroutine cimport is_coroutine, start_coroutine
from uvnet._loop.record cimport LoopRecord, Tick, stream_hooks, tick_function
from uvnet._loop.slow cimport call_watched, watching


cdef int _grow(LoopRecord record) except -1:
    cdef size_t capacity = record.tick_capacity * 2 if record.tick_capacity else 64
    cdef Tick *ticks = <Tick *>malloc(capacity * sizeof(Tick))
    cdef size_t index
    if ticks is NULL:
        raise MemoryError
    for index in range(record.tick_count):
        ticks[index] = record.ticks[(record.tick_head + index) % record.tick_capacity]
    free(record.ticks)
    record.ticks = ticks
    record.tick_head = 0
    record.tick_capacity = capacity
    return 0


cdef int later(LoopRecord record, tick_function run, object target, object argument, int step) except -1:
    """Queue run(target, argument, step)."""
    cdef Tick *tick
    if record.depth == 0 and record.wake is NULL:
        # No loop would ever come to it.
        return record.raise_unusable()
    if record.tick_count == record.tick_capacity:
        _grow(record)
    tick = &record.ticks[(record.tick_head + record.tick_count) % record.tick_capacity]
    tick.run = run
    tick.target = <void *>target
    tick.argument = <void *>argument
    tick.step = step
    Py_INCREF(target)
    Py_INCREF(argument)
    record.tick_count += 1
    if record.depth == 0:
        record.wake(record)
    return 0


cdef void drain(LoopRecord record) noexcept:
    """Run ticks, and send what they write, until both are done.  An exception is reported, never lost."""
    cdef Tick tick
    while True:
        if record.tick_count == 0:
            if record.first_gathering is NULL:
                record.wakings = 0
                return
            stream_hooks.flush(record)
            continue
        tick = record.ticks[record.tick_head]
        record.tick_head = (record.tick_head + 1) % record.tick_capacity
        record.tick_count -= 1
        try:
            if not record.closed:
                tick.run(<object>tick.target, <object>tick.argument, tick.step)
        except BaseException as error:
            report(record, error, "exception in a uvnet tick", None)
        finally:
            Py_DECREF(<object>tick.target)
            Py_DECREF(<object>tick.argument)


cdef void drop_ticks(LoopRecord record) noexcept:
    """Forget every queued tick: the loop is gone."""
    cdef Tick tick
    while record.tick_count:
        tick = record.ticks[record.tick_head]
        record.tick_head = (record.tick_head + 1) % record.tick_capacity
        record.tick_count -= 1
        Py_DECREF(<object>tick.target)
        Py_DECREF(<object>tick.argument)
    record.wakings = 0


def _raise(error):
    raise error


cdef void report(LoopRecord record, object error, str message, object source, object connection=None) noexcept:
    """Hand an exception that user code let escape to the loop's exception handler.

    `source` is whose event it was, `connection` the socket that it was about, where that is another one.

    KeyboardInterrupt and SystemExit leave the loop's run instead, as they do from any asyncio callback.
    """
    try:
        if isinstance(error, (KeyboardInterrupt, SystemExit)) and not record.loop.is_closed():
            record.loop.call_soon(_raise, error)
            return
        context = {"message": message, "exception": error}
        if source is not None:
            context["source"] = source
        if connection is not None:
            context["connection"] = connection
        record.loop.call_exception_handler(context)
    except BaseException as failure:
        # The handler itself failed with KeyboardInterrupt or SystemExit.
        if not record.loop.is_closed():
            record.loop.call_soon(_raise, failure)


cdef void report_unheard(LoopRecord record, object error, object source) noexcept:
    """Report an error whose 'error' event nobody listens for."""
    report(record, error, f"an 'error' event of {type(source).__name__} had no listener", source)


def call_on(LoopRecord record not None, callback, *arguments):
    """Call it now; what it raises is reported, and a coroutine that it returns is run."""
    if record.closed:
        return
    try:
        _run_callback(record, (callback, arguments, copy_context()), 0)
    except BaseException as error:
        report(record, error, "exception in a uvnet callback", None)


cdef int _run_callback(object record, object call, int step) except -1:
    callback, arguments, context = <tuple>call
    PyContext_Enter(context)
    try:
        if not watching:
            result = callback(*arguments)
        else:
            result = call_watched((<LoopRecord>record).loop, "tick", callback, arguments, None)
        if is_coroutine(result):
            _run_coroutine(record, result)
    finally:
        PyContext_Exit(context)
    return 0


def _run_coroutine(LoopRecord record, coroutine):
    start_coroutine(
        record.loop, coroutine, None, lambda error: report(record, error, "exception in a uvnet tick", None)
    )


def next_tick_on(LoopRecord record not None, callback, *arguments):
    """Queue callback(*arguments) on the record's tick queue, in a copy of this context; see uvnet.next_tick."""
    if not callable(callback):
        raise TypeError(f"next_tick needs a callable, not {type(callback).__name__}")
    record.check()
    later(record, _run_callback, record, (callback, arguments, copy_context()), 0)
