from libc.stdint cimport uint64_t

from uvnet._loop.handle cimport Handle, handle_event
from uvnet._loop.record cimport LoopRecord

cdef class Timer(Handle):
    cdef handle_event on_timeout

    cdef void start(self, uint64_t milliseconds) noexcept
    cdef void stop(self) noexcept

cdef Timer open_timer(LoopRecord record, object owner, handle_event on_timeout)
