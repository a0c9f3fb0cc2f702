"""Streams to files: what is received goes through a kernel pipe into a file, without the GIL and without a copy in
our memory (splice(2), Linux).

The pipe is empty whenever a callback is over: a file takes what it is given, or fails.  Where the system refuses,
what is in the pipe by then is written, and the owner reads the rest itself.
"""

from libc.errno cimport EAGAIN, EINTR, EIO, errno
from libc.stdint cimport int64_t

from uvnet._loop.adopted cimport changed
from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.handle cimport HandleBlock, block_of
from uvnet._loop.record cimport READ_BUFFER_SIZE
from uvnet._stream.kernel_pipe cimport (
    cannot_splice,
    copy_out,
    give_pipe,
    has_splice,
    move_in,
    move_to_file,
    pool_of,
    take_pipe,
)
from uvnet._stream.stream cimport Stream
from uvnet._stream.transfer cimport descriptor_of
from uvnet._stream.writer cimport Writer, tell_owner
from uvnet._uv.table cimport UVNET_UV_EOF, uv, uv_buf_t, uv_handle_t, uv_stream_t

cdef extern from "<unistd.h>" nogil:
    ssize_t pwrite(int descriptor, const void *buffer, size_t size, int64_t place)

cdef enum:
    MOVES_AT_ONCE = 4        # before others get their turn


cdef class FileSink:
    """A regular file; made by file_sink()."""

    def __cinit__(self):
        self.flow.file = -1

    def __dealloc__(self):
        if self.flow.file >= 0:
            close_descriptor(self.flow.file)

    def begin(self, int64_t place, int64_t count):
        """Take so many bytes next, which go there; returns the sink."""
        self.flow.begin = self.flow.place = place
        self.flow.end = place + count
        return self

    @property
    def moved(self):
        """How many bytes it has got since begin()."""
        return self.flow.place - self.flow.begin

    @property
    def error(self):
        """An errno of the file's, or 0; what was in the pipe then is lost."""
        return self.flow.file_error

    @property
    def refused(self):
        """Whether the system does not do it; nothing is lost."""
        return bool(self.flow.refused)

    cdef bint is_attached(self) noexcept:
        return self.flow.source is not NULL

    cdef void stop(self) noexcept:
        """Take no more; the source is not read any more then."""
        cdef HandleBlock *source = self.flow.source
        if source is not NULL:
            _stop_source(&self.flow)
            source.relay_from = NULL
            self.flow.source = NULL


def file_sink(int descriptor):
    """The FileSink of a regular file, whose descriptor becomes its own."""
    cdef FileSink self = FileSink.__new__(FileSink)
    self.flow.file = descriptor
    return self


cdef bint start_sink(Stream source, FileSink sink) except -1:
    """Let the file take what `source` receives from now on; False where that cannot be.

    on_relay_ended follows: 0 where the file has what begin() has said, or takes no more.
    """
    cdef FileFlow *flow = &sink.flow
    if source.block.no_socket or not has_splice():
        return False
    try:
        flow.pool = pool_of(source.record)
    except MemoryError:
        return False
    flow.source = source.block
    flow.uv_loop = source.record.uv_loop
    flow.pipe.reader = flow.pipe.writer = -1
    flow.file_error = 0
    flow.refused = False
    source.read_stop()
    source.block.relay_from = flow
    if uv.read_start(source.uv_stream(), _on_alloc, _on_readable) < 0:
        source.block.relay_from = NULL
        flow.source = NULL
        source.read_start()
        return False
    source.block.reading = True
    changed(source.block)
    return True


cdef void _stop_source(FileFlow *flow) noexcept nogil:
    if flow.source.reading:
        flow.source.reading = False
        uv.read_stop(<uv_stream_t *>(flow.source + 1))
        changed(flow.source)


cdef void _on_alloc(uv_handle_t *uv_handle, size_t suggested, uv_buf_t *buffer) noexcept nogil:
    # libuv: with an empty buffer it reads nothing and calls the read callback with UV_ENOBUFS.
    buffer.base = block_of(uv_handle).read_buffer
    buffer.len = 0


cdef void _on_readable(uv_stream_t *uv_stream, ssize_t nread, const uv_buf_t *buffer) noexcept nogil:
    cdef FileFlow *flow = <FileFlow *>block_of(uv_stream).relay_from
    cdef HandleBlock *source = flow.source
    cdef ssize_t moved
    cdef ssize_t status = -EAGAIN
    cdef int64_t wanted
    cdef int _turn
    if not take_pipe(flow.pool, &flow.pipe):
        flow.refused = True
        _over(flow, 0)
        return
    for _turn in range(MOVES_AT_ONCE):
        wanted = min(flow.end - flow.place, <int64_t>flow.pipe.capacity)
        moved = move_in(descriptor_of(source), &flow.pipe, <size_t>wanted)
        if moved <= 0:
            flow.refused = cannot_splice(moved)
            status = UVNET_UV_EOF if moved == 0 else 0 if flow.refused else moved
            break
        source.bytes_read += moved
        if source.activity is not NULL:
            source.activity[0] = uv.now(flow.uv_loop)
        if not _empty(flow) or flow.place == flow.end:
            status = 0
            break
        if flow.pipe.capacity > <size_t>moved * 2:
            # Most likely there is no more.
            break
    give_pipe(flow.pool, &flow.pipe)
    if status != -EAGAIN:
        _over(flow, status)


cdef bint _empty(FileFlow *flow) noexcept nogil:
    """Write what is in the pipe; False where the file takes no more by splice(2)."""
    cdef ssize_t moved
    while flow.pipe.level:
        moved = move_to_file(&flow.pipe, flow.file, &flow.place)
        if cannot_splice(moved):
            flow.refused = True
            return _copy(flow)
        if moved <= 0:
            flow.file_error = -moved if moved else EIO
            return False
    return True


cdef bint _copy(FileFlow *flow) noexcept nogil:
    cdef char *buffer = flow.source.read_buffer
    cdef ssize_t size, written
    cdef ssize_t done
    while flow.pipe.level:
        size = copy_out(&flow.pipe, buffer, READ_BUFFER_SIZE)
        if size <= 0:
            flow.file_error = EIO
            return False
        done = 0
        while done < size:
            written = pwrite(flow.file, buffer + done, size - done, flow.place)
            if written > 0:
                done += written
                flow.place += written
            elif written == 0 or errno != EINTR:
                flow.file_error = errno if written else EIO
                return False
    return False


cdef void _over(FileFlow *flow, ssize_t status) noexcept with gil:
    _stop_source(flow)
    tell_owner(<Stream>flow.source.owner, _tell_over, NULL, status)


cdef int _tell_over(Writer source, object owner, void *what, ssize_t status) except -1:
    return source.events.on_relay_ended(owner, status)
