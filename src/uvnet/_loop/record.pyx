"""What uvnet keeps for one event loop: its thread, its open handles, its tick queue, its read buffer.

Plain data that everything on a loop reads; it must not know what a handle is.
"""

from asyncio import _get_running_loop

from cpython.ref cimport Py_DECREF
from libc.stdlib cimport free, malloc

from uvnet._loop.tally cimport Tally
from uvnet._uv.table cimport loop_pointer


cdef class LoopRecord:
    """The record of one uvloop loop; made by uvnet._loop.loop.record_of()."""

    def __dealloc__(self):
        if self.spare_chunk is not NULL:
            Py_DECREF(<object>self.spare_chunk)
        free(self.ticks)
        free(self.adopted.entries)
        free(self.read_buffer)

    cdef bint in_own_thread(self) except -1:
        """Whether this is the loop's thread.  From any other one may look at things, and no more."""
        return PyThread_get_thread_ident() == self.hold.thread_id or (
            self.uv_loop is not NULL and _get_running_loop() is self.loop
        )

    cdef int check_running(self) except -1:
        """check(), and raise RuntimeError where another loop runs: what begins to wait here would wait for ever."""
        self.check()
        running = _get_running_loop()
        if running is not None and running is not self.loop:
            raise RuntimeError(
                f"this uvnet object belongs to {self.loop!r}, and the loop that runs is {running!r}; "
                "make it inside the coroutine that uses it, or run the loop it belongs to with uvnet.run()"
            )
        return 0

    cdef int raise_unusable(self) except -1:
        if self.uv_loop is NULL:
            raise RuntimeError("this uvnet object has not been initialised; call super().__init__() first")
        if self.forked:
            raise RuntimeError(
                "this uvnet object was made before fork, by the parent process; make another one in this process"
            )
        if self.closed:
            raise RuntimeError("the event loop of this uvnet object is closed")
        if _get_running_loop() is self.loop:
            # The loop was made in one thread and runs in this one.
            self.hold.thread_id = PyThread_get_thread_ident()
            return 0
        raise RuntimeError(
            f"this uvnet object belongs to {self.loop!r}, an event loop of another thread "
            f"(here {_running_text()}); use loop.call_soon_threadsafe() to reach it"
        )


def _running_text():
    running = _get_running_loop()
    return "no loop runs" if running is None else f"{running!r} runs"


cdef LoopRecord new_record(object loop):
    """The record of a uvloop loop; raises RuntimeError for any other."""
    cdef LoopRecord self = LoopRecord.__new__(LoopRecord)
    self.read_buffer = <char *>malloc(READ_BUFFER_SIZE)
    if self.read_buffer is NULL:
        raise MemoryError
    self.hold.thread_id = PyThread_get_thread_ident()
    self.hold.tick_count = &self.tick_count
    self.hold.first_gathering = &self.first_gathering
    self.hold.first_handle = &self.first_handle
    self.hold.look_for_end = &self.look_for_end
    self.hold.low_water = &self.low_water
    self.hold.adopted = &self.adopted
    self.hold.turns = &self.turns
    self.tally = Tally.__new__(Tally)
    self.lookups = set()
    self.awaited = set()
    self.uv_loop = self.adopted.uv_loop = loop_pointer(loop)
    self.loop = loop
    return self


cdef void _nothing(LoopRecord record) noexcept:
    pass


no_record = LoopRecord.__new__(LoopRecord)
stream_hooks.flush = stream_hooks.drop_gathered = stream_hooks.let_go = _nothing
