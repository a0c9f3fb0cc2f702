from libc.stdint cimport uint64_t

from uvnet._uv.table cimport sockaddr

# A bucket of tokens: one for each connection, so many a second come back, up to `burst`.
cdef struct Bucket:
    double rate                      # a second; 0: there is no limit
    double burst
    double tokens
    uint64_t filled_at               # loop time in milliseconds

cdef void fill(Bucket *bucket, double rate, double burst, uint64_t now) noexcept
cdef bint take_token(Bucket *bucket, uint64_t now) noexcept

# What one host, or the network that stands for one, has open.
cdef class Host:
    cdef bytes key
    cdef Py_ssize_t connections
    cdef Bucket bucket

cdef class Hosts:
    cdef dict by_key
    cdef readonly Py_ssize_t most    # connections of one host; -1: no limit
    cdef double rate                 # of one host; 0: no limit
    cdef double burst
    cdef int ipv4_prefix             # bits of an address that tell one host from another
    cdef int ipv6_prefix
    cdef uint64_t purged_at          # loop time
    cdef Py_ssize_t purge_from       # hosts: doubled, so that looking through them costs a connection nothing

    cdef Host find(self, const sockaddr *remote, uint64_t now)
    cdef int left(self, Host host) except -1
    cdef int purge(self, uint64_t now) except -1
