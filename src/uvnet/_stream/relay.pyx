"""Relays: what one stream receives goes to another in libuv's callbacks, without the GIL and without an object.

Owns what is on its way.  Reads, tries to write, and stops reading while the sink takes no more; data that keeps
coming in full buffers goes through splice(2).  Where Python has to hear of something (the end of the source, an
error), the streams' events tell it.  When a pipe() may be a relay is the business of relaying.pyx.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.errno cimport EAGAIN, ENOMEM
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from uvnet._loop.adopted cimport changed
from uvnet._loop.counters cimport counters
from uvnet._loop.handle cimport HandleBlock, block_of
from uvnet._loop.record cimport READ_BUFFER_SIZE, LoopRecord, stream_hooks
from uvnet._loop.threads cimport add_without_gil
from uvnet._stream.kernel_pipe cimport (
    KernelPipes,
    PipePool,
    can_splice,
    cannot_splice,
    close_idle_pipes,
    copy_out,
    give_pipe,
    move_in,
    move_out,
    pool_of,
    take_pipe,
)
from uvnet._stream.low_water cimport (
    LOW_WATER,
    consider_mark,
    forget_low_water,
    forget_mark,
    prepare_low_water,
    start_mark,
    stop_mark,
)
from uvnet._stream.stream cimport READS_AT_ONCE, Stream
from uvnet._stream.transfer cimport descriptor_of, receive_now, send_now
from uvnet._stream.write_request cimport WRITE_DONE, WRITE_FAILED, WRITE_WAITING, WriteRequest
from uvnet._stream.writer cimport Writer, tell_owner
from uvnet._uv.table cimport UVNET_UV_EOF, UVNET_UV_WRITE, uv, uv_buf_t, uv_handle_t, uv_stream_t, uv_write_t

cdef enum:
    BULK = 65536             # bytes in one read that speak of a bulk flow
    SPLICE_AFTER = 4         # such reads in a row
    SMALL_MOVE = 16384       # bytes; a copy of so little is cheaper than two system calls more
    COPY_AFTER = 16          # small moves in a row
    PIECE = 16384            # bytes copied out of a kernel pipe to learn from libuv when the sink takes more

# Lies in front of libuv's write request and the data, in one allocation.
cdef struct RelayWrite:
    Relay *relay             # NULL once the relay has been stopped
    void *request            # the WriteRequest it has become then; owned
    HandleBlock *sink
    size_t length
    size_t total             # of what was received at once, of which this is left


cdef bint start_relay(Stream source, Stream sink) except -1:
    """Send what `source` receives to `sink` from now on; False where that cannot be.

    Both are connected, nothing waits in `sink`, `source` reads into the loop's buffer, and neither has a relay of
    that direction yet.
    """
    cdef Relay *relay
    cdef PipePool *pool
    if source.block.no_socket or sink.block.no_socket:
        return False
    try:
        prepare_low_water(source.record)
        pool = pool_of(source.record)
    except MemoryError:
        return False
    relay = <Relay *>calloc(1, sizeof(Relay))
    if relay is NULL:
        return False
    relay.source = source.block
    relay.sink = sink.block
    relay.uv_loop = source.record.uv_loop
    relay.pool = pool
    relay.pipe.reader = relay.pipe.writer = -1
    relay.copies_only = not can_splice()
    start_mark(&relay.low_water, source.block)
    source.read_stop()
    source.block.relay_from = relay
    sink.block.relay_to = relay
    if _read_source(relay) < 0:
        _detach(relay)
        source.read_start()
        return False
    return True


cdef tuple stop_relay(Stream source):
    """End the relay from `source`, which is not read any more then.

    Returns the WriteRequest for what libuv still has for the sink, or None (its on_written event follows), and
    the bytes that wait behind it.  Where it raises the relay is still there.
    """
    cdef Relay *relay = <Relay *>source.block.relay_from
    cdef bytes rest = PyBytes_FromStringAndSize(NULL, relay.pipe.level)
    cdef WriteRequest request = None
    cdef tuple result
    cdef Py_ssize_t filled = 0
    cdef ssize_t copied
    if relay.waiting is not NULL:
        request = WriteRequest.__new__(WriteRequest)
        request.state = WRITE_WAITING
        request.total = relay.waiting.total
    result = request, rest
    while relay.pipe.level:
        copied = copy_out(&relay.pipe, PyBytes_AS_STRING(rest) + filled, relay.pipe.level)
        if copied <= 0:
            raise OSError(-copied, "a kernel pipe lost its data")
        filled += copied
    if relay.waiting is not NULL:
        Py_INCREF(request)
        relay.waiting.request = <void *>request
        relay.waiting.relay = NULL
    source.read_stop()
    _detach(relay)
    return result


cdef void drop_relay(Stream source) noexcept:
    """End the relay from `source` with what is on its way: it is lost, or the business of another process."""
    cdef Relay *relay = <Relay *>source.block.relay_from
    if relay.waiting is not NULL:
        relay.waiting.relay = NULL
    source.read_stop()
    if source.record.forked:
        forget_mark(&relay.low_water)
    _detach(relay)


cdef bint relay_is_waiting(HandleBlock *sink) noexcept:
    """Whether the relay to this stream, which there is, has something in libuv's hands for it."""
    return (<Relay *>sink.relay_to).waiting is not NULL


