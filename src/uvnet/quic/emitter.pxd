from uvnet.events.loop_emitter cimport LoopEmitter

cdef class QuicEmitter(LoopEmitter):
    cdef int _raised(self, object event, object argument, object error) except -1
