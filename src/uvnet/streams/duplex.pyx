"""The end of a stream of two halves: end, 'finish', destroy, 'error'.

Owns the callbacks of end(), each called exactly once, and says when one half's end is the other's.  How a
half is shut down, and the whole closed, is the business of subclasses.
Node: "Class: stream.Duplex"; rules 2.9 to 2.11 and 3.2.
"""

from uvnet._loop.tick cimport report_unheard
from uvnet._stream.write_request cimport WRITE_GATHERING, WRITE_WAITING, WriteRequest, length_of_writes
from uvnet.events.waiter cimport Awaitable
from uvnet.streams.readable cimport RELAY_FROM, RELAY_TO
from uvnet.streams.steps cimport (
    STEP_END_AFTER_PEER,
    STEP_ERROR,
    STEP_ERROR_AWAITED,
    STEP_FAIL_BUFFERED,
    STEP_FINISH,
    STEP_FINISH_IF_POSSIBLE,
)
from uvnet.streams.writable cimport Writable

from uvnet.errors.codes import (
    already_finished,
    closed_before_connection,
    invalid_callback,
    invalid_type,
    stream_destroyed,
)


cdef class Duplex(Writable):
    """Both halves of a Socket; not made by users."""

    # === Public API ===

    def end(self, chunk=None, encoding=None, callback=None):
        """Half-close: send what is written, `chunk` last, then FIN; returns the socket.

        callback(error) is called once, with None when 'finish' is due.  It may stand in the place of
        `chunk` or `encoding`.  Raises TypeError as write() does.
        Node: "socket.end([data[, encoding]][, callback])".
        """
        cdef object error = None
        cdef bint begins = False
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
                self._ending = begins = True
                self._wake_drainers()
        if callback is not None:
            if error is not None:
                self._write_later(callback, error)
            elif self._finish_callbacks is None:
                self._finish_callbacks = [callback]
            else:
                self._finish_callbacks.append(callback)
        if begins:
            self._finish_maybe(True)
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

    def destroy_soon(self):
        """Send what is written, then destroy(); returns the socket.  Node: "socket.destroySoon()"."""
        cdef unsigned int life = self._life
        self.record.check()
        if self.writable:
            self.end()
        if self._life != life:
            return self
        if self._finished:
            self._destroy_stream(None)
        elif not self._destroyed:
            self._observe("finish", self.destroy, True)
        return self

    @property
    def writable_ended(self):
        """True once end() was called.  Node: "writable.writableEnded"."""
        return bool(self._ending)

    @property
    def writable_finished(self):
        """True from just before 'finish'.  Node: "writable.writableFinished"."""
        return bool(self._finished)

    @property
    def destroyed(self):
        """True once destroy() was called, by whomever.  Node: "readable.destroyed"."""
        return bool(self._destroyed)

    @property
    def errored(self):
        """The exception the stream was destroyed with, or None.  Node: "readable.errored"."""
        return self._errored

    @property
    def closed(self):
        """True once 'close' has been emitted.  Node: "readable.closed"."""
        return bool(self._close_emitted)

    # === For subclasses ===

    cdef int _final(self) except -1:
        return 0

    cdef int _destroy_handle(self, object error) except -1:
        return 0

    cdef int _given_up(self, WriteRequest request) except -1:
        return 0

    cdef int _finalised(self, object error) except -1:
        """_final() is over."""
        cdef unsigned int life = self._life
        self._pending_steps -= 1
        if error is not None:
            self._call_finish_callbacks(error)
            self._lost(error)
        elif self._may_finish():
            self._prefinished = True
            self.emit0("prefinish")
            if self._life == life:
                self._pending_steps += 1
                self._later(STEP_FINISH, None)
        return 0

    cdef int _after_end(self) except -1:
        if not self._ending and not self._destroyed and not self.allow_half_open:
            self._later(STEP_END_AFTER_PEER, None)
        elif self._finished:
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
            self._later(STEP_FAIL_BUFFERED, None)
        if error is not None:
            self._later(STEP_ERROR_AWAITED if self._awaited else STEP_ERROR, error)
        self._destroy_handle(error)
        self._wake_reader()
        return self._wake_drainers()

    cdef int _settle(self) except -1:
        """The next life begins: pay what this one owes, while it can still tell how it ended."""
        cdef Awaitable drainer
        Writable._settle(self)
        for drainer in list(self._drainers or ()):
            drainer.settle()
        if self._awaited and not self._error_heard and self._errored is not None and not self.has_listeners("error"):
            # Coroutines would have heard of it, and none has asked.
            self._error_heard = True
            report_unheard(self.record, self._errored, self)
        self._withdraw("finish", self.destroy)
        if self._in_flight is not None and self._in_flight.state == WRITE_WAITING:
            # libuv calls it back with ECANCELED, see _written().
            self._in_flight = None
        return self._fail_buffered()

    cdef int _reset_writable(self) except -1:
        """Begin with a new writable side; the old one owes nothing."""
        self._buffered = None
        self._in_flight = None
        self._writable_length = 0
        self._corked = 0
        self._pending_steps = 0
        self._need_drain = False
        return self._set_over(not self._writable_side)

    cdef int _give_up_writing(self) except -1:
        """There is no such side: it is over, as after 'finish'."""
        self._writable_side = False
        return self._set_over(True)

    cdef int _set_over(self, bint over) except -1:
        self._ending = self._prefinished = self._final_called = self._finished = over
        return 0

    cdef int _renew_writable(self) except -1:
        """connect() after end(): what was ended before there was a connection is over, and a new side begins."""
        if self._errored is not None:
            # A write that failed: the stream is destroyed on a tick.
            return 0
        if not self._finished:
            # Now, so that the tick it waits for cannot end what begins here.
            self._finish_early = True
            self._finish()
        if not self._destroyed and self._finished:
            self._reset_writable()
        return 0

    # === Private ===

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_FAIL_BUFFERED:
            if self._destroyed:
                self._fail_buffered()
        elif step == STEP_FINISH:
            if self._finish_early:
                self._finish_early = False
            else:
                self._finish()
        elif step == STEP_FINISH_IF_POSSIBLE:
            if self._may_finish():
                self._finish()
            else:
                self._pending_steps -= 1
        elif step == STEP_ERROR or step == STEP_ERROR_AWAITED:
            self._error_heard = self._error_heard or self.has_listeners("error")
            self._emit_error(argument, self._awaited)
        elif step == STEP_END_AFTER_PEER:
            if not self._ending and not self._destroyed:
                self.end()
        else:
            Writable._step(self, step, argument)
        return 0

    cdef int _step_owed(self, int step, object argument) except -1:
        if step == STEP_ERROR or step == STEP_ERROR_AWAITED:
            # Once per life, see _destroy_stream(), even where the next one has begun already.
            return self._emit_error(argument, step == STEP_ERROR_AWAITED)
        return Writable._step_owed(self, step, argument)

    cdef int _emit_error(self, object error, bint awaited) except -1:
        if self.has_listeners("error"):
            self.emit_all("error", (error,))
        elif not awaited:
            report_unheard(self.record, error, self)
        return 0

    cdef int _fail_buffered(self) except -1:
        """Call back what will never be sent."""
        cdef unsigned int life = self._life
        cdef object error = self._errored
        cdef WriteRequest request = self._in_flight
        cdef list buffered, callbacks
        if request is not None:
            if request.state != WRITE_GATHERING:
                # Its own callback comes first.
                return 0
            # It was waiting for a connection that never came.
            if request.error is None:
                request.error = error or closed_before_connection()
            self._writable_length -= request.total
            self._in_flight = None
            self._given_up(request)
        # All of it is taken first: whoever is called may begin another life.
        buffered, self._buffered = self._buffered or [], None
        callbacks, self._finish_callbacks = self._finish_callbacks or [], None
        self._writable_length -= length_of_writes(buffered)
        if request is not None:
            self._call_all(request, life)
        for _, callback in buffered:
            if callback is not None:
                self._call_back(callback, error or stream_destroyed("write"), life)
        for callback in callbacks:
            self._call_back(callback, error or stream_destroyed("end"), life)
        return 0

    cdef int _call_finish_callbacks(self, object error) except -1:
        cdef unsigned int life = self._life
        cdef list callbacks
        callbacks, self._finish_callbacks = self._finish_callbacks, None
        if callbacks:
            for callback in callbacks:
                self._call_back(callback, error, life)
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
                self._later(STEP_FINISH_IF_POSSIBLE, None)
            else:
                self._finish()
        return 0

    cdef int _finish(self) except -1:
        cdef unsigned int life = self._life
        self._pending_steps -= 1
        if self._destroyed or self._finished or not self._ending:
            return 0
        self._finished = True
        self._call_finish_callbacks(None)
        if self._life != life:
            return 0
        self.emit0("finish")
        if self._life == life and self._end_emitted:
            self._destroy_stream(None)
        return 0
