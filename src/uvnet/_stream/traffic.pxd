from libc.stdint cimport uint64_t

from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tally cimport Tally

# Of streams, so far.
cdef struct Traffic:
    uint64_t bytes_read
    uint64_t bytes_written
    uint64_t bytes_queued        # that wait to be sent

# Of the streams that count there; None: of all streams of the loop.
cdef Traffic traffic_of(LoopRecord record, Tally tally) noexcept
