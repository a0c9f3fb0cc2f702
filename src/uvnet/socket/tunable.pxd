from uvnet.socket.relaying cimport Relaying
from uvnet.streams.readable cimport flag

cdef class Tunable(Relaying):
    cdef readonly object timeout         # seconds as given to set_timeout(), or None
    cdef unsigned int _keep_alive_delay
    cdef unsigned int _keep_alive_interval
    cdef unsigned int _keep_alive_count
    cdef dict _system_options            # SystemOption by name, or None; see system_options.py
    cdef flag _no_delay
    cdef flag _keep_alive
    cdef flag _type_of_service_set
    cdef flag _type_of_service

    cdef int _resume_timeout(self) except -1
    cdef int _apply_options(self) except -1
    cdef int _take_options(self, object options) except -1
    cdef int _set_system_options(self) except -1
    cdef int _descriptor(self) except -1
