from uvnet._stream.write_request cimport WriteRequest
from uvnet.streams.readable cimport flag
from uvnet.streams.writable cimport Writable

cdef class Duplex(Writable):
    cdef list _finish_callbacks          # of end(); None until first used
    cdef int _pending_steps              # what must be over before 'finish'
    cdef public bint allow_half_open     # False: end() is called by itself after 'end'.  Node: "socket.allowHalfOpen"
    cdef flag _prefinished
    cdef flag _final_called
    cdef flag _finished
    cdef flag _finish_early              # by connect(): the step that is queued has nothing left to do

    # For subclasses.
    cdef int _final(self) except -1                                      # shut the writable side down
    cdef int _destroy_handle(self, object error) except -1
    cdef int _given_up(self, WriteRequest request) except -1             # it waited for nothing: no connection

    cdef int _finalised(self, object error) except -1
    cdef int _reset_writable(self) except -1
    cdef int _give_up_writing(self) except -1
    cdef int _set_over(self, bint over) except -1
    cdef int _renew_writable(self) except -1
    cdef int _emit_error(self, object error, bint awaited) except -1
    cdef int _call_finish_callbacks(self, object error) except -1
    cdef bint _may_finish(self) noexcept
    cdef int _finish(self) except -1
