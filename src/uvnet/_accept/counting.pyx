"""Counting: adds up for statistics() what everybody has counted, in any thread.

This is not in Node.
"""

from asyncio import _get_running_loop

from uvnet._accept.intake cimport REASONS, Intake
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.turns cimport watch_turns
from uvnet._stream.traffic cimport Traffic, traffic_of

from uvnet._accept.statistics import LoopStatistics, ServerStatistics
from uvnet._loop.asking import ask
from uvnet._loop.loop import record_of, running_record


cdef object statistics_of(Intake intake):
    cdef Traffic traffic = traffic_of(intake.record, intake.tally)
    return ServerStatistics(
        intake.tally.accepted, intake.filter.connections, intake.dropped(), intake.tally.handshakes,
        traffic.bytes_read, traffic.bytes_written, traffic.bytes_queued,
    )


def statistics(loop=None):
    """The LoopStatistics of an event loop: of the one that runs, or that run() will run, unless told otherwise.

    What another thread's loop counts may be asked for too; without a GIL that loop answers itself, which raises
    RuntimeError where something holds it up for 5 seconds.
    Raises RuntimeError for a loop that is not uvloop's, that is closed, or that runs in another thread and has
    nothing of uvnet's yet.  This is not in Node.
    """
    cdef LoopRecord record = _record_to_count(loop)
    return ask(record.loop, lambda: _statistics(record))


def _statistics(LoopRecord record not None):
    cdef Traffic traffic
    if record.closed:
        raise RuntimeError("the event loop is closed")
    traffic = traffic_of(record, None)
    watch_turns(record)
    return LoopStatistics(
        record.tally.accepted, record.connections,
        {reason: record.dropped[<int>number] for number, reason in REASONS.items()},
        record.tally.handshakes,
        traffic.bytes_read, traffic.bytes_written, traffic.bytes_queued,
        record.turns.count, record.turns.longest / 1e9,
    )


cdef LoopRecord _record_to_count(object loop):
    if loop is None:
        return running_record()
    # A record is made by the loop's own thread.
    if getattr(loop, "_uvnet_record", None) is None and loop.is_running() and _get_running_loop() is not loop:
        raise RuntimeError(f"{loop!r} runs in another thread and has nothing of uvnet's: there is nothing to count")
    return record_of(loop)
