from uvnet._stream.write_request cimport WriteRequest
from uvnet.streams.duplex cimport Duplex
from uvnet.streams.readable cimport flag

cdef class QuicStream(Duplex):
    cdef object _carrier                 # the session while the stream is part of it, then None
    cdef readonly object session
    cdef readonly object id
    cdef object _outcome                 # the future of close()
    cdef WriteRequest _outgoing          # what the engine has no room for yet
    cdef Py_ssize_t _owed                # bytes received for which the peer has got no new credit
    cdef flag _takes                     # data is wanted: credit goes out as it comes
    cdef flag _dropping                  # close(): nobody reads any more
    cdef flag _blocked
    cdef object _stop_code               # of the peer's STOP_SENDING, or None
    cdef readonly object reset_received  # {"code": int} of the peer's RESET_STREAM, or None
    cdef readonly object push_id         # of an HTTP/3 stream that was pushed, or None
    cdef dict _kept                      # statistics

    cdef int _feed(self, WriteRequest request, bint in_call) except -1
    cdef int _take_more(self) except -1
    cdef object _histogram(self, str name)
    cdef int _emit_close(self) except -1
