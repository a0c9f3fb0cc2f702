from uvnet._loop.record cimport LoopRecord

# How much goes on at once before everybody else has a turn: awaits that were ready, and coroutines woken on ticks.
cdef enum:
    MOST_AT_ONCE = 128

cdef class Waiter:
    cdef LoopRecord record
    cdef object _callback                # of the one task that waits; None before and after
    cdef object _context
    cdef object _message                 # of the cancellation
    cdef public bint _asyncio_future_blocking
    cdef bint woken                      # the callback has been called, or will be on a tick
    cdef bint _cancelled

    cdef int wake(self) except -1
    cdef int _go_on(self) except -1
    cdef int _check(self) except -1

cdef class Awaitable:
    cdef LoopRecord record
    cdef Waiter waiter                   # while it waits
    cdef object result                   # no tuple and no exception
    cdef object failure                  # what it raises, where settle() has found that out
    cdef bint settled                    # how it ends is known
    cdef bint over
    cdef bint giving_way                 # it waits for nothing but its turn

    # For subclasses.
    cdef str _what_was_called(self)          # for the warning that it was never awaited
    cdef int _begin(self) except -1          # it is awaited, and gives way before it looks; raises what that deserves
    cdef bint _advance(self) except -1       # True: `result` is there; False: wait for wake()
    cdef int _given_up(self) except -1       # nobody waits any more

    cdef int wake(self) except -1
    cdef int settle(self) except -1
    cdef bint is_waiting(self) noexcept

    cdef Waiter _wait(self)

cdef class Reader(Awaitable):
    # For subclasses: data has been added to the buffer.
    cdef int _arrived(self, object chunk) except -1
