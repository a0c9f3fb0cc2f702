"""Reading by `await`: whatever is there, and everything until the end."""

cimport cython

from asyncio import LimitOverrunError

from uvnet.streams.readable cimport Readable
from uvnet.streams.reading cimport LARGEST_READ, StreamReader, check_count, incomplete, taken


@cython.final
cdef class NextReader(StreamReader):
    """What has come, at most `limit` bytes, or characters after set_encoding(); nothing at the end."""

    cdef Py_ssize_t limit

    cdef str _what_was_called(self):
        return "Socket.receive"

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        if stream._readable_length and not self._is_dropped():
            if stream._readable_length <= self.limit:
                self.result = stream._read(0, True)
            else:
                self.result = taken(stream, self.limit)
            return True
        # Starts reading; what that meets may destroy the stream.
        stream._read(0, True)
        if not self._is_over():
            return False
        self.result = taken(stream, 0)
        return True


@cython.final
cdef class AllReader(StreamReader):
    """Everything until the end."""

    cdef Py_ssize_t limit

    cdef str _what_was_called(self):
        return "Socket.read_all"

    cdef int _arrived(self, object chunk) except -1:
        if self.stream._readable_length > self.limit:
            return self.wake()
        return self._make_room()

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        if not stream._destroyed and not stream._readable_ended and stream._readable_length <= self.limit:
            self._make_room()
            stream._read(0, False)
        if not self._is_dropped() and stream._readable_length > self.limit:
            raise LimitOverrunError(f"more than {self.limit} come before the end", stream._readable_length)
        if not self._is_over():
            return False
        if not stream._readable_ended:
            raise incomplete(stream, None, "the end")
        self.result = stream._read(0, True)
        if self.result is None:
            self.result = taken(stream, 0)
        return True


def receive(Readable stream not None, limit):
    """The body of socket.receive()."""
    cdef NextReader self
    stream.record.check()
    if limit is None:
        limit = LARGEST_READ
    check_count(limit, "limit", 1)
    self = NextReader.__new__(NextReader)
    self.record = stream.record
    self.stream = stream
    self.limit = limit
    return self


def read_all(Readable stream not None, limit):
    """The body of socket.read_all()."""
    cdef AllReader self
    stream.record.check()
    check_count(limit, "limit", 0)
    self = AllReader.__new__(AllReader)
    self.record = stream.record
    self.stream = stream
    self.limit = limit
    return self
