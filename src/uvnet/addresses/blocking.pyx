"""Block lists for other extension modules: what they may call without knowing what a list is made of."""

from uvnet.addresses.blocklist cimport blocks


cdef bint is_blocked(object block_list, const sockaddr *address) noexcept nogil:
    return blocks(block_list, address)
