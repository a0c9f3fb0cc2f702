cdef class LentMemory:
    cdef char *base
    cdef Py_ssize_t size
    cdef bint readonly

# For calls that keep nothing.  Whoever calls lends last: what allocates may run other threads.
cdef LentMemory lent_memory

cdef inline void lend(char *base, Py_ssize_t size, bint readonly) noexcept:
    lent_memory.base = base
    lent_memory.size = size
    lent_memory.readonly = readonly
