"""`async for line in socket.lines()`.  asyncio: "StreamReader.readline()".

Unlike what iterates over chunks it leaves the stream as it is when it is dropped: a head of lines is followed by
a body.
"""

cimport cython
from cpython.object cimport PyObject

from uvnet.streams.readable cimport Readable
from uvnet.streams.reading cimport check_count
from uvnet.streams.separating cimport UntilReader

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *object)


@cython.final
cdef class LineReader(UntilReader):
    """The next line, or StopAsyncIteration after the last."""

    cdef str _what_was_called(self):
        return "LineIterator.__anext__"

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        if self.life != stream._life:
            # What comes now is another connection's.
            return self._stop()
        self.result = self._take_quietly(b"\n", not self.keeps_ends)
        if self.result is not None:
            return True
        if not UntilReader._take(self):
            return False
        if not self.keeps_ends:
            self.result = _without_end(self.result)
        return True

    cdef bint _end_came(self) except -1:
        cdef Readable stream = self.stream
        if stream._destroyed:
            return self._stop()
        self.result = stream._read(0, True)
        return True if self.result is not None else self._stop()

    cdef bint _stop(self) except -1:
        raise StopAsyncIteration


cdef object _without_end(object line):
    if isinstance(line, str):
        return line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")
    return line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")


cdef class LineIterator:
    """Lines of a stream until its end; raises what the stream was destroyed with."""

    def __cinit__(self, Readable stream not None, limit, keep_ends):
        stream.record.check()
        self.limit = check_count(limit, "limit", 1)
        self.keeps_ends = bool(keep_ends)
        self.stream = stream
        self.life = stream._life

    def __aiter__(self):
        return self

    def __anext__(self):
        cdef LineReader reader
        self.stream.record.check_thread()
        reader = self.reader
        if reader is None or Py_REFCNT(<PyObject *>reader) > 2 or not reader.over:
            return self._new_reader()
        # Nobody else has it: that of the line before is as good as a new one, and there may be many lines.
        reader.over = reader.begun = reader.settled = False
        return reader

    cdef LineReader _new_reader(self):
        cdef LineReader reader = LineReader.__new__(LineReader)
        reader.record = self.stream.record
        reader.stream = self.stream
        reader.life = self.life
        reader.keeps_ends = self.keeps_ends
        reader.given = b"\n"
        reader.limit = self.limit
        self.reader = reader
        return reader
