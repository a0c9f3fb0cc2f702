"""Idle timeouts of many sockets with one libuv timer.

Activity stores a time in the socket's entry and does nothing else.  When an entry comes due, its true
deadline is worked out from that time, and the entry either goes back into the heap or its event is sent.
After its event an entry is looked at once a period, so that later activity arms it again (rule 2.12.5)
without being told to.
"""

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport UINT64_MAX, uint64_t
from libc.stdlib cimport free, realloc

from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tick cimport report
from uvnet._loop.timer cimport open_timer
from uvnet._uv.table cimport uv


cdef class IdleTimers:
    """The idle timeouts of one loop."""

    def __dealloc__(self):
        free(self.heap)

    cdef int start(self, IdleEntry *entry, object owner, uint64_t period, idle_event on_idle) except -1:
        """Call on_idle(owner) when `entry.last` has not moved for `period` milliseconds (> 0)."""
        cdef IdleEntry **heap
        self.record.check()
        if self.timer is None:
            self.timer = open_timer(self.record, self, _on_timer)
        if entry.index == 0 and self.count + 1 >= self.capacity:
            heap = <IdleEntry **>realloc(self.heap, (self.capacity * 2 + 16) * sizeof(IdleEntry *))
            if heap is NULL:
                raise MemoryError
            self.heap = heap
            self.capacity = self.capacity * 2 + 16
        uv.update_time(self.record.uv_loop)
        entry.last = self.record.now()
        entry.period = period
        entry.deadline = entry.last + period
        entry.fired_for = UINT64_MAX
        entry.on_idle = on_idle
        if entry.index == 0:
            self.count += 1
            entry.owner = <void *>owner
            Py_INCREF(owner)
            self._sift_up(entry, self.count)
        else:
            self._sift_down(entry, entry.index)
            self._sift_up(entry, entry.index)
        self.resume()
        return 0

    cdef void stop(self, IdleEntry *entry) noexcept:
        """Stop watching; harmless on an entry that is not watched."""
        cdef size_t hole = entry.index
        cdef IdleEntry *last
        entry.period = 0
        if hole == 0:
            return
        entry.index = 0
        last = self.heap[self.count]
        self.count -= 1
        if last is not entry:
            self._sift_down(last, hole)
            self._sift_up(last, last.index)
        if self.count == 0:
            self.suspend()
        Py_DECREF(<object>entry.owner)

    cdef void suspend(self) noexcept:
        if self.timer is not None:
            self.timer.stop()

    cdef void resume(self) noexcept:
        """Set the timer for the entry that is due first."""
        cdef uint64_t now
        if self.count:
            now = self.record.now()
            self.timer.start(self.heap[1].deadline - now if self.heap[1].deadline > now else 0)

    cdef void forget_all(self) noexcept:
        """Drop every entry: the loop is gone."""
        while self.count:
            self.stop(self.heap[self.count])
        self.record = None
        self.timer = None

    cdef void _place(self, IdleEntry *entry, size_t index) noexcept:
        self.heap[index] = entry
        entry.index = index

    cdef void _sift_up(self, IdleEntry *entry, size_t index) noexcept:
        while index > 1 and self.heap[index // 2].deadline > entry.deadline:
            self._place(self.heap[index // 2], index)
            index //= 2
        self._place(entry, index)

    cdef void _sift_down(self, IdleEntry *entry, size_t index) noexcept:
        cdef size_t child
        while index * 2 <= self.count:
            child = index * 2
            if child < self.count and self.heap[child + 1].deadline < self.heap[child].deadline:
                child += 1
            if self.heap[child].deadline >= entry.deadline:
                break
            self._place(self.heap[child], index)
            index = child
        self._place(entry, index)


cdef IdleTimers idle_timers_of(LoopRecord record):
    """The loop's idle timeouts, made when first asked for."""
    cdef IdleTimers self = <IdleTimers>record.idle_timers
    if self is None:
        self = IdleTimers.__new__(IdleTimers)
        self.record = record
        record.idle_timers = self
    return self


cdef int _on_timer(object owner) except -1:
    cdef IdleTimers self = <IdleTimers>owner
    cdef LoopRecord record = self.record
    cdef IdleEntry *entry
    cdef object source
    cdef uint64_t now = record.now()
    cdef int keep
    while self.count and self.heap[1].deadline <= now:
        entry = self.heap[1]
        if entry.last + entry.period > now:
            entry.deadline = entry.last + entry.period
            self._sift_down(entry, 1)
            continue
        entry.deadline = now + entry.period
        self._sift_down(entry, 1)
        if entry.last == entry.fired_for:
            continue
        entry.fired_for = entry.last
        source = <object>entry.owner
        try:
            keep = entry.on_idle(source)
        except BaseException as error:
            keep = 1
            report(record, error, "exception in a 'timeout' listener", source)
        # The listener may have stopped the entry, or everything.
        if not keep and entry.index:
            self.stop(entry)
        if record.closed:
            return 0
    self.resume()
    return 0
