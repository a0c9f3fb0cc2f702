"""Streams: reading, on top of the writing that writer.pyx does, for TCP and Unix sockets alike.

What is received goes up as `bytes`; small reads go through the loop's buffer, large ones straight into the object
that is delivered.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_Clear
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from uvnet._loop.adopted cimport changed, forget_adopted, is_lost
from uvnet._loop.context cimport enter_context, exit_context
from uvnet._loop.descriptors cimport give_number_a_rest, give_number_back
from uvnet._loop.gil cimport hold_gil
from uvnet._loop.handle cimport HANDLE_OPEN, Handle, HandleBlock, block_of
from uvnet._loop.record cimport FIRST_READ_SIZE, READ_BUFFER_SIZE, LoopRecord
from uvnet._loop.tally cimport Tally
from uvnet._loop.threads cimport is_unshared
from uvnet._loop.tick cimport leave
from uvnet._stream.transfer cimport NO_DESCRIPTOR, receive_now
from uvnet._stream.writer cimport Writer, tell_failed, tell_owner
from uvnet._uv.table cimport uv, uv_buf_t, uv_handle_t, uv_stream_t

cdef extern from *:
    """
    static void uvnet_forget_hash(PyObject *bytes)
    {
    #if defined(__GNUC__)
    #pragma GCC diagnostic push
    #pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    #endif
        ((PyBytesObject *)bytes)->ob_shash = -1;
    #if defined(__GNUC__)
    #pragma GCC diagnostic pop
    #endif
    }
    """
    void forget_hash "uvnet_forget_hash" (PyObject *chunk)
    # As they are in C: the object cannot be one of Cython's before it has its size.
    PyObject *allocate_bytes "PyBytes_FromStringAndSize" (const char *data, Py_ssize_t length)
    int resize_bytes "_PyBytes_Resize" (PyObject **chunk, Py_ssize_t length)
    void Py_XDECREF(PyObject *chunk)
    Py_ssize_t Py_SIZE(PyObject *chunk)

cdef enum:
    SMALLEST_SPARE = 480     # bytes; what obmalloc serves is no slower than the reuse


cdef class Admission:
    """One stream that somebody has let in."""

    cdef void over(self) noexcept:
        """It is closed, or somebody else's."""


cdef class Stream(Writer):
    """A connected, connecting or listening stream; TCP and Pipe say which."""

    cdef void renew(self) noexcept:
        """Forget the owner and all that was its: the open handle is for somebody else now."""
        cdef HandleBlock *block = self.block
        self.read_stop()
        self.owner = self.context = None
        self.events = NULL
        self.on_closed = NULL
        self.on_abandoned = NULL
        self.had_error = False
        block.own_buffer = block.asks = False
        block.read_buffer = self.record.read_buffer
        block.read_size = FIRST_READ_SIZE
        block.activity = NULL
        block.referenced = True

    cdef void leave_admission(self) noexcept:
        """Who has let it in is not asked any more."""
        cdef Admission admission = self.admission
        if admission is not None:
            self.admission = None
            admission.over()

    cdef Stream base(self):
        """The stream that has the descriptor: a TCP or a Pipe."""
        return self

    cdef void set_referenced(self, bint referenced) noexcept:
        """Whether it keeps uvnet.run() going while it is active."""
        if self.block is not NULL:
            self.block.referenced = referenced

    cdef void set_activity(self, uint64_t *activity) noexcept:
        """Where the time of each activity goes from now on, or NULL."""
        if self.block is not NULL:
            self.block.activity = activity

    cdef void read_into(self, char *base, size_t size) noexcept:
        """Read into memory of the owner's from now on, which must stay while the handle reads."""
        if self.block is not NULL:
            self.block.own_buffer = True
            self.block.read_buffer = base
            self.block.read_size = size

    cdef void ask_where(self, bint ask) noexcept:
        """Whether on_wanted is asked before each read, from now on."""
        if self.block is not NULL:
            self.block.asks = ask

    cdef int read_start(self) noexcept:
        """Start reading; 0 or a libuv error."""
        cdef int status
        if self.state != HANDLE_OPEN or self.block.reading or self.block.relay_from is not NULL:
            return 0
        self.read_less()
        status = uv.read_start(self.uv_stream(), _on_alloc, _on_read)
        self.block.reading = status == 0
        changed(self.block)
        return status

    cdef void read_stop(self) noexcept:
        # libuv: read_stop clears the read callback, so it must never run inside an alloc callback; ours
        # calls nobody.
        if self.state == HANDLE_OPEN and self.block.reading:
            self.block.reading = False
            uv.read_stop(self.uv_stream())
            changed(self.block)

    cdef void close(self, bint reset=False) noexcept:
        """Close the handle and its descriptor; one that somebody else has closed already stays as it is."""
        cdef int descriptor = -1
        cdef int spare = -1
        cdef bint lost
        if self.state != HANDLE_OPEN:
            return
        self.leave_admission()
        _add(self.record.tally, self.block)
        if self.tally is not None:
            _add(self.tally, self.block)
        if self.block.adopted == 0:
            Handle.close(self, reset)
            return
        lost = is_lost(self.block)
        if lost and uv.fileno(self.uv_handle, &descriptor) == 0:
            spare = give_number_a_rest(descriptor)
        forget_adopted(self.block)
        Handle.close(self, reset and not lost)
        give_number_back(spare, descriptor)

    cdef void descriptor_lost(self) noexcept:
        # Nothing may be sent to what the number stands for now.
        self.block.descriptor = NO_DESCRIPTOR
        tell_owner(self, tell_lost, NULL, 0)

    cdef void read_more(self) noexcept:
        """What a full read brought was taken at once: the next one may bring more."""
        if not self.block.own_buffer and self.block.read_size < READ_BUFFER_SIZE:
            self.block.read_size *= 2

    cdef void read_less(self) noexcept:
        """Nobody has shown, or shows any more, that larger reads than the first are taken at once."""
        if self.block is not NULL and not self.block.own_buffer:
            self.block.read_size = FIRST_READ_SIZE

    cdef bytes read_once(self):
        """What has arrived and was not read, or None: for an owner that closes the stream next."""
        cdef HandleBlock *block = self.block
        cdef ssize_t nread
        if self.state != HANDLE_OPEN or block.no_socket or block.own_buffer or block.relay_from is not NULL:
            return None
        nread = receive_now(block, block.read_buffer, READ_BUFFER_SIZE)
        return PyBytes_FromStringAndSize(block.read_buffer, nread) if nread > 0 else None


