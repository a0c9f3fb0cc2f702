"""Alarm: one point in time at which a session has to do something, among the loop's idle timeouts.

All of them share one timer, which keeps nothing alive.  A session's next deadline moves with almost every packet,
nearly always to a later one.  So the entry is left alone then: it comes due once in vain, and is set to what holds by
that time.
"""

from time import monotonic

from uvnet._loop.idle cimport IdleEntry, idle_timers_of
from uvnet._loop.record cimport LoopRecord


cdef class Alarm:
    """Calls function() at the time of time.monotonic() that was set last; it never keeps run() going."""

    cdef LoopRecord _record
    cdef object _function            # None once closed
    cdef IdleEntry _entry
    cdef double _due                 # when the function is to be called; below 0: never
    cdef double _looks               # when the entry comes due; below 0: it is not watched

    def __cinit__(self, LoopRecord record not None, function):
        self._record = record
        self._function = function
        self._due = self._looks = -1

    def set(self, due):
        """Call the function at `due` (float, seconds), or never (None)."""
        if due is None or self._function is None:
            self._due = -1
            return
        self._due = due
        if self._looks < 0 or self._due < self._looks:
            self._watch(monotonic())

    def close(self):
        """Call it no more."""
        self._due = self._looks = -1
        self._function = None
        if self._entry.index and not self._record.closed:
            idle_timers_of(self._record).stop(&self._entry)

    cdef int _watch(self, double now) except -1:
        # libuv: a timer counts whole milliseconds.
        cdef double rest = max((self._due - now) * 1000, 0)
        cdef unsigned long long milliseconds = <unsigned long long>rest + 1
        self._looks = now + <double>milliseconds / 1000
        idle_timers_of(self._record).start(&self._entry, self, milliseconds, _on_due)
        return 0

    cdef int _came_due(self) except -1:
        cdef double now = monotonic()
        self._looks = -1
        if self._due < 0:
            return 0
        if self._due > now + 0.0005:
            self._watch(now)
            return 1
        self._due = -1
        self._function()
        # Where it has set another time the entry is watched already.
        return self._looks >= 0


cdef int _on_due(object owner) except -1:
    return (<Alarm>owner)._came_due()
