from uvnet._accept.listener cimport AcceptFilter, Lease, Listener
from uvnet._channel.channel cimport Channel
from uvnet._loop.handle cimport Intermediary
from uvnet._loop.record cimport LoopRecord

# Kinds of frames; those below are for messages.
cpdef enum:
    DEALT = 16               # key, then for each descriptor the length of the other end's name, and the name
    TAKEN = 17               # key, then for each connection in their order 1, or 0 where it comes back
    READY = 18               # key, then 1 or 0: whether connections are wanted
    OVER = 19                # key: nobody listens any more

# What one worker has of what a RoundRobin deals out.
cdef class Share:
    cdef RoundRobin owner
    cdef Channel channel
    cdef readonly unsigned int key
    cdef readonly bint ready         # it takes more
    cdef readonly bint leaving       # it gets no more
    cdef object outstanding          # a deque of (descriptor, name): dealt, and not taken yet
    cdef Py_ssize_t unsent           # the last so many of those leave at the end of this turn, or of a later one
    cdef object idle                 # called when nothing is outstanding once it is leaving; or None
    cdef readonly Py_ssize_t dealt   # so many so far

    cdef bint is_free(self) noexcept
    cdef bint is_awaited(self) noexcept
    cdef int send(self) except -1
    cdef int look_whether_idle(self) except -1

cdef class RoundRobin(Intermediary):
    cdef LoopRecord record
    cdef Listener listener           # None once it is closed
    cdef AcceptFilter filter
    cdef list shares
    cdef Py_ssize_t next_share
    cdef bint paused
    cdef object returned             # a deque of (descriptor, name) that nobody has taken yet
    cdef object log                  # counts connections that were dropped
    cdef object failures             # counts failures of accept(2)
    cdef object on_trouble           # called with an OSError

    cdef int deal(self, int descriptor, bytes name) except -1
    cdef Share free_share(self)
    cdef bint defers(self) noexcept
    cdef int go_on(self) except -1
    cdef int send(self) except -1

cdef class DealtLease(Lease):
    cdef Channel channel
    cdef object leases               # of the channel, by their keys; None once it is over
    cdef object ended
    cdef readonly unsigned int key
