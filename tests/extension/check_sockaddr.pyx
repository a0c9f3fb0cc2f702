"""Asks a block list as a server does: with a struct sockaddr and without the GIL."""

from uvnet._core.sockaddr cimport parse_sockaddr, sockaddr_storage
from uvnet._uv.table cimport sockaddr
from uvnet.blocklist cimport BlockList


def check(BlockList block_list, str address, long times=1):
    """How many of so many questions about `address` (IP text, or "" for no IP address) are answered with yes."""
    cdef sockaddr_storage name
    cdef long found = 0
    if parse_sockaddr(address, 80, &name) == 0 and address:
        raise ValueError(address)
    with nogil:
        while times:
            found += block_list.check_sockaddr(<const sockaddr *>&name)
            times -= 1
    return found
