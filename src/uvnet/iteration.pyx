"""`async for chunk in socket`.

What is there already is given without a trip through the loop; otherwise the next chunk goes straight from the
read callback into the future that waits for it.  Node: "readable[Symbol.asyncIterator]()"; rule 3.5.
"""

from uvnet._core.record cimport PyThread_get_thread_ident
from uvnet.readable cimport NOT_FLOWING, Readable


cdef class _Ready:
    # An awaitable that is done.
    cdef object value

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration(self.value)


cdef class ChunkIterator:
    """Chunks of a stream until its end.

    Raises what the stream was destroyed with; ends quietly at EOF and where it was destroyed without an
    error.  Dropped before the end, it destroys the stream quietly (decision 17).
    """

    def __init__(self, Readable stream not None):
        stream.record.check()
        stream._own_reading()
        self.stream = stream
        stream._iterated = True
        stream._flowing = NOT_FLOWING

    def __aiter__(self):
        return self

    def __anext__(self):
        cdef Readable stream = self.stream
        cdef _Ready ready
        if stream._waiter is not None:
            raise RuntimeError("another coroutine is already waiting for data from this socket")
        stream.record.check()
        chunk = None if stream._destroyed else stream._read(0, True)
        if chunk is not None:
            ready = _Ready.__new__(_Ready)
            ready.value = chunk
            return ready
        if stream._destroyed or stream._readable_ended:
            return self._end()
        stream._waiter = stream.record.loop.create_future()
        return self._wait(stream._waiter)

    async def _wait(self, future):
        cdef Readable stream = self.stream
        try:
            chunk = await future
        except BaseException:
            # Cancelled: what has been handed over already must not be lost.
            if stream._waiter is future:
                stream._waiter = None
            if future.done() and not future.cancelled() and future.result() is not None:
                stream._add_chunk(future.result(), True)
            raise
        if chunk is None:
            self._finish()
            raise StopAsyncIteration
        return chunk

    async def _end(self):
        self._finish()
        raise StopAsyncIteration

    def _finish(self):
        self.finished = True
        if self.stream._destroyed and self.stream._errored is not None:
            raise self.stream._errored

    def __del__(self):
        # Without a stream it never began: its constructor raised.
        if (self.stream is not None and not self.finished and not self.stream._destroyed
                and not self.stream.record.closed):
            if PyThread_get_thread_ident() == self.stream.record.hold.thread_id:
                self.stream._destroy_stream(None)
            else:
                # Collected elsewhere: the socket belongs to its loop's thread.
                self.stream.record.loop.call_soon_threadsafe(self.stream.destroy)
