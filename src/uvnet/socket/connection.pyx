"""Connection: a duplex stream on a stream handle, its addresses, its counters, its end.

Joins the duplex surface above it to the handle below it, whose events come by way of connection_events.pyx; how a
connection comes about is the business of Socket.
Node: "Class: net.Socket"; rules 2.5 and 2.11.
"""

from libc.errno cimport ENOTCONN, ENOTSOCK

from uvnet._loop.idle cimport idle_timers_of
from uvnet._loop.record cimport FIRST_READ_SIZE
from uvnet._loop.slow cimport call_watched, watching
from uvnet._stream.pipe cimport Pipe
from uvnet._stream.relay cimport relay_level
from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP
from uvnet._stream.write_request cimport WRITE_FAILED, WRITE_GATHERING, WRITE_WAITING, WriteRequest, length_of_writes
from uvnet._uv.table cimport UVNET_UV_EOF
from uvnet.addresses.sockaddr cimport format_sockaddr
from uvnet.errors.system cimport system_error
from uvnet.events.loop_emitter cimport EARLIER_LIFE, LoopEmitter
from uvnet.socket.onread cimport BufferReader
from uvnet.streams.duplex cimport Duplex
from uvnet.streams.iteration cimport ChunkIterator
from uvnet.streams.lines cimport LineIterator
from uvnet.streams.readable cimport NOT_FLOWING
from uvnet.streams.steps cimport STEP_CLOSE, STEP_CLOSE_WITH_ERROR

from uvnet.addresses.address import Address, PeerCredentials
from uvnet.errors.codes import ended_by_other_party, invalid_handle_type, socket_closed, will_not_come
from uvnet.socket.closing import close_socket
from uvnet.socket.scope import enter_socket, leave_socket
from uvnet.streams.draining import drain
from uvnet.streams.reading import read_exactly
from uvnet.streams.receiving import read_all, receive
from uvnet.streams.receiving_files import receive_file
from uvnet.streams.sending_files import send_file
from uvnet.streams.separating import read_until


