from uvnet._stream.file_sink cimport FileSink
from uvnet.events.loop_emitter cimport LoopEmitter
from uvnet.events.waiter cimport Reader

ctypedef unsigned char flag

cdef enum:
    DEFAULT_HIGH_WATER_MARK = 65536      # bytes, both ways (decision 20)

# Directions in which a relay may go through a stream, see relaying.pyx.
cdef enum:
    RELAY_FROM = 1
    RELAY_TO = 2

# Whether data is given out unasked, see flowing.pyx.
cdef enum:
    NOBODY_ASKED = 0                     # Node's null
    NOT_FLOWING = 1
    FLOWING = 2

cdef class Readable(LoopEmitter):
    cdef object _data_listener           # the one 'data' listener, or None where there are none or several
    cdef object _buffer                  # deque of chunks nobody has taken; None until first used
    cdef Py_ssize_t _offset              # how much of the first chunk is taken
    cdef Py_ssize_t _readable_length     # bytes, or characters after set_encoding()
    cdef Py_ssize_t _readable_high_water_mark
    cdef Reader _reading                 # of the coroutine that waits for data, see reading.pyx
    cdef object _decoder
    cdef str _encoding
    cdef object _errored                 # the error that ended the stream
    cdef flag _flowing                   # NOBODY_ASKED, NOT_FLOWING or FLOWING
    cdef flag _relaying                  # RELAY_FROM, RELAY_TO: C code moves the data, and Python must ask first
    cdef flag _awaited                   # coroutines hear of errors
    cdef flag _error_heard              # one has, or a listener
    cdef flag _readable_side             # False: this side does not exist, and counts as ended
    cdef flag _reading_begun             # data was asked for once
    cdef flag _readable_ended            # no more data will come from below
    cdef flag _end_scheduled
    cdef flag _end_emitted
    cdef flag _need_readable             # 'readable' is owed when data comes
    cdef flag _emitted_readable
    cdef flag _readable_listening
    cdef flag _destroyed
    cdef flag _broken                    # destroyed because the connection failed: what has come may still be taken
    cdef flag _close_emitted

    # For subclasses.
    cdef bint _is_reading(self) noexcept             # data comes, or will as soon as there is a connection
    cdef int _start_reading(self) except -1          # make data come, or do nothing where it comes already
    cdef int _stop_reading(self) except -1
    cdef int _read_less(self) except -1
    cdef int _emit_readable_later(self) except -1    # 'readable' is due, for who listens
    cdef int _emit_readable(self) except -1
    cdef int _after_end(self) except -1              # 'end' has been emitted
    cdef int _destroy_stream(self, object error) except -1
    cdef int _lost(self, object error) except -1             # the connection has failed
    cdef int _try_relay(self, object piping) except -1
    cdef int _leave_relays(self, int directions) except -1   # go on as if there had been none
    cdef bint _start_sink(self, FileSink sink) except -1     # let a file take what comes; False: it cannot

    # Another thread that looks at a property gets what Python knows: callbacks of the relay may run just now.
    cdef inline int _own_reading(self) except -1:
        if self._relaying & RELAY_FROM and self.record.in_own_thread():
            self._leave_relays(RELAY_FROM)
        return 0

    cdef inline int _own_writing(self) except -1:
        if self._relaying & RELAY_TO and self.record.in_own_thread():
            self._leave_relays(RELAY_TO)
        return 0

    cdef int _push(self, bytes chunk) except -1
    cdef int _push_to_reader(self, object data) except -1
    cdef int _push_end(self) except -1
    cdef int _add_chunk(self, object chunk, bint in_front) except -1
    cdef int _wake_reader(self) except -1
    cdef int _settle(self) except -1
    cdef object _read(self, Py_ssize_t count, bint everything)
    cdef object _take(self, Py_ssize_t count)
    cdef bint _is_taken_quietly(self, Py_ssize_t rest) noexcept
    cdef Py_ssize_t _how_much(self, Py_ssize_t count, bint everything) noexcept
    cdef int _end_readable(self) except -1
    cdef int _emit_end(self) except -1
    cdef int _append(self, object chunk) except -1
    cdef int _give_up_reading(self) except -1
    cdef int _reset_readable(self) except -1
