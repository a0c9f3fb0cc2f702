"""Turns of the loop: how many there were, and the longest one.

How long one took, the time in which it waited for I/O apart, is known from a few clock readings in each (see
prepare.pyx), so they are measured only for who has asked for it once.

libuv: "uv_metrics_idle_time()".
"""

from uvnet._loop.record cimport LoopRecord
from uvnet._uv.table cimport UVNET_UV_METRICS_IDLE_TIME, uv


cdef int watch_turns(LoopRecord record) except -1:
    """Measure the turns of the loop from now on; asked again, or in another thread, it changes nothing."""
    if not record.turns.watched and not record.closed and record.in_own_thread():
        _begin_anew_with_each_run(record)
        uv.loop_configure(record.uv_loop, UVNET_UV_METRICS_IDLE_TIME)
        record.turns.watched = True
        record.wake(record)
    return 0


def _begin_anew_with_each_run(LoopRecord record not None):
    """The time between two runs of the loop is no turn."""
    run_forever = record.loop.run_forever

    def run_forever_with_uvnet():
        """Run until stop() is called."""
        record.turns.began = 0
        run_forever()

    record.loop.run_forever = run_forever_with_uvnet
