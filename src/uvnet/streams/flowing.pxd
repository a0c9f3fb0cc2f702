from uvnet.streams.readable cimport Readable, flag

cdef class Flowing(Readable):
    cdef public list _pipings            # Piping objects from here, see piping.py; None until first used
    cdef public list _piped_here         # those that end here; None until first used
    cdef flag _paused                    # pause() was called, and no resume() since
    cdef flag _resume_scheduled

    cdef int _choose_data_listener(self) except -1
    cdef int _resume_flow(self) except -1
    cdef int _flow(self) except -1
    cdef int _update_listening(self) except -1
