"""Receive low-water marks: a stream that brings bulk wakes the loop only when much has come (SO_RCVLOWAT, Linux).

Owns the marks of a loop and their timer.  Each waking costs a turn of the loop and, at the other end, packets;
on a bulk flow most of them bring little.  A mark is raised after the flow has lasted for a while, and lowered
by a timer as soon as bytes wait and no more are coming, so that a tail is late by two ticks at most.  Where
answers have gone the other way since that happened last, somebody may have waited for the tail, and the flow has
to last twice as long before the mark is raised again: a protocol of large messages and answers loses next to
nothing.

Linux: a mark does not hold back the end of a stream or an error, nor a full receive buffer.
"""

from uvnet._loop.handle cimport Handle, block_of
from uvnet._loop.record cimport LowWaterMarks
from uvnet._stream.transfer cimport descriptor_of
from uvnet._uv.table cimport UVNET_UV_TIMER, uv, uv_handle_t, uv_timer_t

cdef extern from *:
    """
    #ifdef __linux__
    #include <netinet/in.h>
    #include <sys/ioctl.h>
    #include <sys/socket.h>

    /* SO_RCVLOWAT as it was, or 0: not TCP, whose poll alone looks at it. */
    static int uvnet_raise_low_water(int descriptor, int bytes)
    {
        int protocol = 0, usual = 0;
        socklen_t length = sizeof protocol;
        if (getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) < 0 || protocol != IPPROTO_TCP)
            return 0;
        length = sizeof usual;
        if (getsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, &usual, &length) < 0 || usual < 1 ||
            setsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) < 0)
            return 0;
        return usual;
    }
    static void uvnet_lower_low_water(int descriptor, int usual)
    {
        setsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, &usual, sizeof usual);
    }
    static int uvnet_waiting_bytes(int descriptor)
    {
        int waiting = 0;
        return ioctl(descriptor, FIONREAD, &waiting) < 0 ? 0 : waiting;
    }
    #else
    static int uvnet_raise_low_water(int descriptor, int bytes) { return 0; }
    static void uvnet_lower_low_water(int descriptor, int usual) { }
    static int uvnet_waiting_bytes(int descriptor) { return 0; }
    #endif
    """
    int raise_low_water "uvnet_raise_low_water" (int descriptor, int bytes) nogil
    void lower_low_water "uvnet_lower_low_water" (int descriptor, int usual) nogil
    int waiting_bytes "uvnet_waiting_bytes" (int descriptor) nogil

cdef enum:
    TICK = 2                      # milliseconds
    MOST_QUIET_TICKS = 8          # a flow that needs longer to bring LOW_WATER bytes costs little as it is
    FIRST_PATIENCE = 4194304      # bytes
    MOST_PATIENCE = 67108864


cdef class LowWaterTimer(Handle):
    """Ticks while a mark of the loop is raised; it never keeps run() going."""


cdef int prepare_low_water(LoopRecord record) except -1:
    """Make the loop's timer; what start_mark() needs."""
    cdef Handle timer
    if record.low_water.timer is not NULL:
        return 0
    timer = LowWaterTimer.__new__(LowWaterTimer)
    timer.allocate(record, UVNET_UV_TIMER)
    timer.opened(uv.timer_init(record.uv_loop, <uv_timer_t *>timer.uv_handle), "uv_timer_init")
    uv.unref(timer.uv_handle)
    record.low_water.timer = timer.uv_handle
    return 0


cdef void forget_low_water(LoopRecord record) noexcept:
    """The loop is closing: its timer ticks no more."""
    record.low_water.timer = NULL


cdef void start_mark(LowWaterMark *mark, HandleBlock *source) noexcept nogil:
    mark.source = source
    mark.usual = 0
    mark.seen = source.bytes_read
    mark.answered = source.bytes_written
    mark.patience = FIRST_PATIENCE


cdef void consider_mark(LowWaterMark *mark) noexcept nogil:
    """Raise the mark if the flow has lasted long enough; to be called when much has been read."""
    cdef LowWaterMarks *marks = mark.source.hold.low_water
    if mark.usual or mark.patience == 0 or mark.source.bytes_read - mark.seen < mark.patience:
        return
    mark.usual = raise_low_water(descriptor_of(mark.source), LOW_WATER)
    if mark.usual == 0:
        mark.patience = 0
        return
    mark.seen = mark.source.bytes_read
    mark.available = mark.quiet_ticks = 0
    mark.previous = NULL
    mark.next = <LowWaterMark *>marks.first
    if mark.next is NULL:
        uv.timer_start(<uv_timer_t *>marks.timer, _on_tick, TICK, TICK)
    else:
        mark.next.previous = mark
    marks.first = <void *>mark


cdef void stop_mark(LowWaterMark *mark) noexcept nogil:
    """Lower the mark, if it is raised: every byte counts again."""
    cdef int descriptor
    # The handle may be closing, and its descriptor somebody else's by now.
    if mark.usual and uv.fileno(<uv_handle_t *>(mark.source + 1), &descriptor) == 0:
        lower_low_water(descriptor, mark.usual)
    forget_mark(mark)


cdef void forget_mark(LowWaterMark *mark) noexcept nogil:
    """Look after the mark no more, and leave the socket as it is."""
    cdef LowWaterMarks *marks = mark.source.hold.low_water
    if mark.usual == 0:
        return
    mark.usual = 0
    mark.seen = mark.source.bytes_read
    if mark.next is not NULL:
        mark.next.previous = mark.previous
    if mark.previous is not NULL:
        mark.previous.next = mark.next
        return
    marks.first = <void *>mark.next
    if mark.next is NULL:
        uv.timer_stop(<uv_timer_t *>marks.timer)


cdef void _on_tick(uv_timer_t *uv_timer) noexcept nogil:
    cdef LowWaterMark *mark = <LowWaterMark *>block_of(uv_timer).hold.low_water.first
    cdef LowWaterMark *following
    while mark is not NULL:
        following = mark.next
        _look_at(mark)
        mark = following


cdef void _look_at(LowWaterMark *mark) noexcept nogil:
    cdef int available = waiting_bytes(descriptor_of(mark.source))
    # While the source is not read its sink is slow, and the mark holds nothing back.
    if mark.seen != mark.source.bytes_read or not mark.source.reading:
        mark.seen = mark.source.bytes_read
        mark.quiet_ticks = 0
    else:
        mark.quiet_ticks += 1
        if mark.quiet_ticks == MOST_QUIET_TICKS:
            stop_mark(mark)
        elif available and available == mark.available:
            _let_through(mark)
    mark.available = available


cdef void _let_through(LowWaterMark *mark) noexcept nogil:
    """Wake the loop with what waits."""
    stop_mark(mark)
    if mark.source.bytes_written == mark.answered:
        # Raised again as soon as it has been read.
        mark.seen -= mark.patience
        return
    mark.answered = mark.source.bytes_written
    if mark.patience < MOST_PATIENCE:
        mark.patience *= 2
