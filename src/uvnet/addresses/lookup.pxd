from uvnet._loop.record cimport LoopRecord
from uvnet._uv.table cimport uv_getaddrinfo_t

cdef class Lookup:
    cdef LoopRecord record
    cdef uv_getaddrinfo_t *uv_request
    cdef readonly object owner   # whom active_handles() shows
    cdef object hostname
    cdef object callback
