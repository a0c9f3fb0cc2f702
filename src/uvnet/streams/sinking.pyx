"""Reading by `await`, into a file: for as long as the system moves what comes."""

cimport cython

from uvnet._stream.file_sink cimport FileSink
from uvnet.streams.readable cimport RELAY_FROM, Readable
from uvnet.streams.reading cimport StreamReader


@cython.final
cdef class SinkReader(StreamReader):
    """What the sink asks for, or less: where anything else came between, or must be read in another way."""

    cdef FileSink sink
    cdef bint tried

    cdef str _what_was_called(self):
        return "Socket.receive_file"

    cdef int _given_up(self) except -1:
        self._leave()
        return StreamReader._given_up(self)

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        if self.sink.is_attached():
            return False
        if self.tried or stream._readable_length or stream._readable_ended or stream._destroyed:
            return True
        self.tried = True
        # Starts reading; what that meets may destroy the stream.
        stream._read(0, True)
        return not stream._start_sink(self.sink)

    cdef int _leave(self) except -1:
        if self.sink.is_attached():
            self.stream._leave_relays(RELAY_FROM)
        return 0


def move_to_file(Readable stream not None, FileSink sink not None):
    """Await until the file has got what begin() has said, or what it could; where nothing is read it is at once."""
    cdef SinkReader self
    stream.record.check()
    self = SinkReader.__new__(SinkReader)
    self.record = stream.record
    self.stream = stream
    self.sink = sink
    return self
