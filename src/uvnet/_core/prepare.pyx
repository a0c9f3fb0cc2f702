"""The prepare handle of a loop: what must happen before the loop next blocks for I/O.

Drains ticks and gathered writes that were queued outside a callback of ours, and asks, where somebody wants
to know (see alive.pyx), whether anything keeps the loop alive.
"""

from uvnet._core.handle cimport Handle, handle_of
from uvnet._core.record cimport LoopRecord
from uvnet._core.tick cimport enter, leave
from uvnet._uv.table cimport UVNET_UV_PREPARE, uv, uv_prepare_t


cdef class Prepare(Handle):
    """The loop's prepare handle; it never keeps run() going."""


cdef Prepare open_prepare(LoopRecord record):
    cdef Prepare self = Prepare.__new__(Prepare)
    self.allocate(record, UVNET_UV_PREPARE)
    self.opened(uv.prepare_init(record.uv_loop, <uv_prepare_t *>self.uv_handle), "uv_prepare_init")
    # uvloop's own handles keep its loop going; ours must not hold up the run at loop.close().
    uv.unref(self.uv_handle)
    record.wake = _wake
    return self


cdef void _wake(LoopRecord record) noexcept:
    cdef Prepare self = <Prepare>record.prepare
    if not self.running and not record.closed:
        self.running = True
        uv.prepare_start(<uv_prepare_t *>self.uv_handle, _on_prepare)


cdef void _on_prepare(uv_prepare_t *uv_prepare) noexcept with gil:
    cdef Prepare self = <Prepare>handle_of(uv_prepare)
    cdef LoopRecord record = self.record
    enter(record)
    leave(record)
    if record.closed:
        return
    if record.look_for_end is not NULL:
        record.look_for_end(record)
    else:
        self.running = False
        uv.prepare_stop(uv_prepare)
