from uvnet._loop.record cimport LoopRecord

cdef enum:
    RECORD = 16384           # bytes; no record says more

cdef class LentMemory:
    cdef char *base
    cdef Py_ssize_t size
    cdef bint readonly

# That of the loop, for calls that keep nothing.  Whoever calls lends last: what allocates may run other code.
cdef LentMemory memory_of(LoopRecord record)

# The arguments of a call that reads what one record says.
cdef tuple arguments_of(LoopRecord record)

cdef inline void lend(LentMemory memory, char *base, Py_ssize_t size, bint readonly) noexcept:
    memory.base = base
    memory.size = size
    memory.readonly = readonly
