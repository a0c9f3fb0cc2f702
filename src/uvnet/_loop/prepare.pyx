"""The prepare handle of a loop: what must happen before the loop next blocks for I/O.

Drains ticks and gathered writes that were queued outside a callback of ours, looks after descriptors that were taken
over (see adopted.pyx), and asks, where somebody wants to know (see alive.pyx), whether anything keeps the loop alive.
"""

from libc.stdint cimport uint64_t

from uvnet._loop.adopted cimport find_lost, next_lost
from uvnet._loop.handle cimport Handle, HandleBlock, block_of, handle_of
from uvnet._loop.record cimport GilHold, LoopRecord, Turns
from uvnet._loop.tick cimport enter, leave
from uvnet._uv.table cimport UVNET_UV_PREPARE, uv, uv_handle_t, uv_prepare_t


cdef class Prepare(Handle):
    """The loop's prepare handle; it never keeps run() going."""


cdef Prepare open_prepare(LoopRecord record):
    cdef Prepare self = Prepare.__new__(Prepare)
    self.allocate(record, UVNET_UV_PREPARE)
    self.opened(uv.prepare_init(record.uv_loop, <uv_prepare_t *>self.uv_handle), "uv_prepare_init")
    # uvloop's own handles keep its loop going; ours must not hold up the run at loop.close().
    uv.unref(self.uv_handle)
    record.prepare = self
    record.wake = _wake
    return self


cdef void _wake(LoopRecord record) noexcept:
    cdef Prepare self = <Prepare>record.prepare
    if not self.running and not record.closed:
        self.running = True
        uv.prepare_start(<uv_prepare_t *>self.uv_handle, _on_prepare)


cdef void _on_prepare(uv_prepare_t *uv_prepare) noexcept nogil:
    if block_of(uv_prepare).hold.turns.watched:
        _end_turn(block_of(uv_prepare).hold)
    if block_of(uv_prepare).hold.adopted.count and find_lost(block_of(uv_prepare).hold):
        _tell_lost(uv_prepare)
    # In run() it is called in every turn of the loop: relays must not wait there for a busy thread.
    if not _is_quiet(block_of(uv_prepare).hold):
        _drain(uv_prepare)


cdef void _end_turn(GilHold *hold) noexcept nogil:
    cdef Turns *turns = hold.turns
    cdef uint64_t now = uv.hrtime()
    cdef uint64_t idle = uv.metrics_idle_time(hold.adopted.uv_loop)
    cdef uint64_t took = now - turns.began - (idle - turns.idle)
    if turns.began:
        turns.count += 1
        if took > turns.longest:
            turns.longest = took
    turns.began = now
    turns.idle = idle


cdef bint _is_quiet(GilHold *hold) noexcept nogil:
    """Nothing waits to be drained or told, and the handle that kept run() going the last time still does."""
    cdef HandleBlock *first = <HandleBlock *>hold.first_handle[0]
    if hold.tick_count[0] or hold.first_gathering[0] is not NULL or hold.untold:
        return False
    if hold.look_for_end[0] is NULL:
        return hold.adopted.count != 0 or hold.turns.watched
    return first is not NULL and first.referenced and uv.is_active(<uv_handle_t *>(first + 1)) != 0


cdef void _tell_lost(uv_prepare_t *uv_prepare) noexcept with gil:
    cdef LoopRecord record = handle_of(uv_prepare).record
    cdef HandleBlock *block
    cdef Handle handle
    while not record.closed:
        block = next_lost(&record.hold)
        if block is NULL:
            return
        handle = <Handle>block.owner
        handle.descriptor_lost()
        # Whatever became of telling it: libuv must not ask for it.
        handle.close()


cdef void _drain(uv_prepare_t *uv_prepare) noexcept with gil:
    cdef Prepare self = <Prepare>handle_of(uv_prepare)
    cdef LoopRecord record = self.record
    enter(record)
    leave(record)
    if record.closed:
        return
    if record.look_for_end is not NULL:
        record.look_for_end(record)
    elif record.adopted.count == 0 and not record.turns.watched:
        self.running = False
        uv.prepare_stop(uv_prepare)
