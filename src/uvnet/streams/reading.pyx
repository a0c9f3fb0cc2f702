"""Reading by `await`: exactly so many bytes, or all up to a separator.

What is wanted stays in the stream's buffer until there is enough of it, so that giving up loses nothing.  The
coroutine goes on only then, not once a chunk.  Node: "readable.read([size])".
"""

cimport cython

from asyncio import IncompleteReadError, LimitOverrunError

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE

from uvnet._stream.write_request cimport as_chunk
from uvnet.events.waiter cimport Reader
from uvnet.streams.readable cimport NOT_FLOWING, Readable

from uvnet.errors.codes import being_read, invalid_type, invalid_value, out_of_range
from uvnet.streams.encoding import encode, new_decoder

cdef extern from "string.h" nogil:
    void *memmem(const void *where, size_t size, const void *what, size_t length)

cdef enum:
    LARGEST_READ = 0x40000000     # bytes; the limit of read(size)


cdef class StreamReader(Reader):
    """What reads from a stream."""

    cdef int _begin(self) except -1:
        cdef Readable stream = self.stream
        cdef Reader other = stream._reading
        stream.record.check()
        if other is not None and other is not self:
            raise being_read()
        if not self.begun:
            self.begun = True
            stream._own_reading()
            stream._awaited = True
            stream._flowing = NOT_FLOWING
        stream._reading = self
        return 0

    cdef bint _advance(self) except -1:
        cdef Readable stream = self.stream
        self._begin()
        stream._reading = None
        if self._take():
            return True
        stream._reading = self
        return False

    cdef int _given_up(self) except -1:
        if self.stream._reading is self:
            self.stream._reading = None
        return 0

    cdef bint _take(self) except -1:
        return True

    cdef bint _is_over(self) except -1:
        """No more data will come; raises what the stream was destroyed with."""
        cdef Readable stream = self.stream
        if stream._destroyed and stream._errored is not None:
            stream._error_heard = True
            raise stream._errored
        return stream._destroyed or stream._readable_ended


cdef object _taken(Readable stream, Py_ssize_t count):
    """The first `count` bytes (characters) of the buffer."""
    if count:
        return stream._read(count, False)
    return b"" if stream._decoder is None else ""


cdef object _incomplete(Readable stream, object expected, str wanted):
    """The error for an end that came too early; it has what is left."""
    cause = "the end came" if stream._readable_ended else "the socket was destroyed"
    partial = _taken(stream, stream._readable_length)
    if not stream._destroyed:
        # 'end' follows.
        stream._read(0, True)
    error = IncompleteReadError(partial, expected)
    unit = "bytes" if stream._decoder is None else "characters"
    # asyncio's own words are of a number that is expected.
    error.args = (f"{cause} after {len(partial)} {unit}, before {wanted}",)
    return error


@cython.final
cdef class ExactReader(StreamReader):
    """Exactly `count` bytes, or characters after set_encoding()."""

    cdef Py_ssize_t count

    cdef str _what_was_called(self):
        return "Socket.read_exactly"

    cdef int _arrived(self, object chunk) except -1:
        return self.wake() if self.stream._readable_length >= self.count else 0

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        if not stream._destroyed and stream._readable_length < self.count and not stream._readable_ended:
            # Starts reading, with room for as much; what that meets may destroy the stream.
            stream._read(self.count, False)
        if stream._readable_length < self.count or stream._errored is not None:
            if not self._is_over():
                return False
            if stream._readable_length < self.count:
                raise _incomplete(stream, self.count, f"there were {self.count}")
        self.result = _taken(stream, self.count)
        return True


def read_exactly(Readable stream not None, count):
    """The body of socket.read_exactly()."""
    cdef ExactReader self
    stream.record.check()
    if not isinstance(count, int) or isinstance(count, bool):
        raise invalid_type("count", "of type int", count)
    if not 0 <= count <= LARGEST_READ:
        raise out_of_range("count", f">= 0 and <= {LARGEST_READ}", count)
    self = ExactReader.__new__(ExactReader)
    self.record = stream.record
    self.stream = stream
    self.count = count
    return self


