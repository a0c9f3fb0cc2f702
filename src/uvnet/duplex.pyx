"""The writable side of a stream and its end: write, cork, end, 'drain', 'finish', destroy, 'error'.

Owns what has been written and not completed, and the callbacks of write() and end(): each is called exactly
once.  Where data goes is the business of subclasses.
Node: "Class: stream.Duplex", "Class: stream.Writable"; rules 2.7 to 2.9, 2.11 and 3.2.
"""

from cpython.bytes cimport PyBytes_CheckExact

from uvnet._core.errors cimport system_error
from uvnet._core.stream cimport Stream
from uvnet._core.tick cimport later, report_unheard
from uvnet._core.write_request cimport (
    WRITE_DONE,
    WRITE_FAILED,
    WRITE_GATHERING,
    WRITE_WAITING,
    WriteRequest,
    as_chunk,
    chunk_length,
)
from uvnet.readable cimport DEFAULT_HIGH_WATER_MARK, RELAY_FROM, RELAY_TO, Readable

from uvnet.encoding import canonical_encoding, encode
from uvnet.errors import (
    already_finished,
    closed_before_connection,
    invalid_callback,
    invalid_type,
    null_values,
    stream_destroyed,
    write_after_end,
)

cdef enum:
    STEP_WRITTEN             # one write of a gathered request, in its place in the tick queue
    STEP_AFTER_WRITE         # a request that was complete at once
    STEP_WRITE_FAILED
    STEP_FAIL_BUFFERED
    STEP_FINISH
    STEP_FINISH_IF_POSSIBLE
    STEP_ERROR
    STEP_END_AFTER_PEER


cdef int _run_writable_step(object target, object argument, int step) except -1:
    cdef Duplex self = <Duplex>target
    try:
        self._writable_step(argument, step)
    except BaseException as error:
        self._failed(error)
    return 0


cdef int _run_callback(object target, object argument, int step) except -1:
    cdef Duplex self = <Duplex>target
    callback, error = <tuple>argument
    self._call_back(callback, error)
    return 0


