from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_GET_BUFFER
from cpython.object cimport PyObject

from uvnet._uv.table cimport uv_buf_t, uv_write_t

cdef enum:
    INLINE_BUFFERS = 4

cdef enum WriteState:
    WRITE_GATHERING      # still open for more buffers
    WRITE_WAITING        # libuv has the rest of it
    WRITE_DONE
    WRITE_FAILED

cdef class WriteRequest:
    cdef uv_write_t *uv_write          # NULL until a part has to wait
    cdef object stream                 # the Stream, while libuv has the request
    cdef uv_buf_t *buffers             # inline_buffers, or allocated
    cdef PyObject **owners             # what keeps each buffer's memory, in step with it
    cdef unsigned int count
    cdef unsigned int capacity
    cdef size_t length                 # bytes in `buffers`
    cdef size_t total                  # bytes of the writes in it that were not complete when it was handed over
    cdef WriteState state
    cdef int status                    # libuv's error where state is WRITE_FAILED
    cdef object error                  # the exception its callbacks get; None: made from `status`
    cdef list callbacks                # (buffers up to the end of the write, callback) in order; None: no callbacks
    cdef list rest                     # of split(): (chunk, callback or None) of the writes behind it
    cdef uv_buf_t inline_buffers[INLINE_BUFFERS]
    cdef PyObject *inline_owners[INLINE_BUFFERS]

    cdef int add(self, object chunk) except -1
    cdef int add_write(self, object chunk, object callback) except -1
    cdef WriteRequest split(self, size_t sent)
    cdef int _grow(self) except -1
    cdef void advance(self, size_t sent) noexcept
    cdef void release(self) noexcept

cdef object as_chunk(object data)
cdef size_t length_of_writes(list writes) noexcept

cdef inline Py_ssize_t chunk_length(object chunk) noexcept:
    """Bytes in a chunk."""
    if PyBytes_CheckExact(chunk):
        return PyBytes_GET_SIZE(chunk)
    return PyMemoryView_GET_BUFFER(chunk).len

cdef inline void chunk_buffer(object chunk, uv_buf_t *buffer) noexcept:
    """Where the bytes of a chunk lie."""
    if PyBytes_CheckExact(chunk):
        buffer.base = PyBytes_AS_STRING(chunk)
        buffer.len = PyBytes_GET_SIZE(chunk)
    else:
        buffer.base = <char *>PyMemoryView_GET_BUFFER(chunk).buf
        buffer.len = PyMemoryView_GET_BUFFER(chunk).len
