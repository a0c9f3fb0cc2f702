"""Tally: what a loop, or one server, has had to do with so far.

Written by whoever has something to count, in C and without a lock: the loop's own thread, with the GIL.
"""


cdef class Tally:
    """Counters that only grow."""
