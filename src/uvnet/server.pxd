from uvnet._core.listener cimport Listener
from uvnet._core.record cimport LoopRecord
from uvnet._core.stream cimport Stream
from uvnet.arrivals cimport Arrivals
from uvnet.connection cimport Connection, SocketParent
from uvnet.readable cimport flag
from uvnet.socket cimport Socket

cdef class Server(SocketParent):
    cdef LoopRecord record
    cdef Stream _handle                  # None while not listening
    cdef Listener _listener
    cdef object _lookup                  # a token for the look-up of listen(host) under way
    cdef str _path                       # of the Unix socket that is bound
    cdef object _inode                   # of the socket file, to unlink that one only
    cdef Arrivals _arrivals              # for who takes connections by `async for`; None until first used
    cdef Py_ssize_t _connections
    cdef Py_ssize_t _high_water_mark     # -1: the default
    cdef Py_ssize_t _max_buffered        # as of its sockets
    cdef unsigned int _keep_alive_delay
    cdef public object max_connections   # int, or None for no limit.  Node: "server.maxConnections"
    cdef public bint allow_half_open     # of sockets accepted from now on
    cdef public bint pause_on_connect
    cdef flag _raise_when_full
    cdef flag _accept_owed               # a connection waits for room in `_arrivals`
    cdef flag _no_delay
    cdef flag _keep_alive
    cdef flag _unreferenced

    cdef int _accept(self, int status) except -1
    cdef int _start(self, Socket socket) except -1
    cdef int _stopped(self) except -1
    cdef int _drop(self, Stream client) except -1
    cdef int _emit_close_if_drained(self) except -1
    cdef int _report(self, object error) except -1
    cdef int _later(self, int step, object argument) except -1
    cdef int _listen_tcp(self, str address, options) except? 1
    cdef int _listen_on(self, Stream handle, int backlog) except? 1
    cdef int _step(self, int step, object argument) except -1
