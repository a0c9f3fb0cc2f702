from uvnet._loop.record cimport LoopRecord
from uvnet.events.emitter cimport EventEmitter

cdef enum:
    EARLIER_LIFE = 0xFFFFFFFF            # not the number of any: of one that is over, whichever it was

cdef class LoopEmitter(EventEmitter):
    cdef LoopRecord record
    cdef unsigned int _life              # which of its lives this is: a socket that connects again begins another
    cdef object _context                 # in which its listeners and callbacks run, or None

    # Have _step(step, argument) called on the next tick, or _step_owed() where another life has begun by then.
    cdef int _later(self, int step, object argument) except -1
    # For subclasses: a class does its own steps and leaves the others to the class below.
    cdef int _step(self, int step, object argument) except -1
    # For subclasses: what is left to do of a step of an earlier life.
    cdef int _step_owed(self, int step, object argument) except -1
    # A listener or a callback of ours raised.
    cdef int _failed(self, object error) except -1
    # One of that life's did: another one does not suffer for it.
    cdef int _failed_in(self, unsigned int life, object error) except -1
    cdef int _next_life(self) except -1
