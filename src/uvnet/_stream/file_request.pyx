"""Files to streams: sendfile(2) in libuv's callbacks, without the GIL and without an object, until all is sent.

To learn when the system takes more, a small piece is copied and given to libuv, which says so.  So at every moment
that others see, something of the file waits in libuv: the stream is not idle before the file is through.  Where
sendfile(2) refuses a file, or is not there, all of it goes in pieces.
"""

import os

from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, EBADF, EINTR, EIO, ENOMEM, EOVERFLOW, errno
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from uvnet._loop.adopted cimport changed
from uvnet._loop.counters cimport counters
from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.handle cimport HANDLE_OPEN, HandleBlock
from uvnet._loop.threads cimport add_to
from uvnet._stream.kernel_pipe cimport cannot_splice, may_break_pipes
from uvnet._stream.stream cimport Stream
from uvnet._stream.transfer cimport descriptor_of
from uvnet._stream.write_request cimport WRITE_DONE, WRITE_FAILED, WRITE_WAITING, WriteRequest
from uvnet._stream.writer cimport tell_owner, tell_written
from uvnet._uv.table cimport UVNET_UV_WRITE, uv, uv_buf_t, uv_loop_t, uv_stream_t, uv_write_t
from uvnet.errors.system cimport system_error

from uvnet.errors.codes import file_too_short

cdef extern from *:
    """
    #include <errno.h>
    #include <unistd.h>
    #ifdef __linux__
    #include <sys/sendfile.h>
    static long long uvnet_send_file(int sink, int source, long long place, size_t count)
    {
        off_t offset = place;
        return sendfile(sink, source, &offset, count);
    }
    #elif defined(__APPLE__)
    #include <sys/socket.h>
    #include <sys/uio.h>
    static long long uvnet_send_file(int sink, int source, long long place, size_t count)
    {
        off_t length = count;
        /* It may have sent a part and say EAGAIN. */
        if (sendfile(source, sink, place, &length, NULL, 0) < 0 && length == 0)
            return -1;
        return length;
    }
    #else
    static long long uvnet_send_file(int sink, int source, long long place, size_t count)
    {
        errno = ENOSYS;
        return -1;
    }
    #endif
    """
    int64_t move_file "uvnet_send_file" (int sink, int source, int64_t place, size_t count) nogil

cdef extern from "<unistd.h>" nogil:
    ssize_t pread(int descriptor, void *buffer, size_t size, int64_t place)

cdef enum:
    MOVE = 1048576           # bytes of one sendfile(2)
    MOVES_AT_ONCE = 4        # before others get their turn
    PIECE = 16384            # bytes copied to learn from libuv when the sink takes more
    COPY = 65536             # bytes copied at once where there is no sendfile(2)

# In front of libuv's write request and the piece, in one allocation.
cdef struct FileMove:
    void *request            # the FileRequest; owned
    HandleBlock *sink
    uv_loop_t *uv_loop
    int source
    int64_t place
    int64_t end
    size_t piece             # bytes of it that wait in libuv
    bint copies
    bint may_copy
    bint stopped
    bint refused
    bint short
    int status               # of the connection: a libuv error
    int file_error           # an errno


cdef class FileRequest(WriteRequest):
    """Bytes of a file, from `start` to `end`, on their way to a stream.

    With a descriptor of a regular file, which becomes its own, send_file() sends them.  Without one, `file` is to be
    read.
    """

    def __cinit__(self):
        self.source = -1
        self.end = -1

    def __init__(self, file, int descriptor, int64_t start, int64_t end, done, bint whole, bint may_copy=True):
        self.file = file
        self.source = descriptor
        self.start = self.place = start
        self.end = end
        self.done = done
        self.whole = whole
        self.may_copy = may_copy

    def __dealloc__(self):
        if self.source >= 0:
            close_descriptor(self.source)

    def __call__(self, error):
        """It is through, or will never be: as of the callback of a write."""
        done, self.done = self.done, None
        if done is not None:
            done(error)

    @property
    def count(self):
        """How many bytes are to be sent, or None for all there are."""
        return None if self.end < 0 else self.end - self.start

    @property
    def is_regular(self):
        """Whether send_file() can send it."""
        return self.source >= 0

    def forget(self):
        """It is not to be sent after all."""
        self.done = None
        if self.source >= 0 and self.move is NULL:
            close_descriptor(self.source)
            self.source = -1

    def read_at(self, place, size):
        """Bytes of a regular file, for who sends them by itself; others may read it meanwhile.  Raises OSError."""
        return os.pread(self.source, size, place)

    def stop(self):
        """Send no more than what waits in libuv already."""
        if self.move is not NULL:
            (<FileMove *>self.move).stopped = True
            self.place = (<FileMove *>self.move).place

    def settle(self, int64_t sent, error):
        """Its owner has read and sent it: so many bytes, and the error or None."""
        self.place = self.start + sent
        if error is None and self.whole and self.end >= 0 and self.place < self.end:
            error = file_too_short(sent, self.end - self.start)
        self.error = error
        self.state = WRITE_DONE if error is None else WRITE_FAILED

    def raise_failure(self):
        """Raise the error of the file's, where there is one."""
        if self.file_error:
            raise system_error(-self.file_error, "sendfile")


