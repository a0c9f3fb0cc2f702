from uvnet.awaiting cimport Awaitable
from uvnet.socket cimport Socket
from uvnet.socket_parent cimport SocketParent

cdef class Arrivals:
    cdef SocketParent server
    cdef object sockets                  # deque of those nobody has taken
    cdef object error                    # that nobody has been told
    cdef Awaitable taking                # of the coroutine that waits for the next

    cdef bint begun                      # somebody has asked for them

    cdef int begin(self) except -1
    cdef bint _is_in_charge(self) except -1
    cdef bint is_full(self) except -1
    cdef int stopped(self) except -1
