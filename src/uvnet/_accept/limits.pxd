from libc.stdint cimport uint64_t

from uvnet._accept.hosts cimport Bucket, Host, Hosts, Rate
from uvnet._accept.listener cimport DropReason
from uvnet._loop.idle cimport IdleEntry
from uvnet._loop.record cimport LoopRecord
from uvnet._loop.timer cimport Timer
from uvnet._stream.stream cimport Admission, Stream
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.blocklist cimport BlockList

cdef class Limits

# One connection that is held to them.
cdef class Admitted(Admission):
    cdef Limits limits               # None: it is a spare one
    cdef Host *host                  # NULL where hosts have no limits
    cdef void *stream                # borrowed: it has this object
    cdef DropReason reason           # why it is to be closed
    cdef void *previous              # borrowed Admitted
    cdef void *next                  # of a spare one owned
    cdef uint64_t began              # loop time, as all that follows
    cdef uint64_t moved_at           # bytes had come or gone at the last look
    cdef uint64_t window_began       # of the rate that it has to keep
    cdef uint64_t window_read        # bytes at its begin
    cdef uint64_t window_written
    cdef uint64_t moved              # bytes read and written at the last look

# Called with the owner, a connection, and why it is to be closed.
ctypedef int (*cut_function)(object owner, Stream stream, DropReason reason) except -1

cdef class Limits:
    cdef LoopRecord record
    cdef object owner                # the intake
    cdef cut_function cut
    cdef bint after_header           # hosts are known when a PROXY header has told
    cdef BlockList allow_list        # addresses that may connect; None: all
    cdef Hosts hosts                 # None: hosts have no limits
    cdef Rate rate                   # of the whole server
    cdef Bucket bucket
    cdef uint64_t idle               # milliseconds, as the next two; 0: no limit
    cdef uint64_t first_data
    cdef uint64_t lifetime
    cdef uint64_t receive_rate       # bytes a second
    cdef uint64_t total_buffered     # bytes; 0: no limit
    cdef uint64_t period             # milliseconds between two looks; 0: nothing to look for
    cdef void *first                 # of the Admitted
    cdef void *cutting               # the first of those that are to be closed, which are not among the others then
    cdef void *spare                 # the first of those that are over, and may be another connection's; owned
    cdef int spares                  # how many
    cdef IdleEntry _entry
    cdef Timer _turn                 # in which the next ones are closed; None: none are left

    cdef DropReason judge(self, const sockaddr *remote) except *
    cdef DropReason judge_host(self, const sockaddr *remote) except *
    cdef int admit(self, Stream stream, const sockaddr *remote) except -1
    cdef int look(self) except -1
    cdef int _cut_some(self) except -1
    cdef int _go_on(self) except -1
    cdef void _choose(self, uint64_t now) noexcept
    cdef void _choose_largest(self, size_t waiting, uint64_t queued) noexcept
    cdef void _to_be_cut(self, Admitted admitted, DropReason reason) noexcept

# judge() of Limits as a function, for whoever has a pointer to call.
cdef DropReason judge(object limits, const sockaddr *remote) except *
