"""LoopEmitter: an emitter that belongs to one loop: what it puts off, where its coroutines run, what raised.

All of that belongs to a life, too, and does not reach into the next one.
"""

from cpython.object cimport PyObject

from uvnet._loop.context cimport enter_context, exit_context
from uvnet._loop.coroutine cimport start_coroutine
from uvnet._loop.record cimport no_record
from uvnet._loop.threads cimport get_generic, guard_attributes, set_generic
from uvnet._loop.tick cimport later, report
from uvnet.events.emitter cimport EventEmitter

cdef enum:
    STEP_BITS = 8            # of the number that a tick carries; the others are the life's
    STEP_MASK = 0xFF
    LAST_LIFE = 0x7FFFFF


cdef int _run_step(object target, object argument, int step) except -1:
    cdef LoopEmitter self = <LoopEmitter>target
    cdef unsigned int life = <unsigned int>step >> STEP_BITS
    # A step may give it another.
    cdef object context = self._context
    enter_context(context)
    try:
        if life == self._life:
            self._step(step & STEP_MASK, argument)
        else:
            self._step_owed(step & STEP_MASK, argument)
    except BaseException as error:
        self._failed_in(life, error)
    finally:
        exit_context(context)
    return 0


cdef class LoopEmitter(EventEmitter):
    """What Socket and Server have in common; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self.record = no_record

    def _in_context(self, callback, *arguments):
        # For policy in plain Python, which may be called from anywhere: from a listener in that context too.
        cdef object context = self._context
        try:
            enter_context(context)
        except RuntimeError:
            context = None
        try:
            return callback(*arguments)
        finally:
            exit_context(context)

    cdef int _later(self, int step, object argument) except -1:
        return later(self.record, _run_step, self, argument, step | <int>(self._life << STEP_BITS))

    cdef int _step(self, int step, object argument) except -1:
        return 0

    cdef int _step_owed(self, int step, object argument) except -1:
        return 0

    cdef int _failed(self, object error) except -1:
        report(self.record, error, f"exception in a listener of {type(self).__name__}", self)
        return 0

    cdef int _failed_in(self, unsigned int life, object error) except -1:
        return self._failed(error) if life == self._life else LoopEmitter._failed(self, error)

    cdef int _next_life(self) except -1:
        self._life = (self._life + 1) & LAST_LIFE
        return 0

    cdef int _listener_failed(self, object event, object argument, object error) except -1:
        if not self.record.closed:
            self._failed(error)
        return 0

    def _run_coroutine(self, coroutine, event, argument):
        life = self._life

        def failed(error):
            if life == self._life:
                self._listener_failed(event, argument, error)
            elif not self.record.closed:
                LoopEmitter._failed(self, error)

        start_coroutine(self._loop(), coroutine, self._on_whose_behalf(argument), failed)

    cdef object _loop(self):
        return self.record.loop


cdef object _get_attribute(object self, object name):
    (<LoopEmitter>self).record.check_attribute(name)
    return get_generic(self, name)


cdef int _set_attribute(object self, object name, PyObject *value) except -1:
    (<LoopEmitter>self).record.check_attribute(name)
    return set_generic(self, name, value)


guard_attributes(LoopEmitter, _get_attribute, _set_attribute)
