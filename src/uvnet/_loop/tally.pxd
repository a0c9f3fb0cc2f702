from libc.stdint cimport uint64_t

# What has gone by since somebody began to count.
cdef class Tally:
    cdef uint64_t accepted           # connections
    cdef uint64_t handshakes         # of TLS, that succeeded
    cdef uint64_t bytes_read         # of streams that are closed; those that are open have their own counters
    cdef uint64_t bytes_written
