from uvnet._loop.handle cimport HandleBlock
from uvnet._loop.record cimport GilHold, LoopRecord

# One descriptor that was taken over; its number in the block's `adopted` counts from 1.
cdef struct AdoptedDescriptor:
    HandleBlock *block           # NULL: the entry is free, and `next` the next free one
    int descriptor
    unsigned long long device    # what it stands for
    unsigned long long inode
    unsigned int next            # in the list of changed ones, or of lost ones
    bint changed                 # libuv will ask the system to watch it for something else

cdef int reserve_adopted(LoopRecord record) except -1
cdef void add_adopted(HandleBlock *block, int descriptor) noexcept
cdef void forget_adopted(HandleBlock *block) noexcept
cdef void mark_changed(HandleBlock *block) noexcept nogil
cdef bint is_lost(HandleBlock *block) noexcept nogil
cdef bint find_lost(GilHold *hold) noexcept nogil
cdef HandleBlock *next_lost(GilHold *hold) noexcept nogil

cdef inline void changed(HandleBlock *block) noexcept nogil:
    """To be called where libuv may have changed what it watches the descriptor for."""
    if block.adopted:
        mark_changed(block)
