from uvnet._stream.file_request cimport FileRequest
from uvnet._stream.stream cimport Stream
from uvnet._stream.write_request cimport WriteRequest
from uvnet.streams.flowing cimport Flowing
from uvnet.streams.readable cimport flag

cdef class Writable(Flowing):
    cdef list _buffered                  # (chunk, callback) of writes that wait here; None until first used
    cdef list _drainers                  # of coroutines in drain(); None until first used
    cdef WriteRequest _in_flight         # the write that libuv, or the connection to come, has; or None
    cdef Py_ssize_t _writable_length     # bytes accepted and not completed, gathered ones left out
    cdef Py_ssize_t _writable_high_water_mark
    cdef Py_ssize_t _max_buffered        # bytes that may wait at all; 0: no limit
    cdef str _default_encoding
    cdef int _corked
    cdef flag _writable_side             # False: this side does not exist, and counts as ended
    cdef flag _raise_when_full           # False: a write too many destroys the stream
    cdef flag _need_drain
    cdef flag _ending                    # end() was called

    # For subclasses.
    cdef Stream _gathering_handle(self)                                  # None where writes cannot be gathered
    cdef int _flush(self) except -1                                      # send what was gathered
    cdef int _send(self, WriteRequest request, bint in_call) except -1   # anything else
    cdef int _finish_maybe(self, bint in_call) except -1                 # a write is complete: end() may be
    cdef int _fail_buffered(self) except -1                              # call back what will never be sent
    cdef bint _relay_waiting(self) noexcept
    cdef object _write_refused(self)                                     # an error of its own, or None

    cdef int _written(self, WriteRequest request, bint in_call) except -1
    cdef int _gathered_sent(self, WriteRequest request) except -1
    cdef int _call_back(self, object callback, object error, unsigned int life) except -1
    cdef object _accept(self, object chunk, object encoding)
    cdef object _write(self, object chunk, object callback, object refusal)
    cdef int _write_later(self, object callback, object error) except -1
    cdef bint _is_full(self, Py_ssize_t length) except -1
    cdef int _dispatch(self, WriteRequest request, bint in_call) except -1
    cdef int _send_buffered(self) except -1
    cdef int _begin_file(self, FileRequest request) except -1
    cdef int _wake_drainers(self) except -1
    cdef int _drain_maybe(self) except -1
    cdef int _call_all(self, WriteRequest request, unsigned int life) except -1
    cdef int _after_write(self, WriteRequest request) except -1
    cdef int _write_failed(self, WriteRequest request) except -1
