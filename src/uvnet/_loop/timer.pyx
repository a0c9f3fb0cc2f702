"""One-shot libuv timers."""

from libc.stdint cimport uint64_t

from uvnet._loop.handle cimport HANDLE_OPEN, Handle, handle_event, handle_of
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport enter, leave, report
from uvnet._uv.table cimport UVNET_UV_TIMER, uv, uv_timer_t


cdef class Timer(Handle):
    """A timer that calls on_timeout(owner) once per start(); it never keeps run() going by itself."""

    cdef void start(self, uint64_t milliseconds) noexcept:
        """Call on_timeout after `milliseconds`; a running timer starts anew."""
        if self.state == HANDLE_OPEN:
            # libuv: the start is relative to the loop's cached time, which may be old outside callbacks.
            uv.update_time(self.record.uv_loop)
            uv.timer_start(<uv_timer_t *>self.uv_handle, _on_timeout, milliseconds, 0)

    cdef void stop(self) noexcept:
        if self.state == HANDLE_OPEN:
            uv.timer_stop(<uv_timer_t *>self.uv_handle)


cdef Timer open_timer(LoopRecord record, object owner, handle_event on_timeout):
    cdef Timer self = Timer.__new__(Timer)
    self.allocate(record, UVNET_UV_TIMER)
    self.opened(uv.timer_init(record.uv_loop, <uv_timer_t *>self.uv_handle), "uv_timer_init")
    self.owner = owner
    self.on_timeout = on_timeout
    return self


cdef void _on_timeout(uv_timer_t *uv_timer) noexcept with gil:
    cdef Timer self = <Timer>handle_of(uv_timer)
    cdef LoopRecord record = self.record
    if record.closed or self.owner is None:
        return
    enter(record)
    try:
        self.on_timeout(self.owner)
    except BaseException as error:
        report(record, error, "exception in a uvnet timer", self.owner)
    leave(record)
