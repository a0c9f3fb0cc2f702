"""Reading by `await`: what all ways to do so have in common, and exactly so many bytes.

What is wanted stays in the stream's buffer until there is enough of it, so that giving up loses nothing.  The
coroutine goes on only then, not once a chunk.  Node: "readable.read([size])".
"""

cimport cython

from asyncio import IncompleteReadError

from uvnet.events.waiter cimport Reader
from uvnet.streams.readable cimport NOT_FLOWING, Readable

from uvnet.errors.codes import being_read, invalid_type, out_of_range


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

    cdef bint _is_dropped(self) noexcept:
        """Whether an error has ended the stream that is no failure of the connection: then nothing is given out."""
        cdef Readable stream = self.stream
        return stream._destroyed and stream._errored is not None and not stream._broken

    cdef int _make_room(self) except -1:
        """Reading must not stop before there is enough."""
        cdef Readable stream = self.stream
        if stream._readable_high_water_mark <= stream._readable_length:
            stream._readable_high_water_mark = 2 * stream._readable_length
        return 0


cdef object taken(Readable stream, Py_ssize_t count):
    """The first `count` bytes (characters) of the buffer."""
    if count:
        return stream._read(count, False)
    return b"" if stream._decoder is None else ""


cdef object incomplete(Readable stream, object expected, str wanted):
    """The error for an end that came too early; it has what is left."""
    cause = "the end came" if stream._readable_ended else "the socket was destroyed"
    partial = taken(stream, stream._readable_length)
    if not stream._destroyed:
        # 'end' follows.
        stream._read(0, True)
    error = IncompleteReadError(partial, expected)
    unit = "bytes" if stream._decoder is None else "characters"
    # asyncio's own words are of a number that is expected.
    error.args = (f"{cause} after {len(partial)} {unit}, before {wanted}",)
    return error


cdef Py_ssize_t check_count(object value, str name, Py_ssize_t least) except -1:
    """A number of bytes or characters to read; raises TypeError or ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid_type(name, "of type int", value)
    if not least <= value <= LARGEST_READ:
        raise out_of_range(name, f">= {least} and <= {LARGEST_READ}", value)
    return value


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
        if stream._readable_length < self.count or self._is_dropped():
            if not self._is_over():
                return False
            if stream._readable_length < self.count:
                raise incomplete(stream, self.count, f"there were {self.count}")
        self.result = taken(stream, self.count)
        return True


def read_exactly(Readable stream not None, count):
    """The body of socket.read_exactly()."""
    cdef ExactReader self
    stream.record.check()
    check_count(count, "count", 0)
    self = ExactReader.__new__(ExactReader)
    self.record = stream.record
    self.stream = stream
    self.count = count
    return self
