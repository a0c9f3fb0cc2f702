"""WriteTransport: gathering, limits and pausing of what a protocol writes.

asyncio: "WriteTransport".
"""

import logging
from asyncio import SendfileNotAvailableError

from cpython.bytes cimport PyBytes_CheckExact

from uvnet._loop.context cimport PyContext_Enter, exit_context
from uvnet._stream.file_request cimport FileRequest, send_file
from uvnet._stream.stream cimport Stream
from uvnet._stream.write_request cimport (
    WRITE_DONE,
    WRITE_FAILED,
    WRITE_WAITING,
    WriteRequest,
    as_chunk,
    chunk_length,
)
from uvnet.errors.system cimport system_error
from uvnet.transports.base_transport cimport HIGH_WATER, TRANSPORT_CLOSING, BaseTransport

from uvnet.errors.codes import buffer_full

cdef enum:
    GATHER_MOST = 65536          # bytes gathered before they are sent at once
    HELD_MOST = 1048576          # bytes that requests may hold, sent or not, until the loop comes to their callbacks
    WRITES_IN_SILENCE = 4        # after the connection is lost; asyncio's number

_log = logging.getLogger("asyncio")


cdef class WriteTransport(BaseTransport):
    """The writing half of a transport; not made by users.  asyncio: "asyncio.WriteTransport"."""

    # === asyncio.WriteTransport ===

    def set_write_buffer_limits(self, high=None, low=None):
        """Bytes that wait to be sent above which pause_writing() is called, and below which resume_writing().

        Raises ValueError unless high >= low >= 0.  asyncio: "WriteTransport.set_write_buffer_limits()".
        """
        self.record.check()
        if high is None:
            high = HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._high = high
        self._low = low
        self._pause_maybe()

    def get_write_buffer_limits(self):
        """(low, high) in bytes.  asyncio: "WriteTransport.get_write_buffer_limits()"."""
        return self._low, self._high

    def get_write_buffer_size(self):
        """Bytes that wait to be sent.  asyncio: "WriteTransport.get_write_buffer_size()"."""
        return self._unsent()

    def write(self, data):
        """Send bytes-like `data` after what was written before; never blocks, never waits.

        Small writes of one turn of the loop go out together.  Raises TypeError for what is not bytes-like,
        RuntimeError after write_eof(), and RuntimeError (ERR_SOCKET_BUFFER_FULL) with the option
        on_max_buffered="raise" where more than max_buffered bytes would wait, and then nothing of it is written.
        asyncio: "WriteTransport.write()".
        """
        self.record.check()
        if not PyBytes_CheckExact(data):
            data = self._chunk(data)
        if self._ended:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._sends:
            raise RuntimeError("unable to write; sendfile is in progress")
        cdef Py_ssize_t length = chunk_length(data)
        if length and not (self._options.max_buffered and self._is_full(length)):
            self._put(data)

    def writelines(self, list_of_data):
        """write() each of several, which go out together.  asyncio: "WriteTransport.writelines()"."""
        cdef Py_ssize_t length = 0
        self.record.check()
        # Cython's comprehension gives an item back twice where there is no memory to append it.
        chunks = list(map(self._chunk, list_of_data))
        if self._ended:
            raise RuntimeError("Cannot call writelines() after write_eof()")
        if self._sends:
            raise RuntimeError("unable to write; sendfile is in progress")
        for chunk in chunks:
            length += chunk_length(chunk)
        if self._options.max_buffered and self._is_full(length):
            return
        # pause_writing() may write: not between them.
        self._has_more = True
        try:
            for chunk in chunks:
                if chunk_length(chunk):
                    self._put(chunk)
        finally:
            self._has_more = False
        self._pause_maybe()

    def write_eof(self):
        """Send the end (FIN) after what was written; reading goes on.  asyncio: "WriteTransport.write_eof()"."""
        self.record.check()
        if self._ended or self._state >= TRANSPORT_CLOSING:
            return
        self._ended = True
        self._hand_over()
        if self._handle is not None:
            self._handle.shutdown()

    def can_write_eof(self):
        """True.  asyncio: "WriteTransport.can_write_eof()"."""
        return True

    # === For sendfile ===

    def _sends_file(self, bint sends):
        self._sends = sends
        self._pause_maybe()

    def _write_piece(self, bytes data):
        if len(data):
            self._put(data)

    def _send_file(self, FileRequest request not None):
        # Nothing waits.
        if not send_file(self._handle, request):
            raise SendfileNotAvailableError("not a socket that sendfile(2) can send to")
        if request.state == WRITE_FAILED:
            self._fail(system_error(request.status, "sendfile"), "Fatal write error on socket transport")

    async def _until_empty(self, FileRequest request=None):
        """Wait until the system has taken all, or a file that is sent; raises ConnectionError where that is lost."""
        while True:
            if request is not None and request.state == WRITE_DONE:
                return
            if self._state >= TRANSPORT_CLOSING:
                raise self._lost_with or ConnectionError("Connection closed by peer")
            self._hand_over()
            if self._unsent() == 0 and (request is None or request.state != WRITE_WAITING):
                return
            if self._empty is None:
                self._empty = self._loop.create_future()
            await self._empty

    cdef int _wake_if_empty(self) except -1:
        if self._empty is not None and (self._handle is None or self._unsent() == 0):
            empty, self._empty = self._empty, None
            if not empty.done():
                empty.set_result(None)
        return 0

    # === Writing ===

    def _chunk(self, data):
        chunk = as_chunk(data) if isinstance(data, (bytes, bytearray, memoryview)) else None
        if chunk is None:
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        return chunk

    cdef int _put(self, object chunk) except -1:
        cdef Stream handle = self._handle
        cdef Py_ssize_t gathered
        if handle is None:
            return self._write_lost()
        self._touch()
        gathered = handle.gather_chunk(chunk)
        if gathered >= GATHER_MOST:
            handle.flush()
        elif gathered <= self._high and handle.block.queued_bytes == 0:
            # Nothing else waits.
            return 0
        return self._pause_maybe()

    cdef bint _is_full(self, Py_ssize_t length) except -1:
        """Whether so many bytes more are refused: too many would wait."""
        if self._handle is None or self._unsent() + length <= self._options.max_buffered:
            return False
        self._hand_over()
        if self._handle is None or self._unsent() + length <= self._options.max_buffered:
            return False
        error = buffer_full(self._options.max_buffered, "Honour pause_writing()")
        if self._options.raise_when_full:
            raise error
        self._lose(error)
        return True

    cdef int _write_lost(self) except -1:
        """A write that comes too late; asyncio's words."""
        self._lost_writes += 1
        if self._lost_writes > WRITES_IN_SILENCE:
            _log.warning("socket.send() raised exception.")
        return 0

    cdef int _hand_over(self) except -1:
        """Give the system what was gathered."""
        if self._handle is not None:
            self._handle.flush()
        return 0

    cdef Py_ssize_t _unsent(self) noexcept:
        if self._handle is None:
            return 0
        return self._handle.gathered_length() + (self._handle.unsent() if self._handle.block.queued_bytes else 0)

    cdef int _sent(self, WriteRequest request) except -1:
        """What was gathered has been handed over, and not all of it is out."""
        cdef WriteRequest behind
        if request.state == WRITE_FAILED:
            return self._fail(system_error(request.status, "write"), "Fatal write error on socket transport")
        if request.state == WRITE_WAITING and request.rest:
            behind = WriteRequest.__new__(WriteRequest)
            for chunk, _ in request.rest:
                behind.add(chunk)
            request.rest = None
            self._handle.send(behind)
            if behind.state == WRITE_FAILED:
                return self._sent(behind)
        return self._pause_maybe()

    cdef int _pause_maybe(self) except -1:
        # The protocol is not the one that writes a file.
        if self._protocol_paused or self._sends or self._has_more:
            return 0
        if self._unsent() > self._high:
            # What the system takes does not wait.
            self._hand_over()
        if (self._unsent() > self._high or self._holds_much()) and not self._protocol_paused:
            self._protocol_paused = True
            self._call_paused("pause_writing")
        return 0

    cdef bint _holds_much(self) noexcept:
        """Whether much is held that the system may have long since: a peer that keeps pace must not make it grow."""
        return self._handle is not None and self._handle.block.queued_bytes > max(<size_t>self._high, HELD_MOST)

    cdef int _resume_maybe(self) except -1:
        if self._protocol_paused and self._unsent() <= self._low and not self._holds_much():
            self._protocol_paused = False
            self._call_paused("resume_writing")
        return 0

    cdef int _call_paused(self, str name) except -1:
        cdef object context = self._context
        try:
            # A write() may come from anywhere: from a callback in that context too.
            PyContext_Enter(context)
        except RuntimeError:
            context = None
        try:
            getattr(self._protocol, name)()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._report(error, f"protocol.{name}() failed")
        finally:
            exit_context(context)
        return 0
