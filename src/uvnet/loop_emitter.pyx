"""LoopEmitter: an emitter that belongs to one loop: what it puts off, where its coroutines run, what raised."""

from uvnet._core.record cimport no_record
from uvnet._core.tick cimport later, report
from uvnet.emitter cimport EventEmitter


cdef int _run_step(object target, object argument, int step) except -1:
    cdef LoopEmitter self = <LoopEmitter>target
    try:
        self._step(step, argument)
    except BaseException as error:
        self._failed(error)
    return 0


cdef class LoopEmitter(EventEmitter):
    """What Socket and Server have in common; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self.record = no_record

    cdef int _later(self, int step, object argument) except -1:
        return later(self.record, _run_step, self, argument, step)

    cdef int _step(self, int step, object argument) except -1:
        return 0

    cdef int _failed(self, object error) except -1:
        report(self.record, error, f"exception in a listener of {type(self).__name__}", self)
        return 0

    cdef int _listener_failed(self, object event, object argument, object error) except -1:
        if not self.record.closed:
            self._failed(error)
        return 0

    cdef object _loop(self):
        return self.record.loop
