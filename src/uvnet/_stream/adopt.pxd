from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport Stream

cdef Stream open_for(LoopRecord record, int descriptor, int *kind)
cdef int may_be_taken(LoopRecord record, int descriptor) except? 1
cdef int take(Stream handle, int descriptor) noexcept
cdef Stream stream_of(LoopRecord record, bint is_unix, int descriptor, int *status, bint closing=*)
