from libc.stdint cimport uint64_t

from uvnet._loop.handle cimport Handle
from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream_events cimport StreamEvents
from uvnet._stream.write_request cimport WriteRequest, chunk_length
from uvnet._uv.table cimport uv_stream_t

cdef class Writer

# What tell_owner() calls; an exception goes to the owner's on_failed.
ctypedef int (*stream_event)(Writer stream, object owner, void *what, ssize_t number) except -1

cdef class Writer(Handle):
    cdef const StreamEvents *events
    # What writes of this dispatch have gathered: one chunk, and only if there is more, a request.
    cdef object gathered_chunk
    cdef WriteRequest gathered
    cdef void *next_gathering        # that list; borrowed

    cdef inline uv_stream_t *uv_stream(self) noexcept:
        return <uv_stream_t *>self.uv_handle

    cdef size_t unsent(self) noexcept
    cdef size_t queued(self) noexcept
    cdef bint gets_on(self, uint64_t *sent) noexcept
    cdef WriteRequest gather(self)
    cdef int _send_chunk(self) except -1
    cdef WriteRequest send_chunk(self, object chunk)
    cdef ssize_t _try_chunk(self, object chunk) noexcept
    cdef WriteRequest _rest_of_chunk(self, object chunk, ssize_t sent)
    cdef WriteRequest _send_gathered(self, WriteRequest request)
    cdef int _flush_gathered(self) except -1
    cdef int send(self, WriteRequest request) except -1
    cdef int shutdown(self) except? 1
    cdef void _unlink_behind(self) noexcept
    cdef int _queue(self, WriteRequest request) except -1
    cdef int _sent(self, WriteRequest request, ssize_t sent) except -1
    cdef int _fail(self, WriteRequest request, int status) except -1

    # Inline, as every message passes here.

    cdef inline Py_ssize_t gather_chunk(self, object chunk) except -1:
        """Add a chunk to what goes out when the dispatch ends; how many bytes that is by then."""
        if not self.block.gathering:
            self._link()
            self.gathered_chunk = chunk
        elif self.gathered is None and self.gathered_chunk is None:
            self.gathered_chunk = chunk
        else:
            self.gather().add(chunk)
            return self.gathered.length
        return chunk_length(chunk)

    cdef inline size_t gathered_length(self) noexcept:
        """Bytes gathered."""
        if self.gathered is not None:
            return self.gathered.length
        return 0 if self.gathered_chunk is None else chunk_length(self.gathered_chunk)

    cdef inline int flush(self) except -1:
        """Send what was gathered now; the owner hears of what could not be sent at once."""
        if self.block is NULL or not self.block.gathering:
            return 0
        self._unlink()
        return self._send_chunk() if self.gathered is None else self._flush_gathered()

    cdef inline void _link(self) noexcept:
        cdef LoopRecord record = self.record
        self.block.gathering = True
        self.next_gathering = record.first_gathering
        record.first_gathering = <void *>self
        if record.depth == 0:
            record.wake(record)

    cdef inline void _unlink(self) noexcept:
        self.block.gathering = False
        if self.record.first_gathering is <void *>self:
            self.record.first_gathering = self.next_gathering
        else:
            self._unlink_behind()
        self.next_gathering = NULL

# For tell_owner().
cdef int tell_written(Writer self, object owner, void *request, ssize_t number) except -1
cdef int tell_shutdown(Writer self, object owner, void *what, ssize_t status) except -1

cdef void tell_failed(Writer stream, object owner, object error) noexcept
cdef void tell_owner(Writer stream, stream_event event, void *what, ssize_t number) noexcept