@cython.final
cdef class UntilReader(StreamReader):
    """Everything up to a separator, with it."""

    cdef object given            # the separator as it was given: bytes or str
    cdef object separator        # as what the stream delivers
    cdef Py_ssize_t length       # of the separator
    cdef Py_ssize_t limit
    cdef Py_ssize_t searched     # bytes (characters) from the start of the buffer
    cdef Py_ssize_t end          # where the separator ends; 0 until it has come
    cdef object tail             # the last that was searched, shorter than the separator

    cdef str _what_was_called(self):
        return "Socket.read_until"

    cdef int _prepare(self) except -1:
        """Search from the start of the buffer."""
        cdef Readable stream = self.stream
        self.searched = self.end = 0
        self.tail = None
        if stream._decoder is None:
            self.separator = encode(self.given, "utf8") if isinstance(self.given, str) else self.given
        elif isinstance(self.given, str):
            self.separator = self.given
        else:
            self.separator = new_decoder(stream._encoding).decode(self.given, True)
        self.length = len(self.separator)
        return 0

    cdef bint _search(self, object chunk, Py_ssize_t start) except -1:
        """Look for the separator in chunk[start:], which follows what has been searched."""
        cdef Py_ssize_t place
        cdef Py_ssize_t held = 0
        if self.tail is not None:
            # The separator may begin in what came before.
            held = len(self.tail)
            chunk = self.tail + (chunk[start:] if start else chunk)
            start = 0
        place = _find(chunk, self.separator, start)
        if place >= 0:
            self.end = self.searched - held + place - start + self.length
            return True
        self.searched += len(chunk) - start - held
        if self.length > 1:
            self.tail = chunk[max(<Py_ssize_t>len(chunk) - self.length + 1, start):]
        return False

    cdef bint _search_all(self) except -1:
        cdef Readable stream = self.stream
        cdef Py_ssize_t start = stream._offset
        self._prepare()
        if stream._readable_length:
            for chunk in stream._buffer:
                if self._search(chunk, start):
                    return True
                start = 0
        return False

    cdef bint _is_too_long(self) noexcept:
        return self.searched - self.length + 1 > self.limit

    cdef int _arrived(self, object chunk) except -1:
        if not self.is_waiting():
            return 0
        if self._search(chunk, 0) or self._is_too_long():
            return self.wake()
        return self._make_room()

    cdef int _make_room(self) except -1:
        # Reading must not stop before the limit.
        cdef Readable stream = self.stream
        if stream._readable_high_water_mark <= stream._readable_length:
            stream._readable_high_water_mark = 2 * stream._readable_length
        return 0

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        while not (stream._destroyed and stream._errored is not None):
            if self._search_all():
                if self.end - self.length > self.limit:
                    raise LimitOverrunError(
                        f"the separator comes after more than {self.limit}", self.end - self.length
                    )
                self.result = _taken(stream, self.end)
                return True
            if self._is_too_long():
                raise LimitOverrunError(
                    f"no separator within {self.limit}", self.searched - self.length + 1
                )
            if stream._destroyed or stream._readable_ended:
                break
            self._make_room()
            stream._read(0, False)
            if not stream._destroyed:
                return False
        self._is_over()
        raise _incomplete(stream, None, f"the separator {self.separator!r}")


cdef Py_ssize_t _find(object chunk, object separator, Py_ssize_t start) except -2:
    """Where `separator` begins in `chunk`, not before `start`; -1 for nowhere."""
    cdef const char *base
    cdef const char *found
    if not PyBytes_CheckExact(chunk) or not PyBytes_CheckExact(separator):
        return chunk.find(separator, start)
    base = PyBytes_AS_STRING(chunk)
    found = <const char *>memmem(
        base + start, PyBytes_GET_SIZE(chunk) - start, PyBytes_AS_STRING(separator), PyBytes_GET_SIZE(separator)
    )
    return -1 if found is NULL else found - base


def read_until(Readable stream not None, separator, limit):
    """The body of socket.read_until()."""
    cdef UntilReader self
    stream.record.check()
    if not PyBytes_CheckExact(separator) and not isinstance(separator, str):
        data = as_chunk(separator)
        if data is None:
            raise invalid_type("separator", "of type str or a bytes-like object", separator)
        separator = bytes(data)
    if not separator:
        raise invalid_value("separator", separator, "must not be empty")
    if not isinstance(limit, int) or isinstance(limit, bool):
        raise invalid_type("limit", "of type int", limit)
    if not 1 <= limit <= LARGEST_READ:
        raise out_of_range("limit", f">= 1 and <= {LARGEST_READ}", limit)
    self = UntilReader.__new__(UntilReader)
    self.record = stream.record
    self.stream = stream
    self.given = separator
    self.limit = limit
    return self
