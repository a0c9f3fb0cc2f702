from uvnet._loop.handle cimport Handle
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.timer cimport Timer
from uvnet._uv.table cimport uv_poll_t

cdef enum:
    MOST_DESCRIPTORS = 250       # in one frame; Linux takes 253 in one message
    LONGEST_FRAME = 67108864     # bytes

cdef class Frame:
    cdef bytes data              # its head too
    cdef Py_ssize_t begun        # bytes of it that are sent
    cdef list descriptors        # of ints, open until it is over; None once they are sent
    cdef object over             # called with None once it is sent, else with the error; or None

cdef class Channel(Handle):
    cdef readonly int descriptor     # -1 once it is closed
    cdef readonly dict receivers     # by the kind, what is called with (payload, descriptors); see _give()
    cdef readonly set carriers       # the kinds that bring descriptors
    cdef object lost                 # called once with None or the error when no frame will come any more
    cdef object _outgoing            # a deque of Frames
    cdef Py_ssize_t _queued          # bytes of them
    cdef bint _sends_later           # a tick will send them
    cdef bint _blocked               # until the socket takes more
    cdef Timer _again                # to go on soon: there was no memory, or too much is under way between processes
    cdef object _batches             # a deque of lists of descriptors, one a frame that has any
    cdef char *_incoming
    cdef size_t _capacity
    cdef size_t _filled

    cdef inline uv_poll_t *uv_poll(self) noexcept:
        return <uv_poll_t *>self.uv_handle

    cdef int put(self, int kind, bytes payload, list descriptors, object over) except -1
    cdef int flush(self) except -1
    cdef int _flush(self) except -1
    cdef int _watch(self) noexcept
    cdef int _send(self, int *status) except -1
    cdef ssize_t _receive(self) except? -1
    cdef int _give_out(self) except -1
    cdef list _descriptors_of(self, unsigned int count)
    cdef int _later(self) except -1
    cdef int _go_on(self) except -1
    cdef int _take(self, ssize_t *received) except -1
    cdef int _over(self, object error) except -1

cdef Channel open_channel(LoopRecord record, int descriptor, object owner, object lost)
