from uvnet._accept.header_stage cimport HeaderStage
from uvnet._accept.limits cimport Limits
from uvnet._accept.listener cimport AcceptFilter, DropReason, Lease, Listener
from uvnet._loop.handle cimport Intermediary
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.tally cimport Tally
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.blocklist cimport BlockList
from uvnet.addresses.sockaddr cimport sockaddr_storage

cdef class Intake

# What the reasons of drops are called, by the DropReason.
cdef dict REASONS

# What an intake tells the server that owns it, with the GIL between enter() and leave(); an exception is reported.
cdef struct IntakeEvents:
    # A connection, which counts until the owner says gone(); an exception: it was not taken, and is closed.
    # `local` is NULL but for one whose names a PROXY header has told; `header` is that ProxyHeader, or None.
    int (*on_connection)(object owner, Stream stream, const sockaddr_storage *remote,
                         const sockaddr_storage *local, object header) except -1
    # One that counted is over without having been handed on.
    int (*on_gone)(object owner) except -1
    # One was closed at once, or before it was handed on: the argument of 'drop'.  Only while `tells_drops` is set.
    int (*on_drop)(object owner, dict drop) except -1
    # One that was handed on goes beyond a limit: destroy it, and say so by cut().  Its server may be closed.
    int (*on_cut)(Intake intake, Stream stream, DropReason reason) except -1
    # accept(2) failed, which is told once a second at most, and tried again.
    int (*on_trouble)(object owner, object error) except -1
    # Somebody else has closed a listening socket; its listener closes right after it.
    int (*on_lost)(object owner, Listener listener) except -1
    # The loop is gone.
    int (*on_abandoned)(object owner) except -1

cdef class Intake(Intermediary):
    cdef LoopRecord record
    cdef object owner                # None while there is nothing to tell
    cdef const IntakeEvents *events
    cdef AcceptFilter filter         # with the number of connections
    cdef BlockList _block_list       # what the filter borrows
    cdef Limits limits               # None where there are none
    cdef Tally tally
    cdef list listeners
    cdef set stages                  # of connections that have not said yet whose they are
    cdef unsigned int header_timeout  # milliseconds for a PROXY header to come; 0: none is expected
    cdef Py_ssize_t header_size      # bytes that it may have
    cdef BlockList proxies           # who sends one; None: everybody
    cdef bint takes_direct           # connections of others, without one
    cdef dict _logs                  # what counts the drops that are logged, by the reason; None until one is
    cdef object _failures            # counts failures of accept(2); None until there is one

    cdef int refuse_from(self, BlockList block_list) except -1
    cdef Listener listen(self, object owner, int descriptor, int family, int backlog, bint given, int *status,
                         Lease lease=*)
    cdef int expect_headers(self, object options) except -1
    cdef int limit_by(self, Limits limits) except -1
    cdef int cut(self, object owner, DropReason reason, int descriptor, const sockaddr *remote,
                 const sockaddr *local) except -1
    cdef int close(self, Listener listener) except -1
    cdef int release(self, Listener listener) except -1
    cdef int gone(self) except -1
    cdef int tls_failed(self, object owner, int descriptor, const sockaddr_storage *remote,
                        const sockaddr_storage *local, object error) except -1
    cdef int cut_stages(self) except -1
    cdef dict dropped(self)
    cdef int _take_in(self, Listener listener, int descriptor, const sockaddr_storage *remote) except -1
    cdef DropReason _judge_direct(self, const sockaddr_storage *remote) except *
    cdef int _hand_on(self, Stream stream, const sockaddr_storage *remote, const sockaddr_storage *local,
                      object header) except -1
    cdef int _header_came(self, HeaderStage stage, object error) except -1
    cdef int _drop(self, object owner, DropReason reason, int descriptor, const sockaddr_storage *remote,
                   const sockaddr_storage *local, object detail) except -1
    cdef int _trouble(self, int status) except -1
    cdef int _uncount(self, Stream stream, object owner) except -1
    cdef int _let_go(self, Listener listener) except -1
    cdef int _forget_owner(self) except -1

cdef Intake new_intake(LoopRecord record, const IntakeEvents *events)
