from libc.stdint cimport uint64_t

from uvnet._loop.record cimport LoopRecord
from uvnet._loop.timer cimport Timer

# Called when nothing has happened for the whole period; returns 1 to stay watched, 0 to be forgotten.
ctypedef int (*idle_event)(object owner) except -1

# Lies inside its owner.  Activity is one store: entry.last = uv.now(loop).
cdef struct IdleEntry:
    uint64_t last            # loop time of the last activity, milliseconds
    uint64_t period          # milliseconds; 0 = not watched
    uint64_t deadline        # when the entry is looked at again
    uint64_t fired_for       # the `last` that the event was sent for
    uint64_t sent            # for the owner: how far a write had got when it last looked
    size_t index             # place in the heap, counted from 1; 0 = not in it
    void *owner              # a strong reference while it is in the heap
    idle_event on_idle

cdef class IdleTimers:
    cdef LoopRecord record
    cdef Timer timer
    cdef IdleEntry **heap    # a binary heap by deadline, counted from 1
    cdef size_t count
    cdef size_t capacity

    cdef int start(self, IdleEntry *entry, object owner, uint64_t period, idle_event on_idle) except -1
    cdef void stop(self, IdleEntry *entry) noexcept
    cdef void suspend(self) noexcept
    cdef void resume(self) noexcept
    cdef void forget_all(self) noexcept
    cdef void _place(self, IdleEntry *entry, size_t index) noexcept
    cdef void _sift_up(self, IdleEntry *entry, size_t index) noexcept
    cdef void _sift_down(self, IdleEntry *entry, size_t index) noexcept

cdef IdleTimers idle_timers_of(LoopRecord record)
