"""The readable side of a stream: what has been received and not yet taken, read by hand, decoded, ended.

Where data comes from, and when it is given out unasked, is the business of subclasses.
Node: "Class: stream.Readable"; rules 2.15 and 3.1.
"""

from collections import deque

from uvnet._loop.slow cimport watching
from uvnet._stream.file_sink cimport FileSink
from uvnet._stream.write_request cimport as_chunk
from uvnet.events.loop_emitter cimport LoopEmitter
from uvnet.events.own_method cimport call_stored_with
from uvnet.events.waiter cimport Reader
from uvnet.streams.steps cimport STEP_CALL, STEP_END, STEP_FILL

from uvnet.errors.codes import being_read, invalid_type, out_of_range, unshift_after_end
from uvnet.streams.encoding import canonical_encoding, encode, new_decoder

cdef enum:
    MAX_HIGH_WATER_MARK = 0x40000000     # read(n) raises the mark up to 1 GiB (rule 3.1.3)


cdef class Readable(LoopEmitter):
    """The receiving half of a Socket; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self._readable_high_water_mark = DEFAULT_HIGH_WATER_MARK
        self._readable_side = True

    # === Public API ===

    def read(self, size=None):
        """Take data out of the buffer: bytes (str after set_encoding()), or None where there is not enough.

        Without `size` everything that is buffered, in flowing mode the first chunk.  With `size` exactly so
        many bytes (characters), or what is left once the end has come.  size=0 takes nothing and only sees
        to it that reading goes on.  What is returned is also emitted as 'data'.
        Raises TypeError or ValueError for a size that is no integer >= 0, RuntimeError while a coroutine
        waits for data.  Node: "readable.read([size])".
        """
        self.record.check()
        if self._reading is not None and size != 0:
            raise being_read()
        self._own_reading()
        if size is None:
            return self._read(0, True)
        if not isinstance(size, int) or isinstance(size, bool):
            raise invalid_type("size", "of type int", size)
        if size < 0:
            raise out_of_range("size", ">= 0", size)
        if size > MAX_HIGH_WATER_MARK:
            raise out_of_range("size", f"<= {MAX_HIGH_WATER_MARK}", size)
        return self._read(size, False)

    def unshift(self, chunk, encoding=None):
        """Put data back in front of the buffer; allowed until 'end' has been emitted.

        Returns whether there is room for more below the high-water mark.

        `chunk` is bytes-like, or a str in `encoding` (default utf8).  Raises TypeError for anything else and
        RuntimeError (ERR_STREAM_UNSHIFT_AFTER_END_EVENT) after 'end'.  Node: "readable.unshift(chunk)".
        """
        cdef unsigned int life = self._life
        self.record.check()
        self._own_reading()
        if isinstance(chunk, str):
            data = encode(chunk, canonical_encoding(encoding or "utf8"))
        else:
            data = as_chunk(chunk)
            if data is None:
                raise invalid_type("chunk", "of type str or a bytes-like object", chunk)
            data = bytes(data)
        if self._end_emitted:
            raise unshift_after_end()
        if self._destroyed:
            return False
        if data:
            if self._decoder is not None:
                data = new_decoder(self._encoding).decode(data, True)
            self._add_chunk(data, True)
            self._wake_reader()
            if self._life == life and not self._is_reading():
                self._later(STEP_FILL, None)
        return not self._readable_ended and (
            self._readable_length < self._readable_high_water_mark or self._readable_length == 0
        )

    def set_encoding(self, encoding="utf8"):
        """Deliver str instead of bytes from now on; returns the socket.

        Characters split over chunks are put together; what is buffered is decoded now, and so is what an
        earlier encoding holds of a split character.  Encodings: utf8, utf16le (ucs2), latin1 (binary), ascii,
        hex, base64, base64url.  Raises TypeError (ERR_UNKNOWN_ENCODING) for any other.
        Node: "readable.setEncoding(encoding)".
        """
        self.record.check()
        self._own_reading()
        name = canonical_encoding(encoding)
        decoder = new_decoder(name)
        text = ""
        if self._readable_length:
            parts = self._buffer
            parts[0] = parts[0][self._offset:]
            self._buffer = None
            self._offset = self._readable_length = 0
            decoded = []
            for part in parts:
                decoded.append(part if isinstance(part, str) else decoder.decode(part))
            text = "".join(decoded)
        if self._decoder is not None:
            text += decoder.decode(self._decoder.getstate()[0])
        if self._readable_ended:
            # Nothing will come to complete it.
            text += decoder.decode(b"", True)
        if text:
            self._append(text)
        self._decoder = decoder
        self._encoding = name
        self._wake_reader()
        return self

    @property
    def readable(self):
        """True while 'end' is still to come and the stream is not destroyed.  Node: "readable.readable"."""
        return bool(not self._destroyed and not self._end_emitted)

    @property
    def readable_length(self):
        """Bytes (characters after set_encoding()) in the buffer.  Node: "readable.readableLength"."""
        return self._readable_length

    @property
    def readable_high_water_mark(self):
        """Bytes that may be buffered before reading stops.  Node: "readable.readableHighWaterMark"."""
        return self._readable_high_water_mark

    @property
    def readable_encoding(self):
        """What set_encoding() set, in Node's spelling, or None.  Node: "readable.readableEncoding"."""
        return self._encoding

    @property
    def readable_ended(self):
        """True once 'end' has been emitted.  Node: "readable.readableEnded"."""
        return bool(self._end_emitted)

    def _next_tick(self, callback, *arguments):
        # For policy in plain Python: on this stream's loop, whichever runs now.  What raises ends the stream, which
        # would otherwise wait for what does not come.
        self.record.check()
        self._later(STEP_CALL, (callback, arguments))

    def _see_to_result(self, result):
        # For policy in plain Python: of a callback that it has called.
        self._returned(result, "callback", None)

    # === For subclasses ===

    cdef bint _is_reading(self) noexcept:
        return False

    cdef int _start_reading(self) except -1:
        return 0

    cdef int _stop_reading(self) except -1:
        return 0

    cdef int _read_less(self) except -1:
        """What comes next will be buffered: one read is not to go far beyond the high-water mark."""
        return 0

    cdef int _after_end(self) except -1:
        return 0

    cdef int _destroy_stream(self, object error) except -1:
        return 0

    cdef int _lost(self, object error) except -1:
        """The connection has failed: coroutines may still take what has come, and then hear of it."""
        if not self._destroyed:
            self._broken = True
        return self._destroy_stream(error)

    cdef int _emit_readable_later(self) except -1:
        return 0

    cdef int _emit_readable(self) except -1:
        return 0

    cdef int _try_relay(self, object piping) except -1:
        """Let C code take over what `piping` does, where nobody can tell the difference."""
        return 0

    cdef int _leave_relays(self, int directions) except -1:
        return 0

    cdef bint _start_sink(self, FileSink sink) except -1:
        return False

    cdef int _settle(self) except -1:
        """The next life begins: let the coroutine that waits for data have what this one came to."""
        return 0 if self._reading is None else self._reading.settle()

    cdef int _failed(self, object error) except -1:
        """User code raised: report it once, and destroy the stream whose event it was."""
        LoopEmitter._failed(self, error)
        self._destroy_stream(None)
        return 0

    cdef int _push(self, bytes chunk) except -1:
        """Data has come."""
        cdef object data = chunk
        if self._decoder is not None:
            data = self._decoder.decode(chunk)
            if not data:
                return 0
        elif self._flowing == FLOWING and self._readable_length == 0 and self._readable_ended == 0:
            # The common case: straight to the listeners, as in _add_chunk().
            if self._data_listener is not None and not watching:
                result = call_stored_with(self._data_listener, self, chunk)
                if result is not None and result is not True and result is not False:
                    self._returned(result, "data", chunk)
                return 0
            if self.emit1("data", chunk):
                return 0
        if self._reading is not None:
            return self._push_to_reader(data)
        self._add_chunk(data, False)
        if self._readable_length >= self._readable_high_water_mark and self._readable_length > 0:
            self._stop_reading()
        return 0

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_END:
            self._emit_end()
        elif step == STEP_CALL:
            callback, arguments = <tuple>argument
            callback(*arguments)
        elif step == STEP_FILL:
            # What was put back asks for more, as what comes does.
            if not self._readable_ended and self._readable_length < self._readable_high_water_mark:
                self._read(0, False)
        return 0

    cdef int _step_owed(self, int step, object argument) except -1:
        if step == STEP_CALL:
            # Of policy in Python, which looks for itself whether it is still meant.
            return self._step(step, argument)
        return 0

    cdef int _push_to_reader(self, object data) except -1:
        """Data has come that a coroutine waits for."""
        cdef Reader reading = self._reading
        if self._readable_listening or self._flowing == FLOWING:
            self._add_chunk(data, False)
        else:
            self._append(data)
        reading._arrived(data)
        # One that goes on takes it before more can come.
        if reading.is_waiting() and self._readable_length >= self._readable_high_water_mark:
            self._stop_reading()
        return 0

    cdef int _push_end(self) except -1:
        """No more data will come."""
        cdef unsigned int life = self._life
        if self._readable_ended:
            return 0
        if self._decoder is not None:
            text = self._decoder.decode(b"", True)
            if text:
                self._append(text)
        self._readable_ended = True
        self._need_readable = False
        self._emitted_readable = True
        self._emit_readable()
        if self._life != life:
            return 0
        if not self._destroyed:
            self._read(0, False)
        return self._wake_reader()

    cdef int _give_up_reading(self) except -1:
        """There is no such side: nothing will come, as after 'end'."""
        self._readable_side = False
        self._readable_ended = self._end_emitted = True
        return 0

    cdef int _reset_readable(self) except -1:
        """Begin a new life: listeners, encoding and flowing state stay (rule 2.14.1)."""
        self._buffer = None
        self._offset = 0
        self._readable_length = 0
        if self._encoding is not None:
            self._decoder = new_decoder(self._encoding)
        self._errored = None
        self._end_scheduled = False
        self._readable_ended = self._end_emitted = not self._readable_side
        # Whoever listens still waits for the first data.
        self._need_readable = self._flowing == FLOWING or self._readable_listening
        self._emitted_readable = False
        self._awaited = self._error_heard = False
        self._destroyed = self._broken = self._close_emitted = False
        return 0

    # === Private ===

    cdef int _wake_reader(self) except -1:
        """Let the coroutine that waits for data look again."""
        return 0 if self._reading is None else self._reading.wake()

    cdef int _append(self, object chunk) except -1:
        if self._buffer is None:
            self._buffer = deque()
        self._buffer.append(chunk)
        self._readable_length += len(chunk)
        return 0

    cdef int _add_chunk(self, object chunk, bint in_front) except -1:
        # What is put back before anything could be read keeps its place behind 'resume', as in Node.
        if (self._flowing == FLOWING and self._readable_length == 0 and self._reading_begun
                and self.has_listeners("data")):
            self.emit1("data", chunk)
            return 0
        if in_front:
            if self._buffer is None:
                self._buffer = deque()
            elif self._offset:
                self._buffer[0] = self._buffer[0][self._offset:]
                self._offset = 0
            self._buffer.appendleft(chunk)
            self._readable_length += len(chunk)
        else:
            self._append(chunk)
        if self._need_readable:
            self._emit_readable_later()
        return 0

    cdef Py_ssize_t _how_much(self, Py_ssize_t count, bint everything) noexcept:
        if everything:
            if self._flowing == FLOWING and self._readable_length:
                return len(self._buffer[0]) - self._offset
            return self._readable_length
        if count <= self._readable_length:
            return count
        return self._readable_length if self._readable_ended else 0

    cdef object _read(self, Py_ssize_t count, bint everything):
        cdef Py_ssize_t size
        cdef object taken = None
        if count > self._readable_high_water_mark:
            self._readable_high_water_mark = _next_power_of_two(count)
        if everything or count:
            self._emitted_readable = False
        elif self._need_readable and (
            self._readable_ended or self._readable_length >= max(self._readable_high_water_mark, 1)
        ):
            if self._readable_length == 0:
                self._end_readable()
            else:
                self._emit_readable_later()
            return None
        size = self._how_much(count, everything)
        if size == 0 and self._readable_ended:
            if self._readable_length == 0:
                self._end_readable()
            return None
        if not self._readable_ended and not self._destroyed and self._errored is None and (
            self._need_readable or self._readable_length == 0
            or self._readable_length - size < self._readable_high_water_mark
        ):
            if self._readable_length == 0:
                self._need_readable = True
            self._reading_begun = True
            self._start_reading()
        if size > 0:
            taken = self._take(size)
            self._readable_length -= size
        else:
            self._need_readable = self._readable_length <= self._readable_high_water_mark
        if self._readable_length == 0:
            if not self._readable_ended:
                self._need_readable = True
            elif everything or count != size:
                self._end_readable()
        if taken is not None and self._errored is None and not self._close_emitted:
            self.emit1("data", taken)
        return taken

    cdef object _take(self, Py_ssize_t count):
        """The first `count` bytes (characters) of the buffer, of which there are so many."""
        cdef object first = self._buffer[0]
        cdef Py_ssize_t available = len(first) - self._offset
        if count < available:
            taken = first[self._offset:self._offset + count]
            self._offset += count
            return taken
        self._buffer.popleft()
        if self._offset:
            first = first[self._offset:]
            self._offset = 0
        if count == available:
            return first
        parts = [first]
        count -= available
        while count > 0:
            first = self._buffer[0]
            if len(first) > count:
                parts.append(first[:count])
                self._offset = count
                break
            parts.append(self._buffer.popleft())
            count -= len(first)
        return ("" if isinstance(parts[0], str) else b"").join(parts)

    cdef bint _is_taken_quietly(self, Py_ssize_t rest) noexcept:
        """Whether taking so much that `rest` is left, which is not nothing, is all that _read() would do."""
        return not self._readable_listening and not self.has_listeners("data") and (
            rest >= self._readable_high_water_mark or self._readable_ended or self._destroyed
            or self._is_reading()
        )

    cdef int _end_readable(self) except -1:
        if not self._end_emitted and not self._end_scheduled:
            self._end_scheduled = True
            self._later(STEP_END, None)
        return 0

    cdef int _emit_end(self) except -1:
        cdef unsigned int life = self._life
        self._end_scheduled = False
        if (self._readable_ended and not self._end_emitted and self._readable_length == 0
                and self._errored is None and not self._destroyed):
            self._end_emitted = True
            self.emit0("end")
            if self._life == life:
                self._after_end()
        return 0


cdef Py_ssize_t _next_power_of_two(Py_ssize_t count) noexcept:
    cdef Py_ssize_t power = 1
    while power < count:
        power *= 2
    return power
