"""Reading by `await`: all up to a separator, or to the first of several."""

from asyncio import LimitOverrunError

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from uvnet._stream.write_request cimport as_chunk
from uvnet.streams.readable cimport Readable
from uvnet.streams.reading cimport StreamReader, check_count, incomplete, taken

from uvnet.errors.codes import invalid_type, invalid_value
from uvnet.streams.encoding import encode, new_decoder

cdef extern from "string.h" nogil:
    void *memchr(const void *where, int byte, size_t size)
    void *memmem(const void *where, size_t size, const void *what, size_t length)

cdef enum:
    FIRST_WINDOW = 256            # bytes that are searched for each of several separators, before more are


cdef class UntilReader(StreamReader):
    """Everything up to a separator, with it."""

    cdef str _what_was_called(self):
        return "Socket.read_until"

    cdef int _prepare(self) except -1:
        """Search from the start of the buffer."""
        self.searched = self.end = 0
        self.tail = None
        if not isinstance(self.given, list):
            self.separator = self._as_delivered(self.given)
            self.length = self.longest = len(self.separator)
            return 0
        self.separators = []
        self.longest = 0
        for separator in self.given:
            separator = self._as_delivered(separator)
            self.separators.append(separator)
            self.longest = max(self.longest, <Py_ssize_t>len(separator))
        return 0

    cdef object _as_delivered(self, object separator):
        cdef Readable stream = self.stream
        if stream._decoder is None:
            return encode(separator, "utf8") if isinstance(separator, str) else separator
        if isinstance(separator, str):
            return separator
        return new_decoder(stream._encoding).decode(separator, True)

    cdef Py_ssize_t _find_end(self, object chunk, Py_ssize_t start) except -2:
        """Where the separator ends that ends first in chunk[start:], with its `length`; -1 for nowhere."""
        cdef Py_ssize_t place
        if self.separators is not None:
            return self._find_first_end(chunk, start)
        place = _find(chunk, self.separator, start, len(chunk))
        return -1 if place < 0 else place + self.length

    cdef Py_ssize_t _find_first_end(self, object chunk, Py_ssize_t start) except -2:
        # In growing windows: one that is nowhere near is not to be looked for in the whole chunk each time.
        cdef Py_ssize_t stop = start
        cdef Py_ssize_t whole = len(chunk)
        cdef Py_ssize_t window = FIRST_WINDOW
        cdef Py_ssize_t first = -1
        cdef Py_ssize_t place
        while stop < whole and first < 0:
            start = max(start, stop - self.longest + 1)
            stop = min(stop + window, whole)
            window *= 2
            for separator in self.separators:
                place = _find(chunk, separator, start, stop if first < 0 else first - 1)
                if place >= 0:
                    first = place + len(separator)
                    self.length = len(separator)
        return first

    cdef bint _search(self, object chunk, Py_ssize_t start) except -1:
        """Look for a separator in chunk[start:], which follows what has been searched."""
        cdef Py_ssize_t end
        cdef Py_ssize_t held = 0
        if self.tail is not None:
            # A separator may begin in what came before.
            held = len(self.tail)
            chunk = self.tail + (chunk[start:] if start else chunk)
            start = 0
        end = self._find_end(chunk, start)
        if end >= 0:
            self.end = self.searched - held + end - start
            return True
        self.searched += len(chunk) - start - held
        if self.longest > 1:
            self.tail = chunk[max(<Py_ssize_t>len(chunk) - self.longest + 1, start):]
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
        return self.searched - self.longest + 1 > self.limit

    cdef int _arrived(self, object chunk) except -1:
        if not self.is_waiting():
            return 0
        if self._search(chunk, 0) or self._is_too_long():
            return self.wake()
        return self._make_room()

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        if PyBytes_CheckExact(self.given):
            self.result = self._take_quietly(self.given, False)
            if self.result is not None:
                return True
        while not self._is_dropped():
            if self._search_all():
                if self.end - self.length > self.limit:
                    raise LimitOverrunError(
                        f"the separator comes after more than {self.limit}", self.end - self.length
                    )
                self.result = taken(stream, self.end)
                return True
            if self._is_too_long():
                raise LimitOverrunError(
                    f"no separator within {self.limit}", self.searched - self.longest + 1
                )
            if stream._destroyed or stream._readable_ended:
                break
            self._make_room()
            stream._read(0, False)
            if not stream._destroyed:
                return False
        self._is_over()
        return self._end_came()

    cdef object _take_quietly(self, bytes separator, bint cut_line_end):
        """What lies within the first chunk, before its end; None where it is none, or where somebody listens.

        That is how most of many go, so it is worth a way of its own.
        """
        cdef Readable stream = self.stream
        cdef const char *base
        cdef const char *found
        cdef Py_ssize_t length
        if stream._readable_length == 0 or self._is_dropped():
            return None
        chunk = stream._buffer[0]
        if not PyBytes_CheckExact(chunk):
            return None
        base = PyBytes_AS_STRING(chunk) + stream._offset
        length = PyBytes_GET_SIZE(chunk) - stream._offset
        if PyBytes_GET_SIZE(separator) == 1:
            found = <const char *>memchr(base, PyBytes_AS_STRING(separator)[0], length)
        else:
            found = <const char *>memmem(base, length, PyBytes_AS_STRING(separator), PyBytes_GET_SIZE(separator))
        if found is NULL or found - base > self.limit or found - base + PyBytes_GET_SIZE(separator) == length:
            return None
        length = found - base + PyBytes_GET_SIZE(separator)
        if not stream._is_taken_quietly(stream._readable_length - length):
            return None
        stream._offset += length
        stream._readable_length -= length
        if cut_line_end:
            length -= 2 if length > 1 and found[-1] == b"\r" else 1
        return PyBytes_FromStringAndSize(base, length)

    cdef bint _end_came(self) except -1:
        if self.separators is None:
            wanted = f"the separator {self.separator!r}"
        else:
            wanted = f"one of the separators {', '.join(map(repr, self.separators))}"
        raise incomplete(self.stream, None, wanted)


