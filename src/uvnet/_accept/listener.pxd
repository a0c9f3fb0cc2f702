from libc.stdint cimport uint64_t

from uvnet._loop.handle cimport Handle
from uvnet._loop.record cimport KINDS_OF_DROPS, LoopRecord
from uvnet._loop.timer cimport Timer
from uvnet._uv.table cimport sockaddr, uv_poll_t
from uvnet.addresses.sockaddr cimport sockaddr_storage

# Each is smaller than KINDS_OF_DROPS.
cdef enum DropReason:
    NOT_DROPPED
    CONNECTION_LIMIT
    BLOCK_LIST
    ALLOW_LIST
    FILE_DESCRIPTORS             # from here on what nobody expects, and the log says
    PROXY_HEADER
    TLS_FAILURE
    SERVER_RATE
    HOST_LIMIT
    HOST_RATE
    IDLE                         # from here on of connections that were taken
    FIRST_DATA
    LIFETIME
    RECEIVE_RATE
    TOTAL_BUFFERED

# What is asked in C before a connection costs an object.  Lies in the listeners' owner.
cdef struct AcceptFilter:
    Py_ssize_t connections       # open now
    Py_ssize_t most              # that may be open; -1: no limit
    void *block_list             # borrowed, or NULL
    bint (*is_blocked)(object block_list, const sockaddr *address) noexcept
    void *limits                 # borrowed, or NULL
    DropReason (*judge)(object limits, const sockaddr *address)
    bint tells_drops             # somebody wants to hear of each
    size_t[KINDS_OF_DROPS] dropped  # so many so far, by the reason

# A connection is closed for that.
cdef inline void count_drop(LoopRecord record, AcceptFilter *filter, DropReason reason) noexcept:
    filter.dropped[<int>reason] += 1
    record.dropped[<int>reason] += 1

cdef class Listener

# The right to a listening socket of another process, which is told what becomes of it.
cdef class Lease:
    cdef readonly bint dealt         # that process accepts, and deals its connections out
    cdef Listener listener           # None before there is one, and afterwards

    cdef void ready(self, bint wants_more) noexcept
    cdef void over(self) noexcept

# Called with the GIL between enter() and leave(); an exception is reported.
cdef struct ListenerEvents:
    # A connection; `descriptor` is the owner's from now on.
    int (*on_accepted)(object owner, Listener listener, int descriptor, const sockaddr_storage *remote) except -1
    # A connection is closed at once; `descriptor`, still open, is the listener's.
    int (*on_dropped)(object owner, int descriptor, const sockaddr_storage *remote, DropReason reason) except -1
    # accept(2) failed with this libuv error; it will be tried again.
    int (*on_trouble)(object owner, int status) except -1
    # Somebody else has closed the descriptor; the listener closes right after it.
    int (*on_lost)(object owner, Listener listener) except -1
    # All that could be accepted at once was; or NULL.
    int (*on_turn_over)(object owner) except -1

cdef class Listener(Handle):
    cdef int descriptor
    cdef readonly int family         # AF_INET, AF_INET6 or AF_UNIX
    cdef AcceptFilter *filter
    cdef const ListenerEvents *events
    cdef uint64_t had_turn           # loop time when some were accepted last
    cdef bint has_waited             # once already for descriptors
    cdef bint held                   # accepting waits until the owner wants more
    cdef bint defers                 # when a connection comes, hold(): the owner can do nothing with it yet
    cdef int reserve                 # a descriptor to give up for a moment when there are no others; -1: lost
    cdef Timer timer                 # to try again; None until first needed
    cdef Lease lease                 # None where the socket is this process's own

    cdef inline uv_poll_t *uv_poll(self) noexcept:
        return <uv_poll_t *>self.uv_handle

    cdef int listen(self, int backlog) noexcept
    cdef int start(self) noexcept
    cdef int pause(self) except -1
    cdef int hold(self) except -1
    cdef int go_on(self) except -1
    cdef bint deal(self, int descriptor, const sockaddr_storage *remote) noexcept
    cdef void release(self) noexcept
    cdef int drop_one(self) except -1
    cdef int dropped(self, int descriptor, const sockaddr_storage *remote, DropReason reason) except -1

cdef Listener open_listener(LoopRecord record, int descriptor, int family, AcceptFilter *filter,
                            const ListenerEvents *events, int *status)
