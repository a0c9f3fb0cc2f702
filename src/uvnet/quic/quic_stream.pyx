"""QuicStream: a duplex stream whose bytes go through a session.

Joins the duplex surface above it to the session below it, which is plain Python: it asks for room before it hands
bytes over, and says how much of what came was taken, so that the peer gets new credit.
Node: "Class: QuicStream"; section 8 of Node 15's QUIC.
"""

from time import monotonic

from cpython.bytes cimport PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from uvnet._loop.context cimport copy_of_context, enter_context, exit_context
from uvnet._stream.write_request cimport WRITE_DONE, WriteRequest
from uvnet._uv.public_name cimport public_name
from uvnet._uv.table cimport uv_buf_t
from uvnet.events.loop_emitter cimport EARLIER_LIFE, LoopEmitter
from uvnet.quic.emitter cimport QuicEmitter
from uvnet.streams.duplex cimport Duplex
from uvnet.streams.iteration cimport ChunkIterator
from uvnet.streams.lines cimport LineIterator
from uvnet.streams.steps cimport STEP_CALL, STEP_CLOSE

from uvnet.errors.codes import (
    invalid_state,
    reset_by_peer,
    stopped_by_peer,
    stream_destroyed,
    will_not_come,
)
from uvnet.quic.histogram import Histogram
from uvnet.quic.sending import send_descriptor, send_path
from uvnet.streams.draining import drain
from uvnet.streams.encoding import canonical_encoding
from uvnet.streams.reading import read_exactly
from uvnet.streams.receiving import read_all, receive
from uvnet.streams.separating import read_until

cdef enum:
    SERVER_BIT = 1           # of an id: the server opened it
    UNIDIRECTIONAL_BIT = 2