cdef class Duplex(Readable):
    """Both halves of a Socket; not made by users."""

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
        Raises TypeError for data or a callback of another type, None, and an unknown encoding.
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

    def end(self, chunk=None, encoding=None, callback=None):
        """Half-close: send what is written, `chunk` last, then FIN; returns the socket.

        callback(error) is called once, with None when 'finish' is due.  It may stand in the place of
        `chunk` or `encoding`.  Raises TypeError as write() does.
        Node: "socket.end([data[, encoding]][, callback])".
        """
        cdef object error = None
        self.record.check()
        if callback is None and callable(chunk):
            chunk, callback = None, chunk
        elif callback is None and callable(encoding):
            encoding, callback = None, encoding
        if callback is not None and not callable(callback):
            raise invalid_callback(callback)
        self._own_writing()
        if chunk is not None:
            chunk = self._accept(chunk, encoding)
            result = self._write(chunk, None, None)
            if isinstance(result, BaseException):
                error = result
        if self._corked:
            self._corked = 1
            self.uncork()
        if error is None:
            if self._destroyed and not self._finished:
                self._ending = self._ending or self._errored is None
                error = stream_destroyed("end")
            elif self._finished:
                error = already_finished("end")
            elif self._errored is None and not self._ending:
                self._flush()
                self._ending = True
                self._finish_maybe(True)
        if callback is not None:
            if error is not None:
                self._write_later(callback, error)
            elif self._finish_callbacks is None:
                self._finish_callbacks = [callback]
            else:
                self._finish_callbacks.append(callback)
        return self

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
            if not self._corked and self._in_flight is None:
                self._send_buffered()

    def set_default_encoding(self, encoding):
        """The encoding of str given to write() without one; returns the socket.

        Raises TypeError (ERR_UNKNOWN_ENCODING).  Node: "writable.setDefaultEncoding(encoding)".
        """
        self.record.check()
        self._default_encoding = canonical_encoding(encoding)
        return self

    def destroy(self, error=None):
        """Close at once; returns the socket.  Data that waits to be sent or read is dropped.

        With `error` (an exception) 'error' is emitted; 'close' follows in any case.  A second call does
        nothing.  Raises TypeError for an `error` that is no exception.  Node: "socket.destroy([error])".
        """
        self.record.check()
        if error is not None and not isinstance(error, BaseException):
            raise invalid_type("error", "an exception", error)
        self._destroy_stream(error)
        return self

    @property
    def writable(self):
        """True while write() is possible: not ended, not destroyed.  Node: "writable.writable"."""
        return bool(self._writable_side and not self._destroyed and not self._ending and self._errored is None)

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
    def writable_ended(self):
        """True once end() was called.  Node: "writable.writableEnded"."""
        return bool(self._ending)

    @property
    def writable_finished(self):
        """True from just before 'finish'.  Node: "writable.writableFinished"."""
        return bool(self._finished)

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

    cdef int _given_up(self, WriteRequest request) except -1:
        return 0

    cdef int _send(self, WriteRequest request, bint in_call) except -1:
        return 0

    cdef int _final(self) except -1:
        return 0

    cdef int _destroy_handle(self, object error) except -1:
        return 0

    cdef object _write_refused(self):
        return None

    cdef bint _relay_waiting(self) noexcept:
        """Whether libuv has something for this stream that a relay has given it."""
        return False

    cdef int _written(self, WriteRequest request, bint in_call) except -1:
        """A request given to _send() is done or has failed.

        `in_call`: on the stack of the write() or uncork() it came from, so that callbacks wait for a tick.
        """
        if request is not self._in_flight:
            # Of an earlier life: only its callbacks are owed.
            self._call_all(request)
            return 0
        self._in_flight = None
        self._writable_length -= request.total
        if self._destroyed:
            # In flight at destroy(): its bytes may or may not have left (decision 8).
            if self._errored is None:
                self._errored = request.error
            self._call_all(request)
            self._fail_buffered()
            return 0
        if request.state == WRITE_FAILED:
            if self._errored is None:
                self._errored = system_error(request.status, "write") if request.error is None else request.error
                request.error = self._errored
            if in_call:
                self._schedule(request, STEP_WRITE_FAILED)
            else:
                self._write_failed(request)
            return 0
        if self._buffered:
            self._send_buffered()
        if in_call:
            self._schedule(request, STEP_AFTER_WRITE)
        else:
            self._after_write(request)
        return 0

    cdef int _gathered_sent(self, WriteRequest request) except -1:
        """What was gathered has been handed over."""
        if request.state == WRITE_WAITING:
            self._own_writing()
            self._in_flight = request
            self._writable_length += request.total
        elif request.state == WRITE_FAILED:
            request.error = system_error(request.status, "write")
            if self._errored is None:
                self._errored = request.error
            # In time even where no write of it has a callback of its own in the queue.
            self._schedule(request, STEP_WRITE_FAILED)
        return 0

    cdef int _finalised(self, object error) except -1:
        """_final() is over."""
        self._pending_steps -= 1
        if error is not None:
            self._call_finish_callbacks(error)
            self._destroy_stream(error)
        elif self._may_finish():
            self._prefinished = True
            self.emit0("prefinish")
            self._pending_steps += 1
            self._schedule(None, STEP_FINISH)
        return 0

    cdef int _after_end(self) except -1:
        if self._writable_side and not self._ending and not self._destroyed and not self.allow_half_open:
            self._schedule(None, STEP_END_AFTER_PEER)
        elif self._finished or not self._writable_side:
            self._destroy_stream(None)
        return 0

    cdef int _destroy_stream(self, object error) except -1:
        if self._destroyed:
            return 0
        if self._relaying:
            self._leave_relays(RELAY_FROM | RELAY_TO)
        self._flush()
        if error is not None and self._errored is None:
            self._errored = error
        self._destroyed = True
        if self._buffered or self._finish_callbacks or self._in_flight is not None:
            self._schedule(None, STEP_FAIL_BUFFERED)
        if error is not None:
            self._schedule(error, STEP_ERROR)
        self._destroy_handle(error)
        self._hand_over(None)
        return 0

    cdef int _reset_writable(self) except -1:
        """Begin a new life.  What the old one still owes is paid first."""
        if self._in_flight is not None and self._in_flight.state == WRITE_WAITING:
            # libuv calls it back with ECANCELED, see _written().
            self._in_flight = None
        self._fail_buffered()
        self._buffered = None
        self._in_flight = None
        self._writable_length = 0
        self._corked = 0
        self._pending_steps = 0
        self._need_drain = self._ending = self._prefinished = self._final_called = self._finished = False
        return 0

    cdef int _call_back(self, object callback, object error) except -1:
        """Call a callback of write() or end(); an exception must not keep others from being called."""
        try:
            result = callback(error)
            if result is not None:
                self._returned(result, "callback", None)
        except BaseException as raised:
            self._failed(raised)
        return 0

    # === Private ===

    cdef int _schedule(self, object argument, int step) except -1:
        return later(self.record, _run_writable_step, self, argument, step)

    cdef int _write_later(self, object callback, object error) except -1:
        return later(self.record, _run_callback, self, (callback, error), 0)

    cdef int _writable_step(self, object argument, int step) except -1:
        cdef WriteRequest request
        if step == STEP_WRITTEN:
            request = <WriteRequest>argument
            if request.state == WRITE_GATHERING:
                self._flush()
            if request.state == WRITE_DONE:
                self._drain_maybe()
                if request.callbacks:
                    self._call_back(request.callbacks.pop(0), None)
            elif request.state == WRITE_FAILED:
                self._write_failed(request)
        elif step == STEP_AFTER_WRITE:
            self._after_write(<WriteRequest>argument)
        elif step == STEP_WRITE_FAILED:
            self._write_failed(<WriteRequest>argument)
        elif step == STEP_FAIL_BUFFERED:
            if self._destroyed:
                self._fail_buffered()
        elif step == STEP_FINISH:
            self._finish()
        elif step == STEP_FINISH_IF_POSSIBLE:
            if self._may_finish():
                self._finish()
            else:
                self._pending_steps -= 1
        elif step == STEP_ERROR:
            # Once per life, see _destroy_stream(), even where the next one has begun already.
            if self.has_listeners("error"):
                self.emit_all("error", (argument,))
            elif not self._iterated:
                report_unheard(self.record, argument, self)
        elif step == STEP_END_AFTER_PEER:
            if self._writable_side and not self._ending and not self._destroyed:
                self.end()
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
                request.add(chunk)
                if callback is not None:
                    request.callbacks = [callback]
                self._dispatch(request, True)
            else:
                if length:
                    handle.gather_chunk(chunk)
                if callback is not None:
                    request = handle.gather()
                    if request.callbacks is None:
                        request.callbacks = []
                    request.callbacks.append(callback)
                    self._schedule(request, STEP_WRITTEN)
                if length >= self._writable_high_water_mark or (
                        handle.gathered is not None
                        and <Py_ssize_t>handle.gathered.length >= self._writable_high_water_mark):
                    self._flush()
        if self._writable_length >= self._writable_high_water_mark:
            if not self._need_drain:
                self._need_drain = True
                if self._writable_length == 0:
                    # A high-water mark of 0: every write owes a 'drain' (rule 2.7.6).
                    self._schedule(WriteRequest.__new__(WriteRequest), STEP_AFTER_WRITE)
            return False
        return self._errored is None and not self._destroyed

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
        if not buffered or self._corked or self._destroyed or self._in_flight is not None:
            return 0
        self._flush()
        if self._in_flight is not None or self._errored is not None:
            return 0
        self._buffered = None
        request = WriteRequest.__new__(WriteRequest)
        request.callbacks = []
        for chunk, callback in buffered:
            request.add(chunk)
            if callback is not None:
                request.callbacks.append(callback)
        self._writable_length -= request.length
        self._dispatch(request, True)
        return 0

    cdef int _drain_maybe(self) except -1:
        if self._need_drain and self._writable_length == 0 and not self._ending and not self._destroyed:
            self._need_drain = False
            self.emit0("drain")
        return 0

    cdef int _after_write(self, WriteRequest request) except -1:
        self._drain_maybe()
        self._call_all(request)
        if self._destroyed:
            self._fail_buffered()
        self._finish_maybe(False)
        return 0

    cdef int _call_all(self, WriteRequest request) except -1:
        cdef list callbacks
        cdef object error = request.error
        callbacks, request.callbacks = request.callbacks, None
        if callbacks:
            if error is None and request.state == WRITE_FAILED:
                error = system_error(request.status, "write")
            for callback in callbacks:
                self._call_back(callback, error)
        return 0

    cdef int _write_failed(self, WriteRequest request) except -1:
        """Once per request: its callbacks, then those of what waits behind it, then the end."""
        self._call_all(request)
        if request.error is self._errored:
            self._fail_buffered()
            self._destroy_stream(request.error)
        return 0

    cdef int _fail_buffered(self) except -1:
        """Call back what will never be sent."""
        cdef list buffered
        cdef WriteRequest request
        if self._in_flight is not None:
            if self._in_flight.state != WRITE_GATHERING:
                # Its own callback comes first.
                return 0
            # It was waiting for a connection that never came.
            if self._in_flight.error is None:
                self._in_flight.error = self._errored or closed_before_connection()
            self._writable_length -= self._in_flight.total
            request, self._in_flight = self._in_flight, None
            self._given_up(request)
            self._call_all(request)
        buffered, self._buffered = self._buffered or [], None
        for chunk, callback in buffered:
            self._writable_length -= chunk_length(chunk)
            if callback is not None:
                self._call_back(callback, self._errored or stream_destroyed("write"))
        self._call_finish_callbacks(self._errored or stream_destroyed("end"))
        return 0

    cdef int _call_finish_callbacks(self, object error) except -1:
        cdef list callbacks
        callbacks, self._finish_callbacks = self._finish_callbacks, None
        if callbacks:
            for callback in callbacks:
                self._call_back(callback, error)
        return 0

    cdef bint _may_finish(self) noexcept:
        return (
            self._ending and not self._destroyed and not self._finished and self._errored is None
            and self._in_flight is None and not self._buffered and self._writable_length == 0
        )

    cdef int _finish_maybe(self, bint in_call) except -1:
        if not self._may_finish():
            return 0
        if not self._prefinished and not self._final_called:
            self._final_called = True
            self._pending_steps += 1
            self._final()
        if self._pending_steps == 0 and self._may_finish():
            self._pending_steps += 1
            if in_call:
                self._schedule(None, STEP_FINISH_IF_POSSIBLE)
            else:
                self._finish()
        return 0

    cdef int _finish(self) except -1:
        self._pending_steps -= 1
        if self._destroyed or self._finished or not self._ending:
            return 0
        self._finished = True
        self._call_finish_callbacks(None)
        self.emit0("finish")
        if self._end_emitted or not self._readable_side:
            self._destroy_stream(None)
        return 0
