from uvnet._core.record cimport LoopRecord
from uvnet._core.stream cimport Stream

cdef Stream adopt(LoopRecord record, int descriptor, int *kind, int *status)
