cdef struct RecordScanner:
    Py_ssize_t partial               # bytes after the last whole record
    Py_ssize_t missing               # bytes of the one that they begin, once its header is there
    unsigned char header[5]          # of that one
    bint foreign                     # what came is no TLS

cdef void scan_records(RecordScanner *scanner, const unsigned char *data, Py_ssize_t length) noexcept
