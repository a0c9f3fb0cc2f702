from uvnet._accept.intake cimport Intake
from uvnet._accept.listener cimport Listener
from uvnet._stream.stream cimport Stream
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.server.arrivals cimport Arrivals
from uvnet.socket.socket cimport Socket
from uvnet.socket.socket_parent cimport SocketParent
from uvnet.streams.readable cimport flag

cdef class Acceptor(SocketParent):
    cdef tuple _listeners                # empty while not listening
    cdef Intake _intake
    cdef Arrivals _arrivals              # for who takes connections by `async for`; None until first used
    cdef Py_ssize_t _high_water_mark     # -1: the default
    cdef Py_ssize_t _max_buffered        # as of its sockets
    cdef unsigned int _keep_alive_delay
    cdef unsigned int _keep_alive_interval
    cdef unsigned int _keep_alive_count
    cdef public bint allow_half_open     # of sockets accepted from now on
    cdef public bint pause_on_connect
    cdef int _closes_due                 # 'close' events that are still to come
    cdef flag _raise_when_full
    cdef flag _no_delay
    cdef flag _keep_alive
    cdef flag _unreferenced
    cdef flag _close_emitted             # since it listened last
    cdef flag _given_up                  # close() was called: nobody waits for it to listen

    # For Server.
    cdef int _stopped(self) except -1
    cdef int _start_accepting(self, list descriptors, int backlog, bint given, list leases, int *at) except? 1
    cdef int _listener_lost(self) except -1
    cdef int _stop_accepting(self) except -1
    cdef int _release(self, object listeners) except -1
    cdef int _fail(self, object error) except -1     # 'error' on a tick
    cdef int _cannot_listen(self, object error) except -1
    cdef int _give_up(self) except -1
    cdef int _emit_close_if_drained(self) except -1
    cdef Arrivals _arrivals_wanted(self)
    cdef int _go_on_if_there_is_room(self) except -1
    cdef int _abandon(self) except -1                # the loop is gone
    cdef Socket _make_socket(self, Stream stream, const sockaddr_storage *remote)
    cdef int _arrived(self, Socket socket) except -1
    cdef int _hand_out(self, Socket socket) except -1
    cdef int _hold_if_full(self) except -1

    cdef int _accept(self, Stream stream, const sockaddr_storage *remote, const sockaddr_storage *local,
                     object header) except -1
    cdef int _start(self, Socket socket) except -1
    cdef bint _accepted(self, object owner) noexcept
    cdef int _emit_error(self, object error) except -1
    cdef int _failed_for(self, object error, Socket connection) except -1
