from libc.stdint cimport uint64_t

from uvnet._loop.handle cimport Handle, Intermediary
from uvnet._loop.record cimport LoopRecord
from uvnet._udp.messages cimport ip_name, message
from uvnet._uv.table cimport uv_poll_t

# What waits until the socket takes more: datagrams to one address, from `begun` on.
cdef class Waiting:
    cdef list payloads
    cdef Py_ssize_t begun
    cdef ip_name remote
    cdef ip_name local

# The socket; it owns its descriptor.
cdef class DatagramSocket(Handle):
    cdef int descriptor              # -1 once it is closed

    cdef inline uv_poll_t *uv_poll(self) noexcept:
        return <uv_poll_t *>self.uv_handle

cdef class DatagramHandle(Intermediary):
    cdef LoopRecord record
    cdef DatagramSocket socket       # None before bind(), and again once it has closed
    cdef object on_datagrams         # both None once it is closed
    cdef object on_error
    cdef object user                 # see on_behalf_of()
    cdef object context              # in which the callbacks run
    cdef int family                  # AF_INET or AF_INET6
    cdef bint closed                 # close() was called
    cdef bint referenced
    cdef bint segments               # the kernel cuts up what is sent
    cdef bint blocked                # until the socket takes more
    cdef list closing                # what close() was given, to be called
    cdef object queue                # a deque of Waiting
    cdef Py_ssize_t queued_bytes
    # The addresses of the last datagram, each way: most often the next one has the same.
    cdef ip_name received_name, received_local_name
    cdef tuple received_remote
    cdef str received_local
    cdef object sent_remote, sent_local
    cdef ip_name sent_name, sent_local_name

    cdef readonly uint64_t packets_received
    cdef readonly uint64_t packets_sent
    cdef readonly uint64_t bytes_received
    cdef readonly uint64_t bytes_sent
    cdef readonly uint64_t packets_dropped
    cdef readonly Py_ssize_t packets_waiting

    cdef DatagramSocket open_socket(self)
    cdef int watch(self) noexcept
    cdef int ready(self, int status, int events, message *messages, int count) except -1
    cdef int tell_errors(self) except -1
    cdef int take(self, list batch, const message *messages, int count) except -1
    cdef int flush(self) except -1
    cdef Py_ssize_t send_from(self, list payloads, Py_ssize_t index, const ip_name *remote,
                              const ip_name *local) except -1
    cdef int wait(self, list payloads, Py_ssize_t index, const ip_name *remote, const ip_name *local) except -1
    cdef int forget(self) except -1
    cdef int call(self, object callback, tuple arguments) except -1
    cdef int parse(self, object address, object port, ip_name *name) except -1
