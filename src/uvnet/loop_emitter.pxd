from uvnet._core.record cimport LoopRecord
from uvnet.emitter cimport EventEmitter

cdef class LoopEmitter(EventEmitter):
    cdef LoopRecord record

    # Have _step(step, argument) called on the next tick.
    cdef int _later(self, int step, object argument) except -1
    # For subclasses: a class does its own steps and leaves the others to the class below.
    cdef int _step(self, int step, object argument) except -1
    # A listener or a callback of ours raised.
    cdef int _failed(self, object error) except -1