cdef size_t relay_level(HandleBlock *sink) noexcept:
    """Bytes that have come for this stream and wait in a kernel pipe."""
    return 0 if sink.relay_to is NULL else (<Relay *>sink.relay_to).pipe.level


cdef void _detach(Relay *relay) noexcept:
    stop_mark(&relay.low_water)
    relay.source.relay_from = NULL
    relay.sink.relay_to = NULL
    give_pipe(relay.pool, &relay.pipe)
    free(relay)


cdef inline uv_stream_t *_stream(HandleBlock *block) noexcept nogil:
    return <uv_stream_t *>(block + 1)


cdef inline void _touch(Relay *relay, HandleBlock *block) noexcept nogil:
    if block.activity is not NULL:
        block.activity[0] = uv.now(relay.uv_loop)


cdef int _read_source(Relay *relay) noexcept nogil:
    cdef int status = uv.read_start(_stream(relay.source), _on_alloc, _on_readable)
    relay.source.reading = status == 0
    changed(relay.source)
    return status


cdef void _stop_source(Relay *relay) noexcept nogil:
    if relay.source.reading:
        relay.source.reading = False
        uv.read_stop(_stream(relay.source))
        changed(relay.source)


cdef void _on_alloc(uv_handle_t *uv_handle, size_t suggested, uv_buf_t *buffer) noexcept nogil:
    # libuv: with an empty buffer it reads nothing and calls the read callback with UV_ENOBUFS.
    buffer.base = block_of(uv_handle).read_buffer
    buffer.len = 0


cdef void _on_readable(uv_stream_t *uv_stream, ssize_t nread, const uv_buf_t *buffer) noexcept nogil:
    cdef Relay *relay = <Relay *>block_of(uv_stream).relay_from
    if relay.sink.gathering:
        # What the program has written before goes first.
        _flush_sink(relay)
    elif relay.splices:
        _splice(relay)
    else:
        _copy(relay)


cdef void _flush_sink(Relay *relay) noexcept with gil:
    tell_owner(<Stream>relay.sink.owner, _flush, NULL, 0)


cdef int _flush(Writer sink, object owner, void *what, ssize_t number) except -1:
    return sink.flush()


# === Copying ===

cdef void _copy(Relay *relay) noexcept nogil:
    cdef HandleBlock *source = relay.source
    cdef HandleBlock *sink = relay.sink
    cdef uv_buf_t buffer
    cdef ssize_t received
    cdef ssize_t sent
    cdef int _turn
    for _turn in range(READS_AT_ONCE):
        received = receive_now(source, source.read_buffer, READ_BUFFER_SIZE)
        if received == -EAGAIN:
            return
        if received < 0:
            _source_ended(relay, received)
            return
        _touch(relay, source)
        _touch(relay, sink)
        buffer.base = source.read_buffer
        buffer.len = received
        sent = send_now(sink, &buffer, 1)
        if sent == received:
            sink.bytes_written += sent
        elif sent < 0 and sent != -EAGAIN:
            _sink_failed(relay, sent, received)
            return
        else:
            if sent < 0:
                sent = 0
            sink.bytes_written += sent
            _leave_to_libuv(relay, buffer.base + sent, received - sent, received)
            return
        if received < BULK:
            relay.full_reads = 0
            return
        relay.full_reads += 1
        if relay.full_reads >= SPLICE_AFTER and not relay.copies_only and take_pipe(relay.pool, &relay.pipe):
            relay.splices = True
            relay.small_moves = 0
            _splice(relay)
            return


cdef void _leave_to_libuv(Relay *relay, const char *data, size_t length, size_t total) noexcept nogil:
    """Let libuv write data when the sink takes it, and read no more until then."""
    cdef size_t request_size = uv.req_size(UVNET_UV_WRITE)
    cdef RelayWrite *write = <RelayWrite *>malloc(sizeof(RelayWrite) + request_size + length)
    cdef uv_write_t *uv_write
    cdef uv_buf_t buffer
    cdef int status
    _stop_source(relay)
    if write is NULL:
        _sink_failed(relay, -ENOMEM, length)
        return
    uv_write = <uv_write_t *>(write + 1)
    buffer.base = <char *>uv_write + request_size
    buffer.len = length
    memcpy(buffer.base, data, length)
    write.relay = relay
    write.request = NULL
    write.sink = relay.sink
    write.length = length
    write.total = total
    uv_write.data = <void *>write
    status = uv.write(uv_write, _stream(relay.sink), &buffer, 1, _on_written)
    changed(relay.sink)
    if status < 0:
        free(write)
        _sink_failed(relay, status, length)
        return
    relay.waiting = write
    relay.sink.queued_bytes += length
    relay.sink.bytes_written += length
    add_without_gil(counters.relayed, 1)


