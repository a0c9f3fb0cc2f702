from libc.stdint cimport uint64_t

from uvnet._loop.handle cimport HandleBlock
from uvnet._loop.record cimport LoopRecord

cdef enum:
    LOW_WATER = 524288           # bytes; the kernel's own buffers reach further by default

# Of one stream that brings bulk: whether it wakes the loop only when LOW_WATER bytes wait.
cdef struct LowWaterMark:
    LowWaterMark *previous       # in the loop's list of raised marks
    LowWaterMark *next
    HandleBlock *source
    int usual                    # SO_RCVLOWAT as it was; 0 while the mark is not raised
    int available                # bytes that waited at the last tick
    int quiet_ticks              # in a row, without a read
    uint64_t seen                # bytes read at the last tick, or when the mark was lowered
    uint64_t answered            # bytes written to the stream until it last went quiet
    uint64_t patience            # bytes to flow from `seen` on before it is raised; 0: never

cdef int prepare_low_water(LoopRecord record) except -1
cdef void forget_low_water(LoopRecord record) noexcept
cdef void start_mark(LowWaterMark *mark, HandleBlock *source) noexcept nogil
cdef void consider_mark(LowWaterMark *mark) noexcept nogil
cdef void stop_mark(LowWaterMark *mark) noexcept nogil
cdef void forget_mark(LowWaterMark *mark) noexcept nogil
