from uvnet._loop.record cimport LoopRecord

cdef LoopRecord current_record()
