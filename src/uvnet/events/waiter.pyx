"""What a coroutine awaits: an awaitable that costs nothing when it is ready, and the future it waits with.

A woken coroutine goes on in the tick queue: after the callback that woke it and before any further I/O, as
what follows an `await` does in Node.  Through the loop it would have to wait for the next turn.

Neither goes on for ever: after so many awaits that were ready the next one gives way, and where coroutines wake
each other on ticks they go on through the loop after so many wakings (MOST_AT_ONCE).
"""

cimport cython

from asyncio import CancelledError, InvalidStateError

from cpython.object cimport PyObject

from uvnet._loop.context cimport enter_context, exit_context
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.slow cimport call_watched, watching
from uvnet._loop.threads cimport get_generic, guard_attributes, set_generic
from uvnet._loop.tick cimport later

cdef extern from *:
    """
    static int uvnet_stop_with(PyObject *value)
    {
        PyErr_SetObject(PyExc_StopIteration, value);
        return 0;
    }
    """
    int stop_with "uvnet_stop_with" (object value) except? -1

cdef extern from "Python.h":
    int PyErr_WarnFormat(object category, Py_ssize_t stack_level, const char *format, ...) except -1


@cython.final
@cython.freelist(16)
cdef class Waiter:
    """A future for one task: what asyncio.Task needs of one, and no more."""

    cdef int wake(self) except -1:
        """Let the task go on; harmless when it does already."""
        if not self.woken:
            self.woken = True
            if self._callback is not None:
                self._go_on()
        return 0

    cdef int _go_on(self) except -1:
        """Call back on a tick, or in the next turn of the loop."""
        cdef LoopRecord record = self.record
        if record.forked and not record.loop.is_closed():
            # The child of a fork has no ticks, and may still leave its coroutines.
            record.loop.call_soon(_call_back_soon, self)
        elif record.wakings < MOST_AT_ONCE or record.closed:
            record.wakings += 1
            later(record, _call_back, self, None, 0)
        else:
            record.loop.call_soon(_call_back_soon, self)
        return 0

    # === For asyncio ===

    def get_loop(self):
        self._check()
        return self.record.loop

    def add_done_callback(self, callback, *, context=None):
        self._check()
        self._callback = callback
        self._context = context
        if self.woken:
            self._go_on()

    def remove_done_callback(self, callback):
        if self._callback is None or self._callback != callback:
            return 0
        self._callback = None
        return 1

    def cancel(self, msg=None):
        if self.woken:
            if self._callback is None or not self.record.forked:
                return False
            # The tick that was to go on is the parent's.
            self.woken = False
        self._cancelled = True
        self._message = msg
        self.wake()
        return True

    def cancelled(self):
        return self._cancelled

    def done(self):
        return self.woken

    def result(self):
        if self._cancelled:
            raise CancelledError() if self._message is None else CancelledError(self._message)
        if not self.woken:
            raise InvalidStateError("nothing has happened yet")

    def exception(self):
        self.result()

    cdef int _check(self) except -1:
        if self.record is None:
            raise RuntimeError("this future belongs to no loop")
        return 0


cdef int _call_back(object target, object argument, int step) except -1:
    cdef Waiter self = <Waiter>target
    callback, self._callback = self._callback, None
    context, self._context = self._context, None
    if callback is None:
        return 0
    # A task asks a real future for its result in a fraction of the time.
    future = self if self._cancelled else _done_future(self.record)
    enter_context(context)
    try:
        _wake(self.record, callback, future)
    finally:
        exit_context(context)
    return 0


cdef int _wake(LoopRecord record, object callback, object future) except -1:
    if not watching:
        callback(future)
    else:
        # What a task gives as its callback is a method of the task.
        call_watched(record.loop, "step", callback, (future,), getattr(callback, "__self__", None))
    return 0


def _call_back_soon(Waiter waiter):
    waiter.woken = True
    waiter.record.wakings += 1
    _call_back(waiter, None, 0)


cdef object _done_future(LoopRecord record):
    if record.done_future is None:
        record.done_future = record.loop.create_future()
        record.done_future.set_result(None)
    return record.done_future


