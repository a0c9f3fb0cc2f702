from libc.stdint cimport uint64_t

from uvnet._loop.record cimport GilHold, LoopRecord
from uvnet._uv.table cimport uv_handle_t

cdef enum HandleState:
    HANDLE_INIT          # memory only; libuv does not know it
    HANDLE_OPEN
    HANDLE_CLOSING       # uv_close() called
    HANDLE_CLOSED        # the close callback has run; the memory is gone

# Lies in front of the libuv struct, in the same allocation: uvloop owns what `data` may point at.
# A multiple of 16 bytes, so that the libuv struct stays as aligned as malloc made the whole.
cdef struct HandleBlock:
    void *owner              # the Handle, borrowed: it holds a reference to itself until its close callback
    HandleBlock *previous
    HandleBlock *next
    GilHold *hold            # the loop's
    # Of a stream; here, and not in its class, for callbacks that do not hold the GIL.
    char *read_buffer        # where the next read goes
    size_t read_size
    uint64_t bytes_read
    uint64_t bytes_written   # handed over: sent, or waiting in libuv
    size_t queued_bytes      # waiting in libuv
    uint64_t *activity       # where the time of the last activity goes, or NULL
    void *relay_from         # the Relay that takes what is received here, or NULL; see relay.pyx
    void *relay_to           # the Relay that writes here, or NULL
    int descriptor           # -1 until it is first needed
    unsigned char referenced  # keeps uvnet.run() going while it is active
    unsigned char reading
    unsigned char connecting
    unsigned char gathering  # in the loop's list of streams to flush
    unsigned char no_socket  # recv(2) and send(2) do not know it: a FIFO taken over by `fd`
    unsigned char own_buffer  # reads go into the owner's memory: on_read gets no chunk
    unsigned char asks       # where each read goes the owner is asked before it: on_wanted
    unsigned int adopted     # its number where the descriptor was taken over, see adopted.pyx; 0: it was not

cdef class Handle

# The close callback has run.
ctypedef int (*closed_event)(object owner, Handle handle) except -1

# Events of a handle are C functions, called with the handle's owner while it is not None.
ctypedef int (*handle_event)(object owner) except -1

cdef class Handle:
    cdef LoopRecord record
    cdef HandleBlock *block
    cdef uv_handle_t *uv_handle
    cdef HandleState state
    cdef object owner
    cdef object context              # in which the owner hears of events, or None; see context.pxd
    cdef closed_event on_closed
    cdef handle_event on_abandoned   # the loop is closing; no event will follow

    cdef int allocate(self, LoopRecord record, int type) except -1
    cdef int opened(self, int status, str syscall) except -1
    cdef void close(self, bint reset=*) noexcept
    cdef void descriptor_lost(self) noexcept
    cdef int fileno(self) except -2
    cdef bint is_active(self) noexcept
    cdef bint keeps_alive(self) noexcept

# What owns handles on behalf of somebody else.
cdef class Intermediary:
    cdef object on_behalf_of(self)

cdef object user_of(Handle handle)

cdef inline HandleBlock *block_of(void *uv_handle) noexcept nogil:
    return <HandleBlock *>(<char *>uv_handle - sizeof(HandleBlock))

cdef Handle handle_of(void *uv_handle)
cdef void close_handles(LoopRecord record, Handle kept=*) noexcept
cdef Handle first_alive(LoopRecord record)
cdef list open_handles(LoopRecord record)
