from uvnet._core.record cimport LoopRecord

cdef LoopRecord current_record()
