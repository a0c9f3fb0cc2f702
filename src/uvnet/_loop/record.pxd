# What uvnet keeps for one event loop.

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from uvnet._loop.tally cimport Tally
from uvnet._loop.threads cimport FREE_THREADED
from uvnet._uv.table cimport uv, uv_loop_t

cdef extern from "pythread.h" nogil:
    unsigned long PyThread_get_thread_ident()

cdef enum:
    FIRST_READ_SIZE = 65536      # bytes that one read may bring at first: Node's number (rule 0.4.4)
    KINDS_OF_DROPS = 16          # that there may be, see listener.pxd
    READ_BUFFER_SIZE = 262144    # bytes; what it grows to while reads come full and are taken at once

# One entry of the tick queue: run(target, argument, step), see tick.pyx.
ctypedef int (*tick_function)(object target, object argument, int step) except -1

cdef struct Tick:
    tick_function run
    void *target             # owned references
    void *argument
    int step

cdef class LoopRecord

ctypedef void (*record_hook)(LoopRecord record) noexcept

# What a loop asks of its streams, which lie above it and say at import how it is done: writer.pyx and relay.pyx.
cdef struct StreamHooks:
    record_hook flush          # send what was gathered
    record_hook drop_gathered  # forget it: somebody else sends it
    record_hook let_go         # give back what is kept for relays

cdef StreamHooks stream_hooks

# See low_water.pyx.
cdef struct LowWaterMarks:
    void *first              # LowWaterMark list: the raised ones
    void *timer              # the uv_timer_t that looks after them, or NULL

# See adopted.pyx.
cdef struct AdoptedDescriptors:
    void *entries                # of AdoptedDescriptor, counted from 1
    unsigned int capacity
    unsigned int count
    unsigned int first_free
    unsigned int first_changed
    unsigned int first_lost
    uv_loop_t *uv_loop
    uint64_t looked_at           # loop time at which all were, in milliseconds

# See turns.pyx.
cdef struct Turns:
    bint watched
    uint64_t count               # that are over
    uint64_t began               # the one that is not over; 0: none; all in nanoseconds
    uint64_t idle                # of the loop, in all, when it began
    uint64_t longest

# See gil.pyx.
cdef struct GilHold:
    bint held
    int state                # a PyGILState_STATE
    unsigned long thread_id  # of the thread that runs the loop
    # Fields of the record, for those who do not hold the GIL.
    const size_t *tick_count
    void **first_gathering
    void **first_handle
    record_hook *look_for_end
    LowWaterMarks *low_water
    AdoptedDescriptors *adopted
    Turns *turns
    bint untold              # record.unheard has not been reported yet

cdef class LoopRecord:
    cdef uv_loop_t *uv_loop              # NULL: of no loop, see `no_record`
    cdef readonly object loop            # the uvloop loop
    cdef readonly bint closed            # the loop is closing or closed: no user code is called any more
    cdef readonly bint forked            # and it is the parent's, in whose child we are
    cdef object guard                    # see loop.pyx
    cdef object __weakref__
    cdef int depth                       # > 0 while a libuv callback of ours is on the stack

    cdef Tick *ticks                     # ring buffer
    cdef size_t tick_head
    cdef size_t tick_count
    cdef size_t tick_capacity

    cdef void *first_handle              # HandleBlock list, see handle.pyx
    cdef set lookups                     # Lookups under way: they keep run() going, like handles; each has an owner
    cdef readonly set awaited            # what else keeps run() going, such as processes; each has an owner
    cdef void *first_gathering           # Writer list, see writer.pyx

    cdef record_hook wake                # makes the loop drain before it next blocks, see prepare.pyx

    cdef GilHold hold                    # the GIL over a whole batch of I/O callbacks
    cdef object done_future              # of the loop, made when first needed, see waiter.pyx
    cdef int ready_awaits                # that were ready at once since one gave way, see waiter.pyx
    cdef int wakings                     # of coroutines that the tick queue has seen to since it was last empty
    cdef readonly object check_handle    # the loop's Check
    cdef readonly object prepare         # the loop's Prepare
    cdef readonly object idle_timers     # the loop's IdleTimers
    cdef record_hook look_for_end        # run() without a coroutine: called before the loop blocks, see alive.pyx
    cdef tuple unheard                   # a server that could not listen, and the error: what run() raises in the end
    cdef PyObject *spare_chunk           # the last large chunk read, see stream.pyx; owned
    cdef object lent_memory              # the LentMemory of TLS, made when first needed, see lent_memory.pxd
    cdef tuple lent_arguments            # and arguments with it
    cdef object kernel_pipes             # the KernelPipes of relays, made when first needed, see kernel_pipe.pyx
    cdef LowWaterMarks low_water         # of relays, see low_water.pyx
    cdef AdoptedDescriptors adopted      # see adopted.pyx
    cdef Turns turns                     # see turns.pyx
    cdef Tally tally                     # of the whole loop
    cdef Py_ssize_t connections          # that its servers have now
    cdef size_t[KINDS_OF_DROPS] dropped  # connections that its servers have closed, by the DropReason
    cdef char *read_buffer               # READ_BUFFER_SIZE bytes, valid between an alloc and its read callback

    cdef int raise_unusable(self) except -1
    cdef int check_running(self) except -1
    cdef bint in_own_thread(self) except -1

    cdef inline uint64_t now(self) noexcept:
        """The loop's time in milliseconds."""
        return uv.now(self.uv_loop)

    cdef inline int check(self) except -1:
        """Raise RuntimeError without a loop, on a closed one, and on a thread that is not the loop's."""
        if self.closed or PyThread_get_thread_ident() != self.hold.thread_id:
            return self.raise_unusable()
        return 0

    cdef inline int check_thread(self) except -1:
        """Without a GIL, raise RuntimeError on a thread that is not the loop's: not even looking is safe there."""
        return self.raise_unusable() if self.is_elsewhere() else 0

    cdef inline int check_attribute(self, object name) except -1:
        """check_thread() for the attribute of an object; not for __class__, which isinstance() asks for."""
        return self.raise_unusable() if self.is_elsewhere() and name != "__class__" else 0

    cdef inline bint is_elsewhere(self) noexcept:
        """Whether this is no place to look at what belongs to the loop: another thread, without a GIL."""
        return (FREE_THREADED and self.uv_loop is not NULL and not self.closed
                and PyThread_get_thread_ident() != self.hold.thread_id)

cdef LoopRecord new_record(object loop)

# The record of objects that have none: those whose __init__ has not run.  Its check() raises.
cdef LoopRecord no_record