cdef class Awaitable:
    """An operation as a coroutine without a frame: it begins when it is awaited, and is awaited once.

    A subclass says in _advance() what the operation is, and calls wake() when it is worth asking again.
    """

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __del__(self):
        if not self.over and self.waiter is None and self.record is not None:
            name = self._what_was_called()
            PyErr_WarnFormat(RuntimeWarning, 1, b"coroutine '%S' was never awaited", <PyObject *>name)

    def __next__(self):
        cdef Waiter waiter = self.waiter
        cdef bint at_once = False
        if self.record is None:
            raise RuntimeError("this awaitable belongs to no socket or server")
        self.record.check_thread()
        if self.over:
            raise RuntimeError("cannot reuse what has been awaited already")
        if waiter is not None:
            if not waiter.woken:
                raise RuntimeError("another coroutine is awaiting this already")
            self.waiter = None
        elif self.record.ready_awaits >= MOST_AT_ONCE:
            self.over = True
            self._begin()
            self.over = False
            # It will have been one.
            self.record.ready_awaits = 1
            self.giving_way = True
            waiter = self._wait()
            self.record.loop.call_soon(_call_back_soon, waiter)
            return waiter
        else:
            self.record.ready_awaits += 1
            at_once = True
        self.giving_way = False
        # In case that it raises.
        self.over = True
        if self.settled:
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise failure
        elif not self._advance():
            self.over = False
            if at_once:
                self.record.ready_awaits -= 1
            return self._wait()
        if self.result is not None:
            stop_with(self.result)
            self.result = None
        # Adds nothing to an exception that is set.
        raise StopIteration

    def send(self, value):
        """Go on; `value` is ignored."""
        return next(self)

    def throw(self, kind, value=None, traceback=None):
        """Give up and raise the exception."""
        self.close()
        if isinstance(kind, BaseException):
            value = kind
        elif not isinstance(value, BaseException):
            value = kind() if value is None else kind(value)
        raise value if traceback is None else value.with_traceback(traceback)

    def close(self):
        """Give up."""
        if not self.over:
            self.over = True
            if self.waiter is not None:
                self.waiter = None
                self._given_up()

    # === For subclasses ===

    cdef str _what_was_called(self):
        return type(self).__name__

    cdef int _begin(self) except -1:
        return 0

    cdef bint _advance(self) except -1:
        return True

    cdef int _given_up(self) except -1:
        return 0

    cdef int wake(self) except -1:
        """Let the coroutine look again."""
        return self.waiter.wake() if self.waiter is not None and not self.giving_way else 0

    cdef int settle(self) except -1:
        """Find out now how it ends, for when the coroutine goes on what it asks is gone."""
        try:
            self.settled = self._advance()
        except BaseException as error:
            self.settled = True
            self.failure = error
        return self.wake()

    cdef bint is_waiting(self) noexcept:
        """Whether it waits for something and has not been woken."""
        return self.waiter is not None and not self.waiter.woken and not self.giving_way

    # === Private ===

    cdef Waiter _wait(self):
        cdef Waiter waiter = Waiter.__new__(Waiter)
        waiter.record = self.record
        waiter._asyncio_future_blocking = True
        self.waiter = waiter
        return waiter


cdef class Reader(Awaitable):
    """What waits for data."""

    cdef int _arrived(self, object chunk) except -1:
        return self.wake()


cdef object _get_of_waiter(object self, object name):
    if (<Waiter>self).record is not None:
        (<Waiter>self).record.check_attribute(name)
    return get_generic(self, name)


cdef int _set_of_waiter(object self, object name, PyObject *value) except -1:
    if (<Waiter>self).record is not None:
        (<Waiter>self).record.check_attribute(name)
    return set_generic(self, name, value)


cdef object _get_of_awaitable(object self, object name):
    if (<Awaitable>self).record is not None:
        (<Awaitable>self).record.check_attribute(name)
    return get_generic(self, name)


cdef int _set_of_awaitable(object self, object name, PyObject *value) except -1:
    if (<Awaitable>self).record is not None:
        (<Awaitable>self).record.check_attribute(name)
    return set_generic(self, name, value)


guard_attributes(Waiter, _get_of_waiter, _set_of_waiter)
guard_attributes(Awaitable, _get_of_awaitable, _set_of_awaitable)
# Being of this module, it has inherited already.
guard_attributes(Reader, _get_of_awaitable, _set_of_awaitable)
