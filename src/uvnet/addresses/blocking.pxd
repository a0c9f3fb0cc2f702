# Block lists for other extension modules, without the GIL.

cdef extern from "<sys/socket.h>" nogil:
    struct sockaddr:
        pass

# Whether `block_list` blocks the address; False for what is no IP address.  It has to be a BlockList, which the
# caller keeps alive.  Never fails and makes no object.  It may be called from any thread, with or without the GIL,
# and the list needs no preparing.
cdef bint is_blocked(object block_list, const sockaddr *address) noexcept nogil
