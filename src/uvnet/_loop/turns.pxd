from uvnet._loop.record cimport LoopRecord

cdef int watch_turns(LoopRecord record) except -1
