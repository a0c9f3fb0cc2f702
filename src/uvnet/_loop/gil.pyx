"""Holding the GIL over a batch of I/O callbacks.

A poll of libuv reports many sockets at once and calls back for each.  Taking the GIL and giving it up again for
every one of them costs more than many a listener.  So the first callback of a batch that needs Python keeps
the GIL, and a check handle gives it up.

libuv: check callbacks run right after the poll for I/O, in the same turn of the loop, so the GIL is never held
while the loop blocks and never when uv_run() returns.  Read and connection callbacks come from the poll phase
alone; callbacks that may come from elsewhere must not hold.  Other threads get their turn meanwhile as they
always do, whenever a listener runs Python code.
"""

from uvnet._loop.handle cimport Handle, block_of
from uvnet._loop.record cimport GilHold, LoopRecord
from uvnet._uv.table cimport UVNET_UV_CHECK, uv, uv_check_t


cdef class Check(Handle):
    """The loop's check handle; it never keeps run() going."""


cdef Check open_check(LoopRecord record):
    cdef Check self = Check.__new__(Check)
    self.allocate(record, UVNET_UV_CHECK)
    self.opened(uv.check_init(record.uv_loop, <uv_check_t *>self.uv_handle), "uv_check_init")
    uv.unref(self.uv_handle)
    record.check_handle = self
    uv.check_start(<uv_check_t *>self.uv_handle, _on_check)
    return self


cdef void _on_check(uv_check_t *uv_check) noexcept nogil:
    cdef GilHold *hold = block_of(uv_check).hold
    if hold.held:
        hold.held = False
        PyGILState_Release(<PyGILState_STATE>hold.state)
