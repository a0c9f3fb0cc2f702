from uvnet.events.waiter cimport Awaitable
from uvnet.socket.socket cimport Socket
from uvnet.socket.socket_parent cimport SocketParent

cdef class Arrivals:
    cdef SocketParent server
    cdef object sockets                  # deque of those nobody has taken
    cdef object error                    # that nobody has been told
    cdef Awaitable taking                # of the coroutine that waits for the next

    cdef bint begun                      # somebody has asked for them
    cdef bint expected                   # somebody will, or has

    cdef int begin(self) except -1
    cdef int expect(self) except -1
    cdef int keep(self, Socket socket) except -1
    cdef bint is_full(self) except -1
    cdef int stopped(self) except -1