cdef Py_ssize_t _find(object chunk, object separator, Py_ssize_t start, Py_ssize_t stop) except -2:
    """Where `separator` begins in chunk[start:stop]; -1 for nowhere."""
    cdef const char *base
    cdef const char *found
    if not PyBytes_CheckExact(chunk) or not PyBytes_CheckExact(separator):
        return chunk.find(separator, start, stop)
    if stop <= start:
        return -1
    base = PyBytes_AS_STRING(chunk)
    found = <const char *>memmem(
        base + start, stop - start, PyBytes_AS_STRING(separator), PyBytes_GET_SIZE(separator)
    )
    return -1 if found is NULL else found - base


cdef object _check_separator(object separator):
    """One separator as bytes or str."""
    if not PyBytes_CheckExact(separator) and not isinstance(separator, str):
        data = as_chunk(separator)
        if data is None:
            raise invalid_type("separator", "of type str, a bytes-like object, or a tuple of such", separator)
        separator = bytes(data)
    if not separator:
        raise invalid_value("separator", separator, "must not be empty")
    return separator


def read_until(Readable stream not None, separator, limit):
    """The body of socket.read_until()."""
    cdef UntilReader self
    cdef list separators
    stream.record.check()
    if not isinstance(separator, tuple):
        separator = _check_separator(separator)
    elif not separator:
        raise invalid_value("separator", separator, "must not be empty")
    else:
        separators = []
        for one in separator:
            separators.append(_check_separator(one))
        separators.sort(key=len)
        separator = separators
    check_count(limit, "limit", 1)
    self = UntilReader.__new__(UntilReader)
    self.record = stream.record
    self.stream = stream
    self.given = separator
    self.limit = limit
    return self
