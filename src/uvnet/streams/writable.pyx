"""The writable side of a stream: write, cork, 'drain', and whether a write is too much.

Owns what has been written and not completed, and the callbacks of write(): each is called exactly once.  Where
data goes, and how the stream ends, is the business of subclasses.
Node: "Class: stream.Writable"; rules 2.6 to 2.8 and 3.2.
"""

from cpython.bytes cimport PyBytes_CheckExact

from uvnet._loop.record cimport stream_hooks
from uvnet._loop.slow cimport call_watched, watching
from uvnet._stream.file_request cimport FileRequest, send_file
from uvnet._stream.stream cimport Stream
from uvnet._stream.write_request cimport (
    WRITE_DONE,
    WRITE_FAILED,
    WRITE_GATHERING,
    WRITE_WAITING,
    WriteRequest,
    as_chunk,
    chunk_length,
    length_of_writes,
)
from uvnet.errors.system cimport system_error
from uvnet.events.loop_emitter cimport EARLIER_LIFE
from uvnet.events.waiter cimport Awaitable
from uvnet.streams.flowing cimport Flowing
from uvnet.streams.readable cimport DEFAULT_HIGH_WATER_MARK, RELAY_TO
from uvnet.streams.steps cimport STEP_AFTER_WRITE, STEP_CALL_BACK, STEP_WRITE_FAILED, STEP_WRITTEN

from uvnet.arguments.checks import check_max_buffered
from uvnet.errors.codes import (
    buffer_full,
    invalid_callback,
    invalid_type,
    null_values,
    stream_destroyed,
    write_after_end,
)
from uvnet.streams.encoding import canonical_encoding, encode
from uvnet.streams.sending_files import copy_to_stream