cdef bint send_file(Stream stream, FileRequest request) except -1:
    """Send a file by sendfile(2), behind nothing else; on_written follows, or it is done or has failed already.

    False where that cannot be, and the owner has to read the file: of what is no regular one, and of streams that
    have no descriptor of their own.
    """
    cdef FileMove *move
    cdef size_t before = sizeof(FileMove) + (-<Py_ssize_t>sizeof(FileMove) & 15)
    if request.source < 0 or stream.base() is not stream or (stream.block is not NULL and stream.block.no_socket):
        return False
    if stream.state != HANDLE_OPEN:
        request.state = WRITE_FAILED
        request.status = -EBADF
        return True
    move = <FileMove *>malloc(before + uv.req_size(UVNET_UV_WRITE) + COPY)
    if move is NULL:
        request.state = WRITE_FAILED
        request.status = -ENOMEM
        return True
    move.request = <void *>request
    move.sink = stream.block
    move.source = request.source
    move.place = request.start
    move.end = request.end
    move.piece = 0
    move.uv_loop = stream.record.uv_loop
    move.copies = not may_break_pipes()
    move.may_copy = request.may_copy
    move.stopped = move.refused = move.short = False
    move.status = move.file_error = 0
    _write_of(move).data = <void *>move
    if request.done is not None:
        request.callbacks = [(0, request)]
    request.move = move
    request.stream = stream
    request.state = WRITE_WAITING
    if _go_on(move):
        add_to(counters.requests, 1)
        Py_INCREF(request)
    else:
        _settle(move)
    return True


cdef inline uv_write_t *_write_of(FileMove *move) noexcept nogil:
    return <uv_write_t *>(<char *>move + sizeof(FileMove) + (-<Py_ssize_t>sizeof(FileMove) & 15))


cdef bint _go_on(FileMove *move) noexcept nogil:
    """Send what the system takes; True where the rest waits for libuv, False where it is over."""
    cdef HandleBlock *sink = move.sink
    cdef int descriptor = descriptor_of(sink)
    cdef int moves = 0
    cdef int64_t sent
    if move.copies and not move.may_copy:
        move.refused = True
        return False
    if descriptor < 0:
        move.status = descriptor
        return False
    while not move.copies and moves < MOVES_AT_ONCE and move.place < move.end and not move.stopped:
        sent = move_file(descriptor, move.source, move.place, <size_t>min(move.end - move.place, <int64_t>MOVE))
        if sent > 0:
            move.place += sent
            sink.bytes_written += sent
            moves += 1
        elif sent == 0:
            move.short = True
            return False
        elif errno == EAGAIN:
            break
        elif errno != EINTR:
            if cannot_splice(-errno):
                move.copies = True
                if not move.may_copy:
                    move.refused = True
                    return False
            elif errno == EIO or errno == EOVERFLOW:
                move.file_error = errno
                return False
            else:
                move.status = -errno
                return False
    if move.place >= move.end or move.stopped:
        return False
    return _give_piece(move)


cdef bint _give_piece(FileMove *move) noexcept nogil:
    cdef HandleBlock *sink = move.sink
    cdef uv_write_t *write = _write_of(move)
    cdef char *piece = <char *>write + uv.req_size(UVNET_UV_WRITE)
    cdef int64_t most = COPY if move.copies else PIECE
    cdef ssize_t size
    cdef uv_buf_t buffer
    while True:
        size = pread(move.source, piece, <size_t>min(move.end - move.place, most), move.place)
        if size >= 0:
            break
        if errno != EINTR:
            move.file_error = errno
            return False
    if size == 0:
        move.short = True
        return False
    buffer.base = piece
    buffer.len = size
    move.status = uv.write(write, <uv_stream_t *>(sink + 1), &buffer, 1, _on_piece)
    changed(sink)
    if move.status < 0:
        return False
    move.piece = size
    move.place += size
    sink.bytes_written += size
    sink.queued_bytes += size
    return True


cdef void _on_piece(uv_write_t *write, int status) noexcept nogil:
    cdef FileMove *move = <FileMove *>write.data
    move.sink.queued_bytes -= move.piece
    changed(move.sink)
    if status < 0:
        # Some of it may have left.
        move.place -= move.piece
        move.status = status
    elif _go_on(move):
        if move.sink.activity is not NULL:
            move.sink.activity[0] = uv.now(move.uv_loop)
        return
    _finish(move)


cdef void _finish(FileMove *move) noexcept with gil:
    cdef FileRequest request = <FileRequest>move.request
    cdef Stream stream = <Stream>request.stream
    add_to(counters.requests, -1)
    _settle(move)
    if stream.record.closed:
        # What would be called back may know the request.
        request.callbacks = request.done = None
    tell_owner(stream, tell_written, <void *>request, 0)
    Py_DECREF(request)


cdef void _settle(FileMove *move) noexcept:
    """Tell the request how it has ended."""
    cdef FileRequest request = <FileRequest>move.request
    request.move = NULL
    request.stream = None
    request.place = move.place
    request.refused = move.refused
    request.file_error = move.file_error
    request.status = move.status
    request.state = WRITE_FAILED if move.status < 0 else WRITE_DONE
    if request.whole and move.status == 0 and (move.file_error or move.short):
        request.state = WRITE_FAILED
        request.error = _what_went_wrong(request, move)
    free(move)


cdef object _what_went_wrong(FileRequest request, FileMove *move):
    sent, wanted = move.place - request.start, move.end - request.start
    if not move.file_error:
        return file_too_short(sent, wanted)
    return system_error(
        -move.file_error, "sendfile", None, None, False, None, None, f"(after {sent} of {wanted} bytes)"
    )
