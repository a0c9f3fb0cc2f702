cdef enum:
    RECORD = 16384               # bytes; no record says more
    MOST_TOGETHER = 98304        # bytes received or decrypted at once; for 128 KiB memory is mapped each time

cdef object calls_of(object tls)
cdef bytes read_records(object calls, object incoming, bint *ended)
