from libc.stdint cimport uint64_t

from uvnet._uv.table cimport sockaddr
from uvnet.addresses.ip cimport Key

# How often something may happen: so many times a second, and up to `burst` at once.
cdef struct Rate:
    double rate                      # 0: there is no limit
    double burst

# Tokens, one for each time, which come back at that rate.
cdef struct Bucket:
    double tokens
    uint64_t filled_at               # loop time in milliseconds

cdef void fill(Bucket *bucket, const Rate *rate, uint64_t now) noexcept
cdef bint take_token(Bucket *bucket, const Rate *rate, uint64_t now) noexcept

# What one host, or the network that stands for one, has open.
cdef struct Host:
    Key key
    Bucket bucket
    Py_ssize_t connections

cdef struct Slot:
    uint64_t hash
    Host *host                       # NULL: nobody's

cdef class Hosts:
    cdef Slot *slots                 # an open hash table; a host that finds its slot taken has one of the next
    cdef size_t capacity             # slots, a power of two
    cdef size_t count                # hosts
    cdef size_t hand                 # the slot at which the sweep goes on
    cdef Host *latest                # that was found; NULL where it is forgotten
    cdef uint64_t[2] secret          # of the hash
    cdef Py_ssize_t most             # connections of one host; -1: no limit
    cdef Rate rate                   # of one host
    cdef int ipv4_prefix             # bits of an address that tell one host from another
    cdef int ipv6_prefix

    cdef Host *find(self, const sockaddr *remote, uint64_t now) except? NULL
    cdef void left(self, Host *host) noexcept
    cdef void sweep(self, int slots, uint64_t now) noexcept
    cdef Host *_add(self, const Key *key, uint64_t hash, uint64_t now) except? NULL
    cdef bint _resize(self, size_t capacity) noexcept
    cdef void _remove(self, size_t place) noexcept