cdef void _on_written(uv_write_t *uv_write, int status) noexcept nogil:
    cdef RelayWrite *write = <RelayWrite *>uv_write.data
    cdef Relay *relay = write.relay
    write.sink.queued_bytes -= write.length
    changed(write.sink)
    add_without_gil(counters.relayed, -1)
    if relay is NULL or status < 0:
        _tell_written(write, status)
    else:
        relay.waiting = NULL
        _touch(relay, write.sink)
        if _move_out(relay):
            _read_source(relay)
    free(write)


cdef void _tell_written(RelayWrite *write, int status) noexcept with gil:
    """The write is Python's business: the relay was stopped, or it has failed."""
    if write.relay is NULL and write.request is NULL:
        # Of a relay that was dropped.
        return
    tell_owner(<Stream>write.sink.owner, _tell_sink, <void *>write, status)
    if write.request is not NULL:
        Py_DECREF(<object>write.request)


cdef int _tell_sink(Writer sink, object owner, void *what, ssize_t status) except -1:
    cdef RelayWrite *write = <RelayWrite *>what
    cdef WriteRequest request
    if write.relay is not NULL:
        sink.events.on_relay_lost(owner)
    request = <WriteRequest>write.request
    request.state = WRITE_DONE if status == 0 else WRITE_FAILED
    request.status = <int>status
    return sink.events.on_written(owner, request)


# === Splicing ===

cdef void _splice(Relay *relay) noexcept nogil:
    cdef ssize_t moved
    cdef int _turn
    for _turn in range(READS_AT_ONCE):
        # Held only while there is something in it: a relay that is idle must not keep others from splicing.
        if relay.pipe.reader < 0 and not take_pipe(relay.pool, &relay.pipe):
            _copy_again(relay, False)
            return
        moved = move_in(descriptor_of(relay.source), &relay.pipe, relay.pipe.capacity - relay.pipe.level)
        if moved == -EAGAIN:
            give_pipe(relay.pool, &relay.pipe)
            return
        if moved <= 0:
            if cannot_splice(moved):
                _copy_again(relay, True)
            else:
                _source_ended(relay, moved if moved < 0 else UVNET_UV_EOF)
            return
        relay.source.bytes_read += moved
        _touch(relay, relay.source)
        if not _move_out(relay):
            return
        if moved < SMALL_MOVE:
            relay.small_moves += 1
            if relay.small_moves >= COPY_AFTER:
                _copy_again(relay, False)
            return
        relay.small_moves = 0
        if moved < LOW_WATER:
            # The source is asked again when more has come, instead of being chased.
            consider_mark(&relay.low_water)
            return


cdef bint _move_out(Relay *relay) noexcept nogil:
    """Empty the kernel pipe, if there is one, and give it back.

    False where the sink has to wait, or the relay is no more.
    """
    cdef ssize_t moved
    while relay.pipe.level:
        moved = move_out(&relay.pipe, descriptor_of(relay.sink))
        if moved > 0:
            relay.sink.bytes_written += moved
            _touch(relay, relay.sink)
        elif moved == -EAGAIN or cannot_splice(moved):
            # libuv tells when it has written a piece; then there is room for more.
            relay.copies_only = relay.copies_only or moved != -EAGAIN
            moved = copy_out(&relay.pipe, relay.source.read_buffer, PIECE)
            if moved <= 0:
                _sink_failed(relay, moved, relay.pipe.level)
            else:
                _leave_to_libuv(relay, relay.source.read_buffer, moved, moved)
            return False
        else:
            _sink_failed(relay, moved, relay.pipe.level)
            return False
    give_pipe(relay.pool, &relay.pipe)
    if relay.copies_only:
        _copy_again(relay, True)
    return True


cdef void _copy_again(Relay *relay, bint for_good) noexcept nogil:
    relay.copies_only = relay.copies_only or for_good
    relay.splices = False
    relay.full_reads = 0
    give_pipe(relay.pool, &relay.pipe)


# === What Python has to hear of ===

cdef void _source_ended(Relay *relay, ssize_t nread) noexcept with gil:
    _stop_source(relay)
    tell_owner(<Stream>relay.source.owner, _tell_ended, NULL, nread)


cdef int _tell_ended(Writer source, object owner, void *what, ssize_t nread) except -1:
    return source.events.on_relay_ended(owner, nread)


cdef void _sink_failed(Relay *relay, ssize_t status, size_t length) noexcept with gil:
    _stop_source(relay)
    tell_owner(<Stream>relay.sink.owner, _tell_failed, &length, status)


cdef int _tell_failed(Writer sink, object owner, void *length, ssize_t status) except -1:
    cdef WriteRequest request
    sink.events.on_relay_lost(owner)
    request = WriteRequest.__new__(WriteRequest)
    request.total = (<size_t *>length)[0]
    request.state = WRITE_FAILED
    request.status = <int>status
    return sink.events.on_sent(owner, request)


# === When the loop is closed ===

cdef void _let_go(LoopRecord record) noexcept:
    forget_low_water(record)
    if record.kernel_pipes is not None:
        close_idle_pipes(&(<KernelPipes>record.kernel_pipes).pool)


stream_hooks.let_go = _let_go
