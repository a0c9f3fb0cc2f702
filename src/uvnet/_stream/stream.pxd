from libc.stdint cimport uint64_t

from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tally cimport Tally
from uvnet._stream.writer cimport Writer

cdef enum:
    READS_AT_ONCE = 16       # of a stream that fills its buffer, before others get their turn

# What whoever has let a stream in keeps of it, until it closes or goes to somebody else.
cdef class Admission:
    cdef void over(self) noexcept

cdef class Stream(Writer):
    cdef Admission admission         # None where nobody keeps any
    cdef Tally tally                 # of the server that has accepted it, or None
    cdef bint had_error              # what its owner's 'close' will say
    cdef unsigned int life           # of its owner, which may be in a later one

    cdef void renew(self) noexcept
    cdef void leave_admission(self) noexcept
    cdef Stream base(self)
    cdef void set_referenced(self, bint referenced) noexcept
    cdef void set_activity(self, uint64_t *activity) noexcept
    cdef void read_into(self, char *base, size_t size) noexcept
    cdef void ask_where(self, bint ask) noexcept
    cdef int read_start(self) noexcept
    cdef void read_stop(self) noexcept
    cdef void read_more(self) noexcept
    cdef void read_less(self) noexcept
    cdef bytes read_once(self)

# For tell_owner().
cdef int tell_lost(Writer self, object owner, void *what, ssize_t number) except -1

# The bytes that were read, as an object.
cdef bytes new_chunk(LoopRecord record, const char *base, ssize_t length)