cdef class Connection(Duplex):
    """The connected half of a Socket; not made by users."""

    # === Public API ===

    def pause(self):
        """Stop emitting 'data'; returns the socket.  Data is buffered up to the high-water mark meanwhile.

        Emits 'pause'.  With the option onread nothing more is read.  Node: "socket.pause()".
        """
        if self._reader is not None and not self._connecting:
            self._stop_reading()
        return Duplex.pause(self)

    def resume(self):
        """Start or go on emitting 'data'; returns the socket.  Node: "socket.resume()"."""
        if self._reader is not None:
            self.record.check()
            self._start_reading()
        return Duplex.resume(self)

    def reset_and_destroy(self):
        """Close a TCP connection with RST; returns the socket.  Before 'connect' it waits for that.

        Raises TypeError (ERR_INVALID_HANDLE_TYPE) on a Unix socket; a socket without a connection is
        destroyed with ERR_SOCKET_CLOSED.  Node: "socket.resetAndDestroy()".
        """
        self.record.check()
        if self._handle is None:
            self._destroy_stream(socket_closed())
        elif self._tcp() is None:
            raise invalid_handle_type()
        elif self._connecting:
            self._observe("connect", self.reset_and_destroy, True)
        else:
            self._flush()
            if self._handle is not None:
                self._resetting = True
                self._destroy_stream(None)
        return self

    def address(self):
        """The Address (address, family, port) of this end, or None without a TCP connection.

        Node: "socket.address()".
        """
        if self._destroyed:
            return None
        name = self._name(False)
        return None if name is None else Address._make(name)

    @property
    def local_address(self):
        """The IP address of this end (str), or None.  Known even after 'close'.  Node: "socket.localAddress"."""
        name = self._name(False)
        return None if name is None else name[0]

    @property
    def local_family(self):
        """"IPv4", "IPv6" or None.  Node: "socket.localFamily"."""
        name = self._name(False)
        return None if name is None else name[1]

    @property
    def local_port(self):
        """The port of this end, or None.  Node: "socket.localPort"."""
        name = self._name(False)
        return None if name is None else name[2]

    @property
    def remote_address(self):
        """The IP address of the other end (str), or None.  Known even after 'close'.

        Node: "socket.remoteAddress".
        """
        name = self._name(True)
        return None if name is None else name[0]

    @property
    def remote_family(self):
        """"IPv4", "IPv6" or None.  Node: "socket.remoteFamily"."""
        name = self._name(True)
        return None if name is None else name[1]

    @property
    def remote_port(self):
        """The port of the other end, or None.  Node: "socket.remotePort"."""
        name = self._name(True)
        return None if name is None else name[2]

    @property
    def proxy_header(self):
        """The ProxyHeader in front of a connection to a server; None where there was none.  This is not in Node."""
        return self._proxy_header

    @property
    def peer_credentials(self):
        """PeerCredentials (pid, uid, gid) of the process at the other end of a Unix socket, or None.

        They are those of the moment it connected (for a client: of the moment the server began to listen), and
        are known while the connection is open.  On TCP there are none.  This is not in Node.
        """
        cdef Stream base = None if self._handle is None else self._handle.base()
        credentials = (<Pipe>base).peer_credentials() if isinstance(base, Pipe) else None
        return None if credentials is None else PeerCredentials._make(credentials)

    @property
    def bytes_read(self):
        """Bytes received in this connection.  Node: "socket.bytesRead"."""
        return self._old_bytes_read if self._handle is None else self._handle.block.bytes_read

    @property
    def bytes_written(self):
        """Bytes sent in this connection, with those that still wait.  Node: "socket.bytesWritten"."""
        cdef unsigned long long total = self._old_bytes_written
        cdef WriteRequest request = self._in_flight
        if self._handle is not None:
            total = self._handle.block.bytes_written
            total += self._handle.gathered_length() + relay_level(self._handle.block)
        if request is not None and request.state == WRITE_GATHERING:
            total += request.total
        if self._buffered:
            total += length_of_writes(self._buffered)
        return total

    @property
    def buffer_size(self):
        """writable_length while there is a connection, else None.  Node: "socket.bufferSize"."""
        return None if self._handle is None else self.writable_length

    @property
    def server(self):
        """The Server that accepted the connection, or None.  Node: "socket.server"."""
        return self._server

    # === Public API: awaiting ===

    def __aiter__(self):
        """Chunks as they come, until 'end'.  Left before that, it destroys the socket without an error.

        Raises what the socket was destroyed with, and RuntimeError while another coroutine reads.
        Node: "readable[Symbol.asyncIterator]()".
        """
        return ChunkIterator(self)

    def read_exactly(self, count):
        """Await exactly `count` bytes; after set_encoding() so many characters, as str.

        The high-water mark is raised to `count` where it is lower, as read(count) does.  What it is awaited
        with stays whole: cancelled, it takes nothing.  From the first await on the socket does not flow, and
        its errors are raised by what is awaited instead of being reported.
        Raises asyncio.IncompleteReadError at an end that comes before, with what was left as `partial`; what
        the socket was destroyed with; RuntimeError while another coroutine reads; TypeError or ValueError
        for a bad count.  asyncio: "StreamReader.readexactly()".
        """
        return read_exactly(self, count)

    def read_until(self, separator=b"\n", limit=65536):
        """Await everything up to the next `separator`, with it; after set_encoding() as str.

        `separator` is bytes-like or str, and not empty; or a tuple of such, of which the one counts that ends
        first.  At most `limit` bytes (characters) may come before it.  Cancelled, it takes nothing.  From the
        first await on the socket does not flow, and its errors are raised by what is awaited instead of being
        reported.
        Raises asyncio.LimitOverrunError where there are more, and leaves them in the buffer;
        asyncio.IncompleteReadError at an end that comes before, with what was left as `partial`; what the
        socket was destroyed with; RuntimeError while another coroutine reads; TypeError or ValueError for bad
        arguments.  asyncio: "StreamReader.readuntil()".
        """
        return read_until(self, separator, limit)

    def lines(self, limit=65536, keep_ends=False):
        """Lines as they come, for `async for`: bytes, after set_encoding() str.

        A line ends with "\\n"; that, and a "\\r" before it, is taken off unless `keep_ends` is true.  The last one
        may be without.  At most `limit` bytes (characters) may come before the "\\n".  Left before the end, the
        socket stays as it is, with the rest in its buffer: read on in any other way, or call lines() again.
        From the first line on the socket does not flow, and its errors are raised here instead of being reported;
        of a connection that breaks, lines that came whole are given out first.
        Raises asyncio.LimitOverrunError where a line is longer, and leaves it in the buffer; what the socket was
        destroyed with; RuntimeError while another coroutine reads; TypeError or ValueError for a bad limit.
        asyncio: "StreamReader.readline()".
        """
        return LineIterator(self, limit, keep_ends)

    def receive(self, limit=None):
        """Await data: whatever has come and is not read yet, b"" at the end; after set_encoding() str.

        At most `limit` bytes (characters), where it is not None; the rest is for the next call.  Cancelled, it
        takes nothing.  From the first await on the socket does not flow, and its errors are raised by what is
        awaited instead of being reported; of a connection that breaks, what had come is given out first.
        Raises what the socket was destroyed with; RuntimeError while another coroutine reads; TypeError or
        ValueError for a bad limit.  asyncio: "StreamReader.read(n)".
        """
        return receive(self, limit)

    def read_all(self, limit):
        """Await everything up to the end, at most `limit` bytes; after set_encoding() characters, as str.

        Cancelled, it takes nothing.  From the first await on the socket does not flow, and its errors are raised
        by what is awaited instead of being reported.
        Raises asyncio.LimitOverrunError where more comes, and leaves it in the buffer; asyncio.IncompleteReadError
        where the socket was destroyed before the end, with what was left as `partial`; what the socket was
        destroyed with; RuntimeError while another coroutine reads; TypeError or ValueError for a bad limit.
        asyncio: "StreamReader.read()".
        """
        return read_all(self, limit)

    def receive_file(self, file, count):
        """Await exactly `count` bytes and write them to a binary file, at its position; returns `count`.

        Into a regular file the system moves them by itself (Linux, splice(2)), without the GIL.  What comes through
        TLS goes block by block, as does what is for any other kind of file, or for one that was opened to append; so
        memory is bounded whatever `count` is.  Cancelled, it leaves in the file what was received until then, and the
        rest to the next reader.  From the first await on the socket does not flow, and its errors are raised by what
        is awaited instead of being reported.
        Raises asyncio.IncompleteReadError at an end that comes before, OSError where the file cannot be written to
        (a disk that is full): it says how much went, and the socket is destroyed with it; what the socket was
        destroyed with; RuntimeError while another coroutine reads; TypeError or ValueError for bad arguments, and
        after set_encoding().  This is not in Node.
        """
        self.record.check()
        return receive_file(self, file, count)

    def send_file(self, file, offset=0, count=None, callback=None):
        """Send a file, or `count` bytes of it from `offset` on, behind what was written before.

        It begins at once, and what is written from now on, and end(), waits behind it.  Returns a future for the
        number of bytes that were sent; with `callback` the socket, and callback(error, sent) is called once, with
        None when the system has taken it all.  Who gives up waiting does not stop it.  A regular file, opened in
        binary mode, goes by sendfile(2), without the GIL and without a copy, and may be closed at once; on its way
        through TLS, and of any other kind, it is read in other threads.  The file is left where it was read up to.
        max_buffered and writable_length do not count it.
        Raises TypeError or ValueError for bad arguments (a part that a regular file does not have is one),
        RuntimeError (ERR_STREAM_WRITE_AFTER_END, ERR_STREAM_DESTROYED) where nothing can be written, and OSError
        where there is no file descriptor left; then nothing has changed.  A file that is cut short or cannot be read
        meanwhile destroys the socket: the error (ERR_FILE_TOO_SHORT, OSError) says how much was sent.
        asyncio: "loop.sendfile()".
        """
        return send_file(self, file, offset, count, callback)

    def drain(self):
        """Await the 'drain' that is owed since write() returned False; without one, go on at once.

        Any number of coroutines may do so.  After end() there is nothing to wait for.
        Raises what the socket was destroyed with, and RuntimeError (ERR_STREAM_DESTROYED) where it was
        destroyed without an error before everything was sent.  asyncio: "StreamWriter.drain()".
        """
        return drain(self)

    def close(self, timeout=None):
        """Send what is written, then FIN, then close; returns a future that is complete at 'close'.

        It begins at once, awaited or not, and goes on when the waiting is cancelled.  After `timeout`
        seconds (None: no limit) the socket is destroyed, so that the descriptor is free although the other
        end does not read.  What it sent and nobody has read is dropped: wait for its end first where that
        matters.  The future's result is True where everything written has been handed to the system, else
        False.
        Raises TypeError or ValueError for a bad time.  Node: "socket.destroySoon()"; asyncio:
        "StreamWriter.close()".
        """
        self.record.check()
        return close_socket(self, timeout)

    def __aenter__(self):
        """Wait for the connection of a socket that connects; raises why there is none.  This is not in Node."""
        self.record.check()
        self._awaited = True
        return enter_socket(self)

    def __aexit__(self, kind, error, traceback):
        """close(), and raise an error that nobody has heard of; with an exception destroy().

        Node: "readable[Symbol.asyncDispose]()".
        """
        self.record.check()
        return leave_socket(self, kind is not None)

    def _raise_unheard(self):
        if self._errored is not None and not self._error_heard:
            self._error_heard = True
            raise self._errored

    # === For Relaying, Socket and TLSSocket ===

    cdef int _relay_ended(self, ssize_t nread) except -1:
        """A relay from here has come to the end of what there is to read."""
        return 0

    cdef int _connect_done(self, Stream handle, int status) except -1:
        """The connect request of `handle` is over."""
        return 0

    cdef int _stop_connecting(self) except -1:
        """Whatever is under way to connect must not go on."""
        return 0

    cdef int _secured(self, object error) except -1:
        """The TLS handshake is over (None), or TLS cannot go on: of a connection with TLS that was taken over."""
        return 0 if error is None else self._destroy_stream(error)

    cdef int _ticket_came(self) except -1:
        """The other end may have sent what the connection can be resumed by."""
        return 0

    # === The duplex surface's needs ===

    cdef bint _is_reading(self) noexcept:
        if self._handle is None or self._connecting:
            return self._read_wanted
        return self._handle.block.reading

    cdef int _start_reading(self) except -1:
        cdef int status
        if self._handle is None or self._connecting:
            self._read_wanted = True
            return 0
        status = self._handle.read_start()
        if status < 0:
            self._lost(system_error(status, "read"))
        return 0

    cdef int _stop_reading(self) except -1:
        if self._handle is not None:
            self._handle.read_stop()
        return 0

    cdef int _read_less(self) except -1:
        if self._handle is not None:
            self._handle.read_less()
        return 0

    cdef int _lost(self, object error) except -1:
        cdef bytes chunk
        if self._awaited and self._flowing == NOT_FLOWING and not self._destroyed and not self._connecting:
            # A write failed, and what had come by then is still with the system: no more than its buffer holds.
            while self._handle is not None:
                chunk = self._handle.read_once()
                if chunk is None:
                    break
                self._push(chunk)
        return Duplex._lost(self, error)

    cdef Stream _gathering_handle(self):
        if self._handle is None or self._connecting:
            return None
        self._touch()
        return self._handle

    cdef int _flush(self) except -1:
        if self._handle is not None:
            self._handle.flush()
        return 0

    cdef int _given_up(self, WriteRequest request) except -1:
        # It stays counted (rule 2.7.13).
        self._old_bytes_written += request.total
        return 0

    cdef int _send(self, WriteRequest request, bint in_call) except -1:
        if self._connecting:
            self._observe("connect", self._send_pending, True)
            return 0
        if self._handle is None:
            request.error = socket_closed()
            request.state = WRITE_FAILED
            return self._written(request, in_call)
        self._touch()
        self._handle.send(request)
        if request.state != WRITE_WAITING:
            self._written(request, in_call)
        return 0

    def _send_pending(self):
        # The write that began before the connection was there (rule 2.7.9).
        if self._in_flight is not None and self._in_flight.state == WRITE_GATHERING:
            self._send(self._in_flight, False)

    cdef int _final(self) except -1:
        cdef int status
        if self._connecting:
            self._observe("connect", self._shut_down, True)
            return 0
        if self._handle is None:
            return self._finalised(None)
        status = self._handle.shutdown()
        return self._shutdown_done(status) if status < 0 else 0

    cdef int _shutdown_done(self, int status) except -1:
        # A connection that is gone already counts as shut down (rule 2.9.5), and a FIFO ends when it is closed.
        if status == 0 or status == -ENOTCONN or status == -ENOTSOCK:
            return self._finalised(None)
        return self._finalised(system_error(status, "shutdown"))

    def _shut_down(self):
        if self._ending and not self._destroyed:
            self._final()

    cdef object _write_refused(self):
        if self._end_emitted and self._readable_side and not self.allow_half_open:
            return ended_by_other_party()
        return None

    cdef int _destroy_handle(self, object error) except -1:
        cdef Stream handle = self._handle
        cdef bint reset = self._resetting
        self._connecting = False
        self._resetting = False
        self._stop_connecting()
        self._parked_timeout = 0
        if self._idle is not NULL:
            idle_timers_of(self.record).stop(self._idle)
        if handle is None:
            self._later(STEP_CLOSE if error is None else STEP_CLOSE_WITH_ERROR, None)
        else:
            self._let_go()
            handle.had_error = error is not None
            self._closing += 1
            handle.read_stop()
            handle.close(reset)
        if self._counted:
            self._counted = False
            self._server._connection_gone()
        return 0

    # === Private ===

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_CLOSE or step == STEP_CLOSE_WITH_ERROR:
            self._emit_close(step == STEP_CLOSE_WITH_ERROR, self._life)
        else:
            Duplex._step(self, step, argument)
        return 0

    cdef int _step_owed(self, int step, object argument) except -1:
        if step == STEP_CLOSE or step == STEP_CLOSE_WITH_ERROR:
            return self._emit_close(step == STEP_CLOSE_WITH_ERROR, EARLIER_LIFE)
        return Duplex._step_owed(self, step, argument)

    cdef int _settle(self) except -1:
        self._withdraw("connect", self._send_pending)
        self._withdraw("connect", self._shut_down)
        self._withdraw("connect", self.reset_and_destroy)
        return Duplex._settle(self)

    def _why_never(self, event):
        """None where `event` may come before the next connect(), else the exception for who waits for it."""
        cdef bint never = False
        if event in ("data", "readable", "end"):
            never = self._destroyed or self._end_emitted
        elif event == "drain":
            never = self._destroyed or self._ending
        elif event in ("finish", "prefinish"):
            never = self._destroyed or self._finished
        elif event in ("error", "close", "timeout"):
            never = self._close_emitted
        elif event in ("lookup", "connect", "ready", "connectionAttempt", "connectionAttemptFailed",
                       "connectionAttemptTimeout"):
            never = not self._connecting and (self._destroyed or self._handle is not None)
        if not never:
            return None
        if self._errored is not None:
            self._error_heard = True
            return self._errored
        return will_not_come(event)

    cdef int _emit_close(self, bint had_error, unsigned int life) except -1:
        for piping in list(self._piped_here or ()):
            try:
                piping.on_close()
            except BaseException as error:
                LoopEmitter._failed(self, error)
        if life == self._life:
            self._close_emitted = True
        self.emit1("close", had_error)
        return 0

    cdef int _let_go(self) except -1:
        """Forget the handle, and keep what users may still ask for."""
        self._capture_names()
        self._old_bytes_read = self._handle.block.bytes_read
        self._old_bytes_written = self._handle.block.bytes_written
        self._handle = None
        return 0

    cdef int _capture_names(self) except -1:
        """Learn both addresses while the handle can tell (decision 9)."""
        cdef TCP handle = None if self._connecting else self._tcp()
        if handle is not None:
            if self._local_name.any.sa_family == 0:
                handle.local_name(&self._local_name)
            if self._remote_name.any.sa_family == 0:
                handle.remote_name(&self._remote_name)
        return 0

    cdef TCP _tcp(self):
        """The handle of a TCP connection, below whatever lies on it; None where there is none."""
        cdef Stream base = None if self._handle is None else self._handle.base()
        return <TCP>base if isinstance(base, TCP) else None

    cdef tuple _name(self, bint remote):
        """(address, family, port) of one end, or None."""
        self._capture_names()
        return format_sockaddr(&self._remote_name.any if remote else &self._local_name.any)

    cdef void _store_activity(self) noexcept:
        self._idle.last = self.record.now()

    cdef int _received_in_buffer(self, ssize_t nread) except -1:
        cdef BufferReader reader = self._reader
        if not watching:
            result = reader.callback(nread, reader.buffer)
        else:
            result = call_watched(self.record.loop, "callback", reader.callback, (nread, reader.buffer), self)
        if result is False:
            self._stop_reading()
        elif result is not None:
            self._returned(result, "onread", None)
        if self._handle is not None:
            reader.take_buffer()
            if self._handle is not None:
                self._handle.read_into(<char *>reader.view.buf, reader.view.len)
        return 0

    cdef int _received(self, bytes chunk, ssize_t nread) except -1:
        self._touch()
        if nread > 0:
            if self._reader is not None:
                return self._received_in_buffer(nread)
            self._push(chunk)
            if (nread >= FIRST_READ_SIZE and self._readable_length == 0 and self._handle is not None
                    and nread == <ssize_t>self._handle.block.read_size):
                self._handle.read_more()
        elif nread == UVNET_UV_EOF:
            self._push_end()
        else:
            self._lost(system_error(<int>nread, "read"))
        return 0
