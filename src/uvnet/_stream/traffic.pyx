"""Traffic: how many bytes the streams of a loop have carried, and what each has.

The streams count by themselves; here the counters of those that are open are added up, for who asks.  That may be
another thread: the list of handles changes with the GIL alone, and a counter that is being written is a moment old.
"""

from libc.string cimport memset

from uvnet._loop.handle cimport HANDLE_OPEN, Handle, HandleBlock, user_of
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tally cimport Tally
from uvnet._stream.stream cimport Stream


cdef Traffic traffic_of(LoopRecord record, Tally tally) noexcept:
    cdef Traffic found
    cdef Tally closed = record.tally if tally is None else tally
    cdef HandleBlock *block = <HandleBlock *>record.first_handle
    memset(&found, 0, sizeof(found))
    if closed is None:
        return found
    found.bytes_read = closed.bytes_read
    found.bytes_written = closed.bytes_written
    while block is not NULL:
        if _counts(block, tally):
            found.bytes_read += block.bytes_read
            found.bytes_written += block.bytes_written
            found.bytes_queued += (<Stream>block.owner).queued()
        block = block.next
    return found


cdef bint _counts(HandleBlock *block, Tally tally) noexcept:
    """Whether it is an open stream that counts there."""
    cdef Handle handle = <Handle>block.owner
    return handle.state == HANDLE_OPEN and isinstance(handle, Stream) and (
        tally is None or (<Stream>handle).tally is tally
    )


def open_streams(LoopRecord record not None):
    """Of each open stream: (a number that is its own, bytes read, bytes written, bytes queued, whose it is)."""
    cdef HandleBlock *block = <HandleBlock *>record.first_handle
    cdef list found = []
    # What is made here may have the collector run, which may close some.
    cdef list handles = []
    cdef Handle handle
    while block is not NULL:
        if _counts(block, None):
            handles.append(<Handle>block.owner)
        block = block.next
    for handle in handles:
        if handle.state == HANDLE_OPEN:
            block = handle.block
            found.append((
                <size_t>block, block.bytes_read, block.bytes_written, (<Stream>handle).queued(), user_of(handle)
            ))
    return found
