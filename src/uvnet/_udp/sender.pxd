from libc.stdint cimport uint64_t

from uvnet._udp.base cimport DatagramBase
from uvnet.addresses.sockaddr cimport ip_name

# What waits until the socket takes more: datagrams to one address, from `begun` on.
cdef class Waiting:
    cdef list payloads
    cdef Py_ssize_t begun
    cdef ip_name remote
    cdef ip_name local

cdef class DatagramSender(DatagramBase):
    cdef bint blocked                # until the socket takes more
    cdef object queue                # a deque of Waiting
    cdef Py_ssize_t queued_bytes
    # Of the last datagram: most often the next one goes the same way.
    cdef object sent_remote, sent_local
    cdef ip_name sent_name, sent_local_name

    cdef readonly uint64_t packets_sent
    cdef readonly uint64_t bytes_sent
    cdef readonly uint64_t packets_dropped       # that were to be sent
    cdef readonly Py_ssize_t packets_waiting

    cdef Py_ssize_t send_from(self, list payloads, Py_ssize_t index, const ip_name *remote,
                              const ip_name *local) except -1
    cdef int wait(self, list payloads, Py_ssize_t index, const ip_name *remote, const ip_name *local) except -1
    cdef int flush(self) except -1
    cdef int parse(self, object address, object port, ip_name *name) except -1