cdef class Writable(Flowing):
    """The sending half of a Socket; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self._writable_high_water_mark = DEFAULT_HIGH_WATER_MARK
        self._writable_side = True

    # === Public API ===

    def write(self, chunk, encoding=None, callback=None):
        """Send data; True while fewer bytes than the high-water mark wait, False to ask for a pause.

        `chunk` is bytes-like, or a str in `encoding` (default utf8).  After False, wait for 'drain'; what is
        written all the same is queued, not lost.  callback(error) is called once, with None when the data
        has been handed to the system.  The callback may stand in the place of `encoding`.  A bytes-like
        object may be changed as soon as write() returns.
        Raises TypeError for data or a callback of another type, None, and an unknown encoding;
        RuntimeError (ERR_SOCKET_BUFFER_FULL) with the option on_max_buffered="raise" where more than
        max_buffered bytes would wait, and then nothing of it is written.
        Node: "socket.write(data[, encoding][, callback])", "writable.write()".
        """
        self.record.check()
        if encoding is not None and callable(encoding):
            callback = encoding
            encoding = None
        if callback is not None and not callable(callback):
            raise invalid_callback(callback)
        if not PyBytes_CheckExact(chunk) or encoding is not None:
            chunk = self._accept(chunk, encoding)
        return self._write(chunk, callback, self._write_refused() if self._ending else None) is True

    def cork(self):
        """Keep what is written until uncork(); calls are counted.  Node: "writable.cork()"."""
        self.record.check()
        self._own_writing()
        self._corked += 1

    def uncork(self):
        """Undo one cork(); the last one sends everything in one system call.  Node: "writable.uncork()"."""
        self.record.check()
        if self._corked:
            self._corked -= 1
            self._send_buffered()

    def set_default_encoding(self, encoding):
        """The encoding of str given to write() without one; returns the socket.

        Raises TypeError (ERR_UNKNOWN_ENCODING).  Node: "writable.setDefaultEncoding(encoding)".
        """
        self.record.check()
        self._default_encoding = canonical_encoding(encoding)
        return self

    @property
    def writable(self):
        """True while write() is possible: not ended, not destroyed.  Node: "writable.writable"."""
        return bool(not self._destroyed and not self._ending and self._errored is None)

    @property
    def writable_length(self):
        """Bytes written and not handed to the system yet.  Node: "writable.writableLength"."""
        self._own_writing()
        return self._writable_length

    @property
    def writable_high_water_mark(self):
        """Bytes that may wait before write() returns False.  Node: "writable.writableHighWaterMark"."""
        return self._writable_high_water_mark

    @property
    def max_buffered(self):
        """Bytes that may wait to be sent at all (int), or None for no limit; may be set at any time.

        Setting it raises TypeError or ValueError for anything else.  See the option of Socket.  This is not in
        Node.
        """
        return self._max_buffered or None

    @max_buffered.setter
    def max_buffered(self, limit):
        self.record.check()
        self._max_buffered = check_max_buffered(limit, "max_buffered")

    @property
    def writable_corked(self):
        """How many uncork() calls are owed.  Node: "writable.writableCorked"."""
        return self._corked

    @property
    def writable_need_drain(self):
        """True while a 'drain' is owed.  Node: "writable.writableNeedDrain"."""
        self._own_writing()
        return bool(self._need_drain and not self._destroyed and not self._ending)

    # === For subclasses ===

    cdef Stream _gathering_handle(self):
        return None

    cdef int _flush(self) except -1:
        return 0

    cdef int _send(self, WriteRequest request, bint in_call) except -1:
        return 0

    cdef object _write_refused(self):
        return None

    cdef bint _relay_waiting(self) noexcept:
        """Whether libuv has something for this stream that a relay has given it."""
        return False

    cdef int _finish_maybe(self, bint in_call) except -1:
        """A write is complete: what end() waits for may be."""
        return 0

    cdef int _fail_buffered(self) except -1:
        """Nothing more will be sent."""
        return 0

    cdef int _written(self, WriteRequest request, bint in_call) except -1:
        """A request given to _send() is done or has failed.

        `in_call`: on the stack of the write() or uncork() it came from, so that callbacks wait for a tick.
        """
        if request is not self._in_flight:
            # Of an earlier life: only its callbacks are owed.
            self._call_all(request, EARLIER_LIFE)
            return 0
        self._in_flight = None
        self._writable_length -= request.total
        if self._destroyed:
            # In flight at destroy(): its bytes may or may not have left (decision 8).
            if self._errored is None:
                self._errored = request.error
            self._call_all(request, self._life)
            if self._destroyed:
                self._fail_buffered()
            return 0
        if request.state == WRITE_FAILED:
            if self._errored is None:
                self._errored = system_error(request.status, "write") if request.error is None else request.error
                request.error = self._errored
            if in_call:
                self._later(STEP_WRITE_FAILED, request)
            else:
                self._write_failed(request)
            return 0
        if in_call:
            # In front of what becomes of those that wait behind it.
            self._later(STEP_AFTER_WRITE, request)
        if self._buffered:
            self._send_buffered()
        if not in_call:
            self._after_write(request)
        return 0

    cdef int _gathered_sent(self, WriteRequest request) except -1:
        """What was gathered has been handed over."""
        if request.state == WRITE_WAITING:
            self._own_writing()
            self._in_flight = request
            self._writable_length += request.total
            if request.rest:
                # Written before what cork() keeps.
                self._buffered = request.rest + (self._buffered or [])
                self._writable_length += length_of_writes(request.rest)
                request.rest = None
        elif request.state == WRITE_FAILED:
            request.error = system_error(request.status, "write")
            if self._errored is None:
                self._errored = request.error
            # In time even where no write of it has a callback of its own in the queue.
            self._later(STEP_WRITE_FAILED, request)
        return 0

    cdef int _call_back(self, object callback, object error, unsigned int life) except -1:
        """Call a callback of write() or end() of that life; an exception must not keep others from being called."""
        try:
            if not watching:
                result = callback(error)
            else:
                result = call_watched(self.record.loop, "callback", callback, (error,), self)
            if result is not None:
                self._returned(result, "callback", None)
        except BaseException as raised:
            self._failed_in(life, raised)
        return 0

    # === Private ===

    cdef int _write_later(self, object callback, object error) except -1:
        return self._later(STEP_CALL_BACK, (callback, error))

    cdef int _step(self, int step, object argument) except -1:
        cdef WriteRequest request
        cdef unsigned int life = self._life
        if step == STEP_WRITTEN:
            request = <WriteRequest>argument
            if request.state == WRITE_GATHERING:
                # All of the loop's: what else was gathered would leave a moment later.
                stream_hooks.flush(self.record)
            if request.state == WRITE_DONE:
                self._drain_maybe()
                if request.callbacks:
                    _, callback = request.callbacks.pop(0)
                    self._call_back(callback, None, life)
            elif request.state == WRITE_FAILED:
                self._write_failed(request)
        elif step == STEP_AFTER_WRITE:
            self._after_write(<WriteRequest>argument)
        elif step == STEP_WRITE_FAILED:
            self._write_failed(<WriteRequest>argument)
        elif step == STEP_CALL_BACK:
            callback, error = <tuple>argument
            self._call_back(callback, error, life)
        else:
            Flowing._step(self, step, argument)
        return 0

    cdef int _step_owed(self, int step, object argument) except -1:
        cdef WriteRequest request
        if step == STEP_WRITTEN:
            request = <WriteRequest>argument
            # What waits in libuv, or has failed, is called back as a whole.
            if request.state == WRITE_DONE and request.callbacks:
                _, callback = request.callbacks.pop(0)
                self._call_back(callback, None, EARLIER_LIFE)
            elif request.state == WRITE_FAILED:
                self._call_all(request, EARLIER_LIFE)
        elif step == STEP_AFTER_WRITE or step == STEP_WRITE_FAILED:
            self._call_all(<WriteRequest>argument, EARLIER_LIFE)
        elif step == STEP_CALL_BACK:
            callback, error = <tuple>argument
            self._call_back(callback, error, EARLIER_LIFE)
        else:
            Flowing._step_owed(self, step, argument)
        return 0

    cdef object _accept(self, object chunk, object encoding):
        """The chunk for the arguments of write(); raises what they deserve."""
        if encoding is not None:
            encoding = canonical_encoding(encoding)
        if chunk is None:
            raise null_values()
        if isinstance(chunk, str):
            return encode(chunk, encoding or self._default_encoding or "utf8")
        data = as_chunk(chunk)
        if data is None:
            raise invalid_type("chunk", "of type str or a bytes-like object", chunk)
        return data

    cdef object _write(self, object chunk, object callback, object refusal):
        """True or False as write() returns, or the exception for a write that the state does not allow.

        `refusal` is the exception for a write after the end, None for the usual one.
        """
        cdef WriteRequest request
        cdef Stream handle
        cdef Py_ssize_t length
        cdef object error = None
        if self._ending:
            error = refusal or write_after_end()
        elif self._destroyed:
            error = stream_destroyed("write")
        if error is not None:
            if callback is not None:
                self._write_later(callback, error)
            self._destroy_stream(error)
            return error
        length = chunk_length(chunk)
        if self._max_buffered and self._is_full(length):
            error = buffer_full(self._max_buffered)
            if self._raise_when_full:
                raise error
            if callback is not None:
                self._write_later(callback, error)
            self._destroy_stream(error)
            return error
        if self._relaying & RELAY_TO and self._relay_waiting():
            self._own_writing()
        if self._in_flight is not None or self._corked or self._errored is not None:
            if self._buffered is None:
                self._buffered = []
            self._buffered.append((chunk, callback))
            self._writable_length += length
        else:
            handle = self._gathering_handle()
            if handle is None:
                request = WriteRequest.__new__(WriteRequest)
                if callback is None:
                    request.add(chunk)
                else:
                    request.add_write(chunk, callback)
                self._dispatch(request, True)
            else:
                if callback is not None:
                    request = handle.gather()
                    self._later(STEP_WRITTEN, request)
                    request.add_write(chunk, callback)
                elif length:
                    handle.gather_chunk(chunk)
                if length >= self._writable_high_water_mark or (
                        handle.gathered is not None
                        and <Py_ssize_t>handle.gathered.length >= self._writable_high_water_mark):
                    self._flush()
        if self._writable_length >= self._writable_high_water_mark:
            if not self._need_drain:
                self._need_drain = True
                if self._writable_length == 0:
                    # A high-water mark of 0: every write owes a 'drain' (rule 2.7.6).
                    self._later(STEP_AFTER_WRITE, WriteRequest.__new__(WriteRequest))
            return False
        return self._errored is None and not self._destroyed

    cdef bint _is_full(self, Py_ssize_t length) except -1:
        """Whether with `length` more bytes too many would wait."""
        cdef Stream handle
        if self._in_flight is None and self._writable_length + length <= self._max_buffered:
            handle = self._gathering_handle()
            if handle is not None and <Py_ssize_t>handle.gathered_length() + length > self._max_buffered:
                # What is gathered has not been tried.
                self._flush()
        return self._writable_length + length > self._max_buffered

    cdef int _dispatch(self, WriteRequest request, bint in_call) except -1:
        request.total = request.length
        self._in_flight = request
        self._writable_length += request.total
        self._send(request, in_call)
        return 0

    cdef int _send_buffered(self) except -1:
        """Send everything that waits here in one request, unless it must go on waiting."""
        cdef WriteRequest request
        cdef list buffered = self._buffered
        cdef Py_ssize_t taken = 0
        if not buffered or self._corked or self._destroyed or self._in_flight is not None:
            return 0
        self._flush()
        if self._in_flight is not None or self._errored is not None:
            return 0
        if isinstance(buffered[0][1], FileRequest):
            self._buffered = buffered[1:]
            return self._begin_file(<FileRequest>buffered[0][1])
        request = WriteRequest.__new__(WriteRequest)
        for chunk, callback in buffered:
            if callback is None:
                request.add(chunk)
            elif isinstance(callback, FileRequest):
                break
            else:
                request.add_write(chunk, callback)
            taken += 1
        self._buffered = buffered[taken:]
        self._writable_length -= request.length
        self._dispatch(request, True)
        return 0

    cdef int _begin_file(self, FileRequest request) except -1:
        """It is the file's turn: whatever is written from now on waits behind it."""
        cdef Stream handle = self._gathering_handle()
        self._in_flight = request
        if handle is None or not send_file(handle, request):
            request.state = WRITE_WAITING
            request.callbacks = [(0, request)]
            self._run_coroutine(copy_to_stream(self, request), "callback", None)
        elif request.state != WRITE_WAITING:
            self._written(request, True)
        return 0

    # === For sending_files.py ===

    def _queue_file(self, FileRequest request not None):
        # In its place among the writes: as one with nothing in it, whose callback is the file.
        self.record.check()
        if self._ending:
            raise self._write_refused() or write_after_end()
        if self._destroyed:
            raise stream_destroyed("send_file")
        self._own_writing()
        if self._buffered is None:
            self._buffered = []
        self._buffered.append((b"", request))
        if self._in_flight is None and self._gathering_handle() is None:
            # What waits for the connection, or hears that there is none.
            self._dispatch(WriteRequest.__new__(WriteRequest), True)
        else:
            self._send_buffered()

    def _write_of_file(self, FileRequest request not None, block, callback):
        # A block of a file that is read here: it passes those that wait behind the file.
        cdef WriteRequest piece
        cdef Stream handle = None if self._in_flight is not request else self._gathering_handle()
        if handle is None:
            raise stream_destroyed("send_file")
        block = as_chunk(block)
        if block is None:
            raise invalid_type("file", "opened in binary mode", request.file)
        piece = WriteRequest.__new__(WriteRequest)
        piece.add_write(block, callback)
        handle.send(piece)
        if piece.state != WRITE_WAITING:
            self._written(piece, True)

    def _file_copied(self, FileRequest request not None):
        self._written(request, True)

    def _is_awaited(self, bint heard):
        # A coroutine hears of errors, or has.
        self._awaited = True
        self._error_heard = self._error_heard or heard

    def _everything_is_sent(self):
        """Whether the system has all that was written."""
        return self._in_flight is None and not self._buffered and self._writable_length == 0

    cdef int _wake_drainers(self) except -1:
        """Let the coroutines that wait for a 'drain' look again."""
        cdef Awaitable drainer
        if self._drainers:
            for drainer in self._drainers:
                drainer.wake()
        return 0

    cdef int _drain_maybe(self) except -1:
        cdef unsigned int life = self._life
        if self._need_drain and self._writable_length == 0 and not self._ending and not self._destroyed:
            self._need_drain = False
            self._wake_drainers()
            try:
                self.emit0("drain")
            except BaseException as raised:
                # The callbacks of what was written are still to be called.
                self._failed_in(life, raised)
        return 0

    cdef int _after_write(self, WriteRequest request) except -1:
        cdef unsigned int life = self._life
        self._drain_maybe()
        self._call_all(request, life)
        if self._life != life:
            return 0
        if self._destroyed:
            self._fail_buffered()
        self._finish_maybe(False)
        return 0

    cdef int _call_all(self, WriteRequest request, unsigned int life) except -1:
        cdef list callbacks
        cdef object error = request.error
        callbacks, request.callbacks = request.callbacks, None
        if callbacks:
            if error is None and request.state == WRITE_FAILED:
                error = system_error(request.status, "write")
            for _, callback in callbacks:
                self._call_back(callback, error, life)
        return 0

    cdef int _write_failed(self, WriteRequest request) except -1:
        """Once per request: its callbacks, then those of what waits behind it, then the end."""
        cdef unsigned int life = self._life
        self._call_all(request, life)
        if request.error is self._errored:
            self._fail_buffered()
            if self._life == life:
                self._lost(request.error)
        return 0