cdef void _add(Tally tally, HandleBlock *block) noexcept:
    tally.bytes_read += block.bytes_read
    tally.bytes_written += block.bytes_written


cdef int tell_lost(Writer self, object owner, void *what, ssize_t number) except -1:
    return self.events.on_lost(owner, self)


# libuv: given an empty buffer it reads nothing and calls the read callback with UV_ENOBUFS.

cdef void _on_alloc(uv_handle_t *uv_handle, size_t suggested, uv_buf_t *buffer) noexcept nogil:
    cdef HandleBlock *block = block_of(uv_handle)
    # One buffer per loop is enough: it is filled and taken before anybody else is asked.
    buffer.base = block.read_buffer
    buffer.len = block.read_size if block.no_socket else 0


cdef void _on_read(uv_stream_t *uv_stream, ssize_t nread, const uv_buf_t *buffer) noexcept nogil:
    cdef HandleBlock *block = block_of(uv_stream)
    cdef int reads = 0
    if block.asks and not block.no_socket:
        hold_gil(block.hold)
        (<read_function>_read_asked)(uv_stream)
        return
    if block.read_size > FIRST_READ_SIZE and not block.own_buffer and not block.no_socket:
        hold_gil(block.hold)
        (<read_function>_read_large)(uv_stream)
        return
    if not block.no_socket:
        nread = receive_now(block, block.read_buffer, block.read_size)
    elif nread > 0:
        block.bytes_read += nread
    elif nread == 0:
        # libuv: EAGAIN, not the end.
        return
    while nread != -EAGAIN:
        if nread < 0:
            block.reading = False
            uv.read_stop(uv_stream)
            changed(block)
        hold_gil(block.hold)
        (<deliver_function>_deliver)(uv_stream, nread)
        reads += 1
        # libuv: the memory of a handle that was closed stays until its close callback, so for this turn.
        if (nread < <ssize_t>block.read_size or not block.reading or reads == READS_AT_ONCE
                or block.no_socket or block.asks or block.relay_from is not NULL):
            return
        nread = receive_now(block, block.read_buffer, block.read_size)


# The GIL is held already; taking it once more would cost as much as the listener.
ctypedef void (*deliver_function)(uv_stream_t *, ssize_t) noexcept nogil
ctypedef void (*read_function)(uv_stream_t *) noexcept nogil


