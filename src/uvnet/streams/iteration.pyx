"""`async for chunk in socket`.  Node: "readable[Symbol.asyncIterator]()"; rule 3.5."""

cimport cython

from uvnet._loop.record cimport PyThread_get_thread_ident
from uvnet.streams.readable cimport NOT_FLOWING, Readable
from uvnet.streams.reading cimport StreamReader


cdef class ChunkIterator:
    """Chunks of a stream until its end.

    Raises what the stream was destroyed with; ends quietly at EOF and where it was destroyed without an
    error.  Dropped before the end, it destroys the stream quietly (decision 17).
    """

    def __cinit__(self, Readable stream not None):
        stream.record.check()
        stream._own_reading()
        self.stream = stream
        self.life = stream._life
        stream._awaited = True
        stream._flowing = NOT_FLOWING

    def __aiter__(self):
        return self

    def __anext__(self):
        cdef ChunkReader reader = ChunkReader.__new__(ChunkReader)
        self.stream.record.check_thread()
        reader.record = self.stream.record
        reader.stream = self.stream
        reader.iterator = self
        return reader

    def __del__(self):
        # Without a stream it never began: making it raised.
        if (self.stream is not None and not self.finished and not self.stream._destroyed
                and self.life == self.stream._life and not self.stream.record.closed):
            if PyThread_get_thread_ident() == self.stream.record.hold.thread_id:
                self.stream._destroy_stream(None)
            else:
                # Collected elsewhere: the socket belongs to its loop's thread.
                self.stream.record.loop.call_soon_threadsafe(_destroy, self.stream)


def _destroy(Readable stream not None):
    stream._destroy_stream(None)


@cython.final
cdef class ChunkReader(StreamReader):
    """The next chunk, or StopAsyncIteration after the last."""

    cdef str _what_was_called(self):
        return "ChunkIterator.__anext__"

    cdef bint _take(self) except -1:
        cdef Readable stream = self.stream
        if self.iterator.life != stream._life:
            # What comes now is another connection's.
            self.iterator.finished = True
            raise StopAsyncIteration
        self.result = None if stream._destroyed and not stream._broken else stream._read(0, True)
        if self.result is not None:
            return True
        if not self._is_over():
            return False
        self.iterator.finished = True
        raise StopAsyncIteration
