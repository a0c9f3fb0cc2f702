"""Alarm: one point in time at which a session has to do something, on a timer of the loop.

A session's next deadline moves with almost every packet, nearly always to a later one.  So the timer is left alone
then: it fires in vain once, and is set to what holds by that time.
"""

from time import monotonic

from uvnet._loop.record cimport LoopRecord
from uvnet._loop.timer cimport Timer, open_timer


cdef class Alarm:
    """Calls function() at the time of time.monotonic() that was set last; it never keeps run() going."""

    cdef Timer _timer
    cdef object _function
    cdef double _due                 # when the function is to be called; below 0: never
    cdef double _fires               # when the timer fires; below 0: it does not run

    def __cinit__(self, LoopRecord record not None, function):
        self._function = function
        self._due = self._fires = -1
        self._timer = open_timer(record, self, _on_timeout)

    def set(self, due):
        """Call the function at `due` (float, seconds), or never (None)."""
        if due is None:
            self._due = -1
            return
        self._due = due
        if self._fires < 0 or self._due < self._fires:
            self._start(monotonic())

    def close(self):
        """Call it no more."""
        self._due = -1
        self._function = None
        if self._timer is not None:
            self._timer.close()
            self._timer = None

    cdef int _start(self, double now) except -1:
        # libuv: a timer counts whole milliseconds.
        cdef double rest = max(self._due - now, 0)
        cdef unsigned long long milliseconds = <unsigned long long>(rest * 1000)
        if milliseconds < rest * 1000:
            milliseconds += 1
        self._fires = now + <double>milliseconds / 1000
        self._timer.start(milliseconds)
        return 0

    cdef int _fired(self) except -1:
        cdef double now = monotonic()
        self._fires = -1
        if self._due < 0 or self._timer is None:
            return 0
        if self._due > now + 0.0005:
            return self._start(now)
        self._due = -1
        self._function()
        return 0


cdef int _on_timeout(object owner) except -1:
    return (<Alarm>owner)._fired()
