# A file on its way to a stream, as a write request: it waits, is done or fails as others do.

from libc.stdint cimport int64_t

from uvnet._stream.stream cimport Stream
from uvnet._stream.write_request cimport WriteRequest

cdef class FileRequest(WriteRequest):
    cdef int source                # a descriptor of its own of a regular file, or -1: `file` is to be read
    cdef readonly object file
    cdef object done               # called with the error or None, once
    cdef readonly int64_t start
    cdef readonly int64_t place    # so far it has been handed over
    cdef int64_t end               # -1: wherever the file ends
    cdef bint whole                # a file that ends before `end` is an error
    cdef readonly bint may_copy    # where sendfile(2) refuses the file
    cdef readonly bint refused     # it did, and nothing was sent
    cdef int file_error            # an errno of the file's, or 0
    cdef void *move                # the FileMove, while it goes on

cdef bint send_file(Stream stream, FileRequest request) except -1
