"""Asks a block list as a server does: with a struct sockaddr and without the GIL."""

from libc.string cimport memcpy

from uvnet cimport BlockList, EventEmitter, Server, Socket, SocketAddress
from uvnet.addresses.blocking cimport is_blocked, sockaddr

cdef extern from "<netinet/in.h>" nogil:
    struct sockaddr_storage:
        pass


def check(BlockList block_list, bytes name, long times=1):
    """How many of so many questions about `name` (a struct sockaddr) are answered with yes."""
    cdef sockaddr_storage address
    cdef long found = 0
    assert len(name) <= sizeof(address)
    memcpy(&address, <const char *>name, len(name))
    with nogil:
        while times:
            found += is_blocked(block_list, <const sockaddr *>&address)
            times -= 1
    return found


def kinds(EventEmitter emitter, Server server, Socket socket, SocketAddress address):
    """Takes one of each public class, and nothing else."""
    return [type(each).__name__ for each in (emitter, server, socket, address)]
