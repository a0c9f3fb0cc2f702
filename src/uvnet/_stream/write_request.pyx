"""Write requests: buffers on their way to libuv, and who owns their memory until then.

A chunk is what a write is made of: an exact `bytes`, or a memoryview of one.  Both cannot change, so they are
pointed at and held; everything else is copied when it is accepted, so that its owner may change it the moment
write() returns.  as_chunk() is the one place that decides.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_CheckExact, PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_Check, PyMemoryView_GET_BUFFER
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from uvnet._loop.counters cimport counters
from uvnet._loop.threads cimport add_to
from uvnet._uv.table cimport uv_buf_t

cdef extern from "Python.h":
    bint PyBuffer_IsContiguous(const Py_buffer *view, char order)


cdef object as_chunk(object data):
    """The chunk for bytes-like data, or None where `data` is not bytes-like.

    BufferError is raised for a memoryview that is not contiguous.
    """
    cdef Py_buffer view
    cdef Py_buffer *underlying
    if PyBytes_CheckExact(data):
        return data
    if PyMemoryView_Check(data):
        underlying = PyMemoryView_GET_BUFFER(data)
        if PyBytes_CheckExact(<object>underlying.obj) and PyBuffer_IsContiguous(underlying, b"C"):
            # A view of its own: the caller may release() theirs.
            return memoryview(data)
    try:
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    except TypeError:
        return None
    try:
        return PyBytes_FromStringAndSize(<char *>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


cdef size_t length_of_writes(list writes) noexcept:
    """Bytes in a list of (chunk, callback)."""
    cdef size_t length = 0
    for chunk, _ in writes:
        length += chunk_length(chunk)
    return length


@cython.no_gc
@cython.freelist(64)
cdef class WriteRequest:
    """Buffers that go out together."""

    def __cinit__(self):
        self.buffers = self.inline_buffers
        self.owners = self.inline_owners
        self.capacity = INLINE_BUFFERS
        self.state = WRITE_GATHERING

    def __dealloc__(self):
        self.release()

    cdef int add(self, object chunk) except -1:
        """Append a chunk (see as_chunk)."""
        cdef uv_buf_t *buffer
        if self.count == self.capacity:
            self._grow()
        buffer = &self.buffers[self.count]
        chunk_buffer(chunk, buffer)
        Py_INCREF(chunk)
        self.owners[self.count] = <PyObject *>chunk
        self.count += 1
        self.length += buffer.len
        add_to(counters.pinned, 1)
        return 0

    cdef int add_write(self, object chunk, object callback) except -1:
        """Append a chunk, which may be empty, and whom to call when it has been sent; all of it or nothing."""
        cdef bint empty = chunk_length(chunk) == 0
        if self.count == self.capacity:
            self._grow()
        if self.callbacks is None:
            self.callbacks = []
        self.callbacks.append((self.count if empty else self.count + 1, callback))
        return 0 if empty else self.add(chunk)

    cdef int _grow(self) except -1:
        cdef unsigned int capacity = self.capacity * 4
        cdef uv_buf_t *buffers = <uv_buf_t *>malloc(capacity * (sizeof(uv_buf_t) + sizeof(PyObject *)))
        cdef PyObject **owners
        if buffers is NULL:
            raise MemoryError
        owners = <PyObject **>(buffers + capacity)
        memcpy(buffers, self.buffers, self.count * sizeof(uv_buf_t))
        memcpy(owners, self.owners, self.count * sizeof(PyObject *))
        if self.buffers is not self.inline_buffers:
            free(self.buffers)
        self.buffers = buffers
        self.owners = owners
        self.capacity = capacity
        return 0

    cdef void advance(self, size_t sent) noexcept:
        """Forget the first `sent` bytes, fewer than there are; what they lay in is given back."""
        cdef unsigned int done = 0
        cdef unsigned int index
        self.length -= sent
        while sent >= self.buffers[done].len:
            sent -= self.buffers[done].len
            Py_DECREF(<object>self.owners[done])
            done += 1
        add_to(counters.pinned, -<Py_ssize_t>done)
        self.count -= done
        for index in range(self.count):
            self.buffers[index] = self.buffers[index + done]
            self.owners[index] = self.owners[index + done]
        self.buffers[0].base += sent
        self.buffers[0].len -= sent

    cdef WriteRequest split(self, size_t sent):
        """Part after the first `sent` bytes, fewer than there are: complete writes stay here, with their callbacks.

        Returns a request for the write that is not complete.  Those behind it are its `rest`: they have to wait
        as if they had been written while it was under way, so that each is complete as soon as its bytes are out.
        """
        cdef WriteRequest waiting = WriteRequest.__new__(WriteRequest)
        cdef list complete = []
        cdef list calls = []
        cdef list rest = []
        cdef unsigned int done = 0
        cdef unsigned int index
        cdef unsigned int place
        cdef size_t skipped = sent
        while skipped >= self.buffers[done].len:
            skipped -= self.buffers[done].len
            done += 1
        waiting.add(<object>self.owners[done])
        waiting.total = waiting.length
        waiting.advance(skipped)
        index = done + 1
        for place, callback in self.callbacks or ():
            if place <= done:
                complete.append((place, callback))
            elif place == done + 1:
                calls.append((1, callback))
            else:
                while index < place - 1:
                    rest.append((<object>self.owners[index], None))
                    index += 1
                # A write of nothing shares the place of the one before it.
                rest.append((<object>self.owners[index] if index < place else b"", callback))
                index = place
        while index < self.count:
            rest.append((<object>self.owners[index], None))
            index += 1
        waiting.callbacks = calls
        waiting.rest = rest
        self.callbacks = complete
        return waiting

    cdef void release(self) noexcept:
        """Give back what the buffers lie in and the request's memory."""
        cdef unsigned int index
        cdef unsigned int count = self.count
        self.count = 0
        self.length = 0
        for index in range(count):
            Py_DECREF(<object>self.owners[index])
        add_to(counters.pinned, -<Py_ssize_t>count)
        if self.buffers is not self.inline_buffers:
            free(self.buffers)
            self.buffers = self.inline_buffers
            self.owners = self.inline_owners
            self.capacity = INLINE_BUFFERS
        free(self.uv_write)
        self.uv_write = NULL
