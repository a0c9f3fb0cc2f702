from libc.stdint cimport uint64_t

from uvnet._udp.messages cimport message
from uvnet._udp.sender cimport DatagramSender
from uvnet.addresses.sockaddr cimport ip_name

cdef class DatagramHandle(DatagramSender):
    # Of the last datagram: most often the next one has come the same way.
    cdef ip_name received_name, received_local_name
    cdef tuple received_remote
    cdef str received_local

    cdef readonly uint64_t packets_received
    cdef readonly uint64_t bytes_received

    cdef int ready(self, int status, int events, message *messages, int count) except -1
    cdef int tell_errors(self) except -1
    cdef int take(self, list batch, const message *messages, int count) except -1
