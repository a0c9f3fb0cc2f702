from libc.stdint cimport uint32_t

from uvnet._uv.table cimport sockaddr
from uvnet.addresses.coverage cimport Coverage
from uvnet.addresses.ip cimport Key
from uvnet.addresses.rules cimport Rule, Rules

cdef extern from "<pthread.h>" nogil:
    ctypedef struct pthread_mutex_t:
        pass

cdef class BlockList

# check_sockaddr() of a BlockList as a function, for whoever has a pointer to call.
cdef bint blocks(object block_list, const sockaddr *address) noexcept nogil

cdef class BlockList:
    cdef Rules entries
    cdef Coverage ipv4       # what IPv4 addresses are asked for
    cdef Coverage ipv6
    cdef pthread_mutex_t mutex   # of everything above; whoever holds it never waits for the GIL
    cdef object __weakref__

    # Whether the list blocks the address; False for what is no IP address.  Never fails and makes no object.  It
    # may be called from any thread, with or without the GIL, and the list needs no preparing.  The caller keeps
    # the list alive.
    cdef bint check_sockaddr(self, const sockaddr *address) noexcept nogil

    cdef list _texts(self, uint32_t limit)
    cdef bint _has(self, int family, Key key) noexcept nogil
    cdef int _add(self, const Rule *rule) except -1
    cdef bint _remove(self, const Rule *rule) except -1
    cdef bint _reserve_change(self) noexcept nogil
    cdef void _cover(self, const Rule *rule, int amount) noexcept nogil
