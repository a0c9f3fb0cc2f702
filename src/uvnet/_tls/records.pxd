cdef struct RecordScanner:
    Py_ssize_t partial               # bytes after the last whole record
    Py_ssize_t missing               # bytes of the one that they begin, once its header is there
    unsigned char header[5]          # of that one
    bint foreign                     # what came is no TLS

cdef enum:
    HEADER = 5                       # bytes: the type, the version, two of the length

# Whether what was scanned ends with a record of just so many bytes.
cdef inline bint ends_with_record(const RecordScanner *scanner, Py_ssize_t length) noexcept:
    return scanner.partial == 0 and length == HEADER + (scanner.header[3] << 8 | scanner.header[4])

cdef void scan_records(RecordScanner *scanner, const unsigned char *data, Py_ssize_t length) noexcept
