"""Handles: the life of one libuv handle, and the only place that closes one.

Rules:
  - A Handle holds one strong reference to itself from a successful uv_*_init to the last statement of its
    close callback.  So it is never deallocated while libuv knows it, and an open socket lives although
    nobody holds it.
  - INIT -> OPEN -> CLOSING -> CLOSED; the state changes only in this file.
  - `data` of the libuv struct is the loop's guard (see loop.pyx), because uvloop's close casts it to a class
    of its own.  The way back to the Handle lies in front of the struct.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport calloc, free

from uvnet._loop.context cimport enter_context, exit_context
from uvnet._loop.counters cimport counters
from uvnet._loop.record cimport FIRST_READ_SIZE, LoopRecord
from uvnet._loop.threads cimport add_to
from uvnet._loop.tick cimport enter, leave, report
from uvnet._uv.table cimport uv, uv_handle_t, uv_tcp_t
from uvnet.errors.system cimport system_error

cdef Handle handle_of(void *uv_handle):
    """The Handle of a libuv handle of ours."""
    return <Handle>block_of(uv_handle).owner


cdef class Handle:
    """Base of every libuv handle.  Subclasses call allocate(), uv_*_init, then opened()."""

    def __dealloc__(self):
        # Reached before init succeeded or after the close callback, never in between.
        free(self.block)

    cdef int allocate(self, LoopRecord record, int type) except -1:
        record.check()
        self.block = <HandleBlock *>calloc(1, sizeof(HandleBlock) + uv.handle_size(type))
        if self.block is NULL:
            raise MemoryError
        self.record = record
        self.block.owner = <void *>self
        self.block.read_buffer = record.read_buffer
        self.block.read_size = FIRST_READ_SIZE
        self.block.descriptor = -1
        self.block.hold = &record.hold
        self.uv_handle = <uv_handle_t *>(<char *>self.block + sizeof(HandleBlock))
        return 0

    cdef int opened(self, int status, str syscall) except -1:
        """Take the result of uv_*_init: from here to the close callback libuv may call back."""
        cdef HandleBlock *block = self.block
        cdef LoopRecord record = self.record
        if status < 0:
            raise system_error(status, syscall)
        self.uv_handle.data = <void *>record.guard
        self.state = HANDLE_OPEN
        block.next = <HandleBlock *>record.first_handle
        if block.next is not NULL:
            block.next.previous = block
        record.first_handle = block
        add_to(counters.handles, 1)
        Py_INCREF(self)
        return 0

    cdef void close(self, bint reset=False) noexcept:
        """Close the handle: its descriptor now, its close callback at the end of this turn of the loop.

        `reset` ends a TCP connection with RST instead of FIN.  Closing twice is harmless.
        """
        if self.state != HANDLE_OPEN:
            return
        self.state = HANDLE_CLOSING
        self.block.reading = False
        self.block.descriptor = -1
        if reset and uv.tcp_close_reset(<uv_tcp_t *>self.uv_handle, _on_closed) == 0:
            return
        uv.close(self.uv_handle, _on_closed)

    cdef void descriptor_lost(self) noexcept:
        """Somebody else has closed the descriptor that was taken over.  Subclasses tell their owner."""
        self.close()

    cdef int fileno(self) except -2:
        """The descriptor, or -1 where there is none (yet)."""
        cdef int descriptor = -1
        if self.state != HANDLE_OPEN or uv.fileno(self.uv_handle, &descriptor) < 0:
            return -1
        return descriptor

    cdef bint is_active(self) noexcept:
        """libuv: reading, writing, connecting, listening; a handle on its way to closed counts too."""
        if self.state == HANDLE_OPEN:
            # libuv: to connect alone does not make a handle active.
            return self.block.connecting or uv.is_active(self.uv_handle) != 0
        return self.state == HANDLE_CLOSING

    cdef bint keeps_alive(self) noexcept:
        """Whether uvnet.run() has to go on: what is being written goes out, referenced or not."""
        if self.state == HANDLE_OPEN and self.block.queued_bytes:
            return True
        return self.block is not NULL and self.block.referenced and self.is_active()


cdef class Intermediary:
    """An owner of handles that is no object of the user's."""

    cdef object on_behalf_of(self):
        """Another intermediary, or the object of the user's; None where there is none (any more)."""
        return None


cdef object user_of(Handle handle):
    """The object that the handle is there for, as the user knows it."""
    cdef object owner = handle.owner
    while True:
        if isinstance(owner, Intermediary):
            owner = (<Intermediary>owner).on_behalf_of()
        elif isinstance(owner, Handle):
            owner = (<Handle>owner).owner
        else:
            return owner


cdef void _on_closed(uv_handle_t *uv_handle) noexcept with gil:
    cdef Handle self = handle_of(uv_handle)
    cdef LoopRecord record = self.record
    cdef HandleBlock *block = self.block
    cdef object owner = self.owner
    cdef object context = self.context
    self.state = HANDLE_CLOSED
    if block.previous is NULL:
        record.first_handle = block.next
    else:
        block.previous.next = block.next
    if block.next is not NULL:
        block.next.previous = block.previous
    self.block = NULL
    self.uv_handle = NULL
    self.owner = None
    free(block)
    add_to(counters.handles, -1)
    if owner is not None and self.on_closed is not NULL and not record.closed:
        enter(record)
        try:
            enter_context(context)
            try:
                self.on_closed(owner, self)
            finally:
                exit_context(context)
        except BaseException as error:
            report(record, error, "exception in a uvnet close callback", owner)
        leave(record)
    Py_DECREF(self)


cdef void close_handles(LoopRecord record, Handle kept=None) noexcept:
    """Close every open handle of the loop but `kept`; owners are told that no event will follow."""
    cdef HandleBlock *block = <HandleBlock *>record.first_handle
    cdef Handle handle
    while block is not NULL:
        handle = <Handle>block.owner
        # on_abandoned may drop other owners, but no block leaves the list outside a close callback.
        if handle.owner is not None and handle.on_abandoned is not NULL:
            try:
                handle.on_abandoned(handle.owner)
            except BaseException as error:
                report(record, error, "exception while closing the loop", None)
        if handle is not kept:
            handle.close()
        block = block.next


cdef Handle first_alive(LoopRecord record):
    """A handle that keeps run() going, or None.  The one found moves to the front, so the next call is short."""
    cdef HandleBlock *block = <HandleBlock *>record.first_handle
    cdef HandleBlock *first = block
    cdef Handle handle
    while block is not NULL:
        handle = <Handle>block.owner
        if handle.keeps_alive():
            if block is not first:
                block.previous.next = block.next
                if block.next is not NULL:
                    block.next.previous = block.previous
                block.previous = NULL
                block.next = first
                first.previous = block
                record.first_handle = block
            return handle
        block = block.next
    return None


cdef list open_handles(LoopRecord record):
    """Every handle of the loop that is not closed yet."""
    cdef HandleBlock *block = <HandleBlock *>record.first_handle
    cdef list handles = []
    while block is not NULL:
        handles.append(<Handle>block.owner)
        block = block.next
    return handles