cdef class QuicStream(Duplex):
    """A stream of a QUIC session; made by open_stream(), push_stream() and 'stream', not by users.

    What a Socket has of a stream it has too: write(), end(), read(), pipe(), pause(), resume(), set_encoding(),
    cork(), destroy(), `async for`.  It is half-open always, and closes by itself when both sides are done.  Bytes
    that are received and not read hold the peer back, and no other stream of the session.

    Events: those of a stream ('data', 'end', 'readable', 'drain', 'finish', 'error', 'close' without an argument);
    'blocked', where flow control or congestion holds data back; and of HTTP/3 'informationalHeaders',
    'initialHeaders', 'trailingHeaders', 'pushHeaders' (a list of pairs of str, push id or None).
    A peer that resets what it sends before its end cuts data off: 'error' with ECONNRESET, and `reset_received`.
    Node: "Class: QuicStream".
    """

    def __cinit__(self, *args, **kwargs):
        self.allow_half_open = True
        self.id = None

    def __init__(self, session, stream_id, high_water_mark, default_encoding, push_id=None):
        cdef QuicEmitter parent = session
        self.record = parent.record
        self._context = copy_of_context(parent._context)
        self._carrier = self.session = session
        self.id = stream_id
        self.push_id = push_id
        self._readable_high_water_mark = self._writable_high_water_mark = high_water_mark
        self._default_encoding = canonical_encoding(default_encoding)
        self._kept = {
            "began": monotonic(), "ended": None, "received": 0, "sent": 0, "final": 0, "acknowledged": 0,
            "extended": 0, "last": None, "last acknowledged": None,
            # Most streams are over before there is anything to count, and many of them cost something.
            "rate": None, "size": None, "acknowledgement": None,
        }
        if stream_id & UNIDIRECTIONAL_BIT:
            if bool(stream_id & SERVER_BIT) == session._is_client:
                self._give_up_writing()
            else:
                self._give_up_reading()

    # === Public API ===

    @property
    def bidirectional(self):
        """True where both ends may write.  Node: "quicstream.bidirectional"."""
        return not self.id & UNIDIRECTIONAL_BIT

    @property
    def unidirectional(self):
        """True where only who opened it may write.  Node: "quicstream.unidirectional"."""
        return bool(self.id & UNIDIRECTIONAL_BIT)

    @property
    def client_initiated(self):
        """True where the client opened it.  Node: "quicstream.clientInitiated"."""
        return not self.id & SERVER_BIT

    @property
    def server_initiated(self):
        """True where the server opened it.  Node: "quicstream.serverInitiated"."""
        return bool(self.id & SERVER_BIT)

    @property
    def detached(self):
        """True where there is nothing below any more; what is buffered may be read.

        This is not documented in Node.
        """
        return self._carrier is None

    @property
    def duration(self):
        """Seconds since it was made, or that it lived.  Node: "quicstream.duration"."""
        return (self._kept["ended"] or monotonic()) - self._kept["began"]

    @property
    def bytes_received(self):
        """Bytes received in order.  Node: "quicstream.bytesReceived"."""
        return self._kept["received"]

    @property
    def bytes_sent(self):
        """Bytes handed over to be sent.  Node: "quicstream.bytesSent"."""
        return self._kept["sent"]

    @property
    def final_size(self):
        """Bytes that the peer has sent in all, 0 while its end is not known.  Node: "quicstream.finalSize"."""
        self._refresh()
        return self._kept["final"]

    @property
    def max_acknowledged_offset(self):
        """Bytes that the peer has acknowledged.  Node: "quicstream.maxAcknowledgedOffset"."""
        self._refresh()
        return self._kept["acknowledged"]

    @property
    def max_extended_offset(self):
        """Up to which byte the peer may send.  Node: "quicstream.maxExtendedOffset"."""
        self._refresh()
        return self._kept["extended"]

    @property
    def max_received_offset(self):
        """Bytes received in order.  Node: "quicstream.maxReceivedOffset"."""
        return self._kept["received"]

    @property
    def data_rate_histogram(self):
        """A Histogram of the nanoseconds between pieces that came.  Node: "quicstream.dataRateHistogram"."""
        return self._histogram("rate")

    @property
    def data_size_histogram(self):
        """A Histogram of the bytes of pieces that came.  Node: "quicstream.dataSizeHistogram"."""
        return self._histogram("size")

    @property
    def data_ack_histogram(self):
        """A Histogram of the nanoseconds between acknowledgements.  Node: "quicstream.dataAckHistogram"."""
        return self._histogram("acknowledgement")

    def close(self):
        """End both sides; returns a future that is done when the stream is destroyed, or raises what with.

        What was written is sent; what was received and not read is dropped, and what comes is too.
        Raises RuntimeError (ERR_INVALID_STATE) where it is destroyed already.  Node: "quicstream.close()".
        """
        self.record.check()
        if self._destroyed:
            raise invalid_state("close", "the stream is destroyed")
        if self._outcome is not None:
            return self._outcome
        self._outcome = self.record.loop.create_future()
        self._drop_reading()
        if not self._ending:
            self.end()
        return self._outcome

    def send_fd(self, fd, offset=-1, length=-1):
        """Send what an open file descriptor (int, or something with fileno()) gives, then end.

        offset: where to begin, -1 for where the file is; an offset >= 0 does not move that.  length: bytes, -1 for
        up to the end.  The descriptor stays open.  A read that fails destroys the stream; on one that is destroyed
        nothing happens.  Raises TypeError for what is no descriptor, RuntimeError (ERR_INVALID_STATE) where the
        stream is detached.  Node: "quicstream.sendFD(fd[, options])".
        """
        self.record.check()
        send_descriptor(self, fd, offset, length)

    def send_file(self, path, offset=-1, length=-1, on_error=None):
        """Send the file at `path`, then end, as send_fd() does.

        Where it cannot be opened on_error(error) is called and the stream closed, without that destroyed with the
        error.  Raises as send_fd().  Node: "quicstream.sendFile(path[, options])".
        """
        self.record.check()
        send_path(self, path, offset, length, on_error)

    def submit_informational_headers(self, headers):
        """Send headers of a status 1xx (HTTP/3 alone); returns whether they were taken.

        `headers`: pairs of str or bytes, or a mapping.  Raises RuntimeError (ERR_INVALID_STATE) where there is no
        HTTP/3, or the stream is destroyed or detached; ValueError for pseudo-headers that cannot be.
        Node: "quicstream.submitInformationalHeaders(headers)".
        """
        return self._http3("submit_informational_headers").submit(self, headers, "informational", False)

    def submit_initial_headers(self, headers, terminal=False):
        """Send the headers of a request or a response (HTTP/3 alone); with `terminal` nothing follows.

        As submit_informational_headers().  Node: "quicstream.submitInitialHeaders(headers)".
        """
        return self._http3("submit_initial_headers").submit(self, headers, "initial", terminal)

    def submit_trailing_headers(self, headers):
        """Send headers behind the body, and end (HTTP/3 alone).  As submit_informational_headers().

        Node: "quicstream.submitTrailingHeaders(headers)".
        """
        return self._http3("submit_trailing_headers").submit(self, headers, "trailing", True)

    def push_stream(self, headers, high_water_mark=None, default_encoding="utf8"):
        """A QuicStream for a response that was not asked for: of an HTTP/3 server, on a request.

        Raises RuntimeError (ERR_INVALID_STATE) elsewhere, and where the client takes no more.
        Node: "quicstream.pushStream(headers[, options])".
        """
        return self._http3("push_stream").push(self, headers, high_water_mark, default_encoding)

    # === Public API: awaiting, as of a Socket ===

    def __aiter__(self):
        """Chunks as they come, until 'end'; see Socket.  Left before that, it destroys the stream.

        Node: "readable[Symbol.asyncIterator]()".
        """
        return ChunkIterator(self)

    def read_exactly(self, count):
        """Await exactly `count` bytes; see Socket.  asyncio: "StreamReader.readexactly()"."""
        return read_exactly(self, count)

    def read_until(self, separator=b"\n", limit=65536):
        """Await everything up to the next `separator`, with it; see Socket.

        asyncio: "StreamReader.readuntil()".
        """
        return read_until(self, separator, limit)

    def lines(self, limit=65536, keep_ends=False):
        """Lines as they come, for `async for`; see Socket.  asyncio: "StreamReader.readline()"."""
        return LineIterator(self, limit, keep_ends)

    def receive(self, limit=None):
        """Await whatever has come and is not read yet, b"" at the end; see Socket.

        asyncio: "StreamReader.read(n)".
        """
        return receive(self, limit)

    def read_all(self, limit):
        """Await everything up to the end, at most `limit` bytes; see Socket.  asyncio: "StreamReader.read()"."""
        return read_all(self, limit)

    def drain(self):
        """Await the 'drain' that is owed since write() returned False; see Socket.

        asyncio: "StreamWriter.drain()".
        """
        return drain(self)

    # === For the session and what it is made of ===

    @property
    def _record(self):
        return self.record

    def _deliver(self, bytes data, Py_ssize_t cost, bint fin):
        """Bytes of the peer, in order, and whether they are the last; `cost`: of its credit."""
        cdef dict kept = self._kept
        cdef object context = self._context
        kept["received"] += cost
        self._histogram("size").record(cost)
        now = monotonic()
        if kept["last"] is not None:
            self._histogram("rate").record(int((now - kept["last"]) * 1e9))
        kept["last"] = now
        self._owed += cost
        try:
            enter_context(context)
        except RuntimeError:
            # A listener of ours is on the stack.
            context = None
        try:
            if data and not self._destroyed and not self._dropping and not self._readable_ended:
                self._push(data)
            if fin and not self._destroyed:
                self._push_end()
        except BaseException as error:
            self._failed(error)
        finally:
            exit_context(context)
        if self._takes or self._dropping:
            self._take_more()

    def _peer_reset(self, code):
        """RESET_STREAM: the peer sends no more, and not all that it meant to."""
        if self._destroyed or self._readable_ended:
            return
        self.reset_received = {"code": code}
        if self._dropping:
            self._push_end()
        else:
            self._destroy_stream(reset_by_peer(code))

    def _peer_stopped(self, code):
        """STOP_SENDING: the peer does not want what is sent here; what it sends may still be read."""
        if self._destroyed or self._finished:
            return
        self._stop_code = code
        if self._outgoing is not None or self._buffered:
            self._destroy_stream(stopped_by_peer(code))
            return
        self._corked = 0
        self._give_up_writing()
        if self._end_emitted:
            self._destroy_stream(None)

    def _go_on(self):
        """The engine may have room again."""
        if self._outgoing is not None and not self._destroyed:
            self._feed(self._outgoing, False)

    def _acknowledged(self):
        """Something that was sent has been acknowledged."""
        now = monotonic()
        if self._kept["last acknowledged"] is not None:
            self._histogram("acknowledgement").record(int((now - self._kept["last acknowledged"]) * 1e9))
        self._kept["last acknowledged"] = now

    def _set_blocked(self, bint blocked):
        """Whether what was written is held back; tells of it when that begins."""
        if blocked and not self._blocked and not self._destroyed:
            self._later(STEP_CALL, (self.emit, ("blocked",)))
        self._blocked = blocked

    def _emit_headers(self, event, headers, push_id):
        """Of http3.py: headers have come."""
        if not self._destroyed:
            self._later(STEP_CALL, (self.emit, (event, headers, push_id)))

    def _over(self, error, cut_off):
        """The session has ended: so does the stream, and nothing is said to the peer.

        `cut_off` is the error where the session has none, but ended before its time.  What came whole may be read.
        """
        if self._destroyed:
            return
        self._detach()
        if error is not None or cut_off is None:
            self._destroy_stream(error)
        elif not self._readable_ended or self._outgoing is not None or self._buffered:
            self._lost(cut_off)
        elif not self._finished:
            self._destroy_stream(None)

    def _detach(self):
        self._refresh()
        self._carrier = None

    # === The duplex surface's needs ===

    cdef bint _is_reading(self) noexcept:
        return self._takes

    cdef int _start_reading(self) except -1:
        if not self._takes:
            self._takes = True
            self._take_more()
        return 0

    cdef int _stop_reading(self) except -1:
        self._takes = False
        return 0

    cdef int _send(self, WriteRequest request, bint in_call) except -1:
        return self._feed(request, in_call)

    cdef int _final(self) except -1:
        if self._carrier is not None:
            self._carrier._stream_write(self, b"", True)
        return self._finalised(None)

    cdef int _given_up(self, WriteRequest request) except -1:
        request.release()
        return 0

    cdef int _destroy_handle(self, object error) except -1:
        carrier = self._carrier
        self._takes = False
        if self._outgoing is not None:
            self._outgoing.error = self._errored or stream_destroyed("write")
            if self._outgoing is not self._in_flight:
                # Of a file, which waits to hear of it.
                self._later(STEP_CALL, (self._fail_piece, (self._outgoing,)))
            self._outgoing = None
        self._kept["ended"] = monotonic()
        if carrier is not None:
            self._detach()
            carrier._stream_gone(self, self._owed, not self._finished, not self._readable_ended)
        self._owed = 0
        self._later(STEP_CLOSE, None)
        return 0

    # === Private ===

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_CLOSE:
            self._emit_close()
        else:
            Duplex._step(self, step, argument)
        return 0

    cdef int _failed(self, object error) except -1:
        LoopEmitter._failed(self, error)
        self._destroy_stream(error if isinstance(error, Exception) else None)
        return 0

    cdef int _emit_close(self) except -1:
        for piping in list(self._piped_here or ()):
            try:
                piping.on_close()
            except BaseException as error:
                LoopEmitter._failed(self, error)
        self._close_emitted = True
        if self._outcome is not None and not self._outcome.done():
            if self._errored is None:
                self._outcome.set_result(None)
            else:
                self._outcome.set_exception(self._errored)
                # 'error' has told of it, where nobody awaits this.
                self._outcome.exception()
        self.emit0("close")
        return 0

    cdef int _feed(self, WriteRequest request, bint in_call) except -1:
        """Hand over what there is room for; the rest waits for _go_on()."""
        cdef uv_buf_t *buffer
        cdef Py_ssize_t room, count
        cdef bint whole
        self._outgoing = request
        while request.length and self._carrier is not None:
            room = self._carrier._stream_room(self)
            if room <= 0:
                return 0
            buffer = request.buffers
            count = min(room, <Py_ssize_t>buffer.len)
            chunk = <object>request.owners[0]
            whole = PyBytes_CheckExact(chunk) and count == PyBytes_GET_SIZE(chunk)
            if not whole:
                chunk = PyBytes_FromStringAndSize(buffer.base, count)
            if count == <Py_ssize_t>request.length:
                request.release()
            else:
                request.advance(count)
            self._kept["sent"] += count
            self._carrier._stream_write(self, chunk, False)
        if request is not self._outgoing:
            # What was called has destroyed the stream.
            return 0
        self._outgoing = None
        request.state = WRITE_DONE
        self._written(request, in_call)
        return 0

    cdef object _histogram(self, str name):
        found = self._kept[name]
        if found is None:
            found = self._kept[name] = Histogram()
        return found

    cdef int _take_more(self) except -1:
        """Let the peer send as much again as was taken."""
        cdef Py_ssize_t owed = self._owed
        if owed and self._carrier is not None:
            self._owed = 0
            self._carrier._stream_credit(self, owed)
        return 0

    cdef object _write_refused(self):
        return None if self._stop_code is None else stopped_by_peer(self._stop_code)

    def _drop_reading(self):
        if self._readable_ended:
            self._buffer = None
            self._offset = self._readable_length = 0
            self._end_readable()
            return
        self._dropping = True
        self._buffer = None
        self._offset = self._readable_length = 0
        if self._carrier is not None:
            self._carrier._stream_stop(self)
            self._take_more()
        self._push_end()
        self._end_readable()

    def _http3(self, method):
        self.record.check()
        http3 = None if self._carrier is None else self._carrier._http3
        if http3 is None:
            raise invalid_state(
                method, "the stream is destroyed" if self._carrier is None else "the session does not speak HTTP/3"
            )
        return http3

    def _refresh(self):
        if self._carrier is not None:
            self._kept.update(self._carrier._stream_offsets(self))

    def _why_never(self, event):
        """None where `event` may still come, else the exception for who waits for it."""
        cdef bint never = False
        if event in ("data", "readable", "end"):
            never = self._destroyed or self._end_emitted
        elif event == "drain":
            never = self._destroyed or self._ending
        elif event in ("finish", "prefinish"):
            never = self._destroyed or self._finished
        elif event in ("error", "close"):
            never = self._close_emitted
        if not never:
            return None
        if self._errored is not None:
            self._error_heard = True
            return self._errored
        return will_not_come(event)

    def _write_of_file(self, request, block, callback):
        # A block of a file that is read here: it passes those that wait behind the file.
        cdef WriteRequest piece
        if self._in_flight is not request or self._destroyed:
            raise stream_destroyed("send_file")
        piece = WriteRequest.__new__(WriteRequest)
        piece.add_write(block, callback)
        self._feed(piece, True)

    def _fail_piece(self, WriteRequest piece not None):
        self._call_all(piece, EARLIER_LIFE)
        piece.release()

    def __repr__(self):
        return f"<QuicStream {self.id}{' destroyed' if self._destroyed else ''}>"


public_name(QuicStream, "uvnet.quic.QuicStream")