cdef void _deliver(uv_stream_t *uv_stream, ssize_t nread) noexcept:
    cdef HandleBlock *block = block_of(uv_stream)
    cdef Stream self = <Stream>block.owner
    cdef bytes chunk = None
    try:
        if nread > 0 and not block.own_buffer:
            chunk = new_chunk(self.record, block.read_buffer, nread)
    except MemoryError as error:
        _read_failed(self, error)
    else:
        _tell_read(self, chunk, nread)


cdef void _read_large(uv_stream_t *uv_stream) noexcept:
    """Read straight into the object that is delivered: so much at once is not worth copying."""
    cdef HandleBlock *block = block_of(uv_stream)
    cdef Stream self = <Stream>block.owner
    cdef PyObject *chunk = allocate_bytes(NULL, block.read_size)
    cdef ssize_t nread
    if chunk is NULL:
        PyErr_Clear()
        _read_failed(self, MemoryError())
        return
    nread = receive_now(block, PyBytes_AS_STRING(<object>chunk), block.read_size)
    if nread > 0 and resize_bytes(&chunk, nread) == 0:
        _tell_read(self, <bytes>chunk, nread)
    elif nread > 0:
        PyErr_Clear()
        _read_failed(self, MemoryError())
    elif nread != -EAGAIN:
        block.reading = False
        uv.read_stop(uv_stream)
        changed(block)
        _tell_read(self, None, nread)
    Py_XDECREF(chunk)


cdef void _read_asked(uv_stream_t *uv_stream) noexcept:
    """Read into what the owner names before each read."""
    cdef HandleBlock *block = block_of(uv_stream)
    cdef Stream self = <Stream>block.owner
    tell_owner(self, _ask_and_read, NULL, 0)


cdef int _ask_and_read(Writer writer, object owner, void *what, ssize_t number) except -1:
    cdef Stream self = <Stream>writer
    # libuv: the memory of a handle that was closed stays until its close callback, so for this turn.
    cdef HandleBlock *block = self.block
    cdef char *base = NULL
    cdef size_t size = 0
    cdef ssize_t nread
    cdef int _turn
    for _turn in range(READS_AT_ONCE):
        self.events.on_wanted(owner, &base, &size)
        # It may have closed, paused or given away the stream.
        if self.owner is not owner:
            return 0
        if not block.reading:
            self.events.on_read(owner, None, 0)
            return 0
        nread = receive_now(block, base, size)
        if nread == -EAGAIN:
            self.events.on_read(owner, None, 0)
            return 0
        if nread < 0:
            self.read_stop()
        self.events.on_read(owner, None, nread)
        # It may have given the stream to somebody else.
        if nread < <ssize_t>size or not block.reading or not block.asks or self.owner is not owner:
            return 0
    return 0


cdef void _read_failed(Stream self, object error) noexcept:
    tell_owner(self, _tell_failed, <void *>error, 0)


cdef int _tell_failed(Writer self, object owner, void *error, ssize_t number) except -1:
    return self.events.on_failed(owner, self, <object>error)


cdef void _tell_read(Stream self, bytes chunk, ssize_t nread) noexcept:
    cdef LoopRecord record = self.record
    cdef object owner = self.owner
    cdef object context = self.context
    if record.closed or owner is None:
        return
    record.depth += 1
    enter_context(context)
    try:
        self.events.on_read(owner, chunk, nread)
        if record.first_gathering is <void *>self and record.depth == 1 and self.next_gathering is NULL:
            # An answer to what was read: the way through the loop's list would find just this.
            self.flush()
    except BaseException as error:
        tell_failed(self, owner, error)
    exit_context(context)
    leave(record)


cdef bytes new_chunk(LoopRecord record, const char *base, ssize_t length):
    """The bytes that were read, as an object.

    The last one is kept by the record.  Where nobody else holds it by the time that as many bytes come again,
    it is written anew instead of being freed and allocated: nobody is left to see it change.
    """
    cdef PyObject *spare = record.spare_chunk
    cdef bytes chunk
    if spare is not NULL and Py_SIZE(spare) == length and is_unshared(spare):
        memcpy(PyBytes_AS_STRING(<object>spare), base, length)
        forget_hash(spare)
        return <bytes>spare
    chunk = PyBytes_FromStringAndSize(base, length)
    # Objects that the small-object allocator serves are as cheap to make anew, and one byte is shared.
    if length >= SMALLEST_SPARE:
        Py_INCREF(chunk)
        record.spare_chunk = <PyObject *>chunk
        if spare is not NULL:
            Py_DECREF(<object>spare)
    return chunk
