"""SecureStream: a stream whose bytes go through a TLS engine, on another stream.

For its owner it is a stream like any other: it gathers, queues, pauses and tells by the same table.  What was written
in one turn of the loop is encrypted together, so it is few records and one system call.  What was received is
decrypted as far as the owner takes it; the rest stays encrypted, and when that is much no more is received.
RFC 8446.
"""

from cpython.buffer cimport PyBUF_READ
from cpython.bytes cimport PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.errno cimport ECONNRESET, EPIPE
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from uvnet._loop.handle cimport HANDLE_CLOSED, HANDLE_CLOSING, HANDLE_OPEN, HandleBlock
from uvnet._loop.tick cimport later
from uvnet._stream.stream cimport READS_AT_ONCE, Stream
from uvnet._stream.write_request cimport WRITE_DONE, WRITE_WAITING, WriteRequest, chunk_length
from uvnet._stream.writer cimport Writer, tell_failed, tell_owner, tell_shutdown, tell_written
from uvnet._tls.engine cimport NOTHING_NOW
from uvnet._uv.table cimport UVNET_UV_EOF

cdef enum:
    MOST_AT_ONCE = 262144    # bytes decrypted for one on_read
    NOBODY = -3              # where a length is expected: the owner wants nothing any more


cdef class SecureStream(Stream):
    """The plain side of a TLS connection."""

    # === Life ===

    cdef int begin(self) except -1:
        """Begin the handshake; on_secured tells how it ends."""
        self.phase = SECURE_HANDSHAKING
        self._update_under()
        return self._shake_hands()

    cdef bint _is_open(self) noexcept:
        return self.state == HANDLE_OPEN and self.phase != SECURE_FAILED

    cdef void close(self, bint reset=False) noexcept:
        if self.state != HANDLE_OPEN:
            return
        if not reset:
            self._send_last()
        self.state = HANDLE_CLOSING
        self.block.reading = False
        if not reset and isinstance(self.under, SecureStream):
            try:
                self.under.shutdown()
            except BaseException as error:
                # It is closed right after.
                tell_failed(self.under, None, error)
        self.under.close(reset)

    cdef void _send_last(self) noexcept:
        """What the handshake has come to, where that is not sent yet."""
        try:
            self._send(None, None)
        except BaseException as error:
            # It is closed right after.
            tell_failed(self, None, error)

    cdef void leave_under(self) noexcept:
        """Be over, and leave the open stream below to somebody else, who has heard of nothing yet."""
        self.state = HANDLE_CLOSED
        self.owner = None
        self.under.renew()
        if isinstance(self.under, SecureStream):
            (<SecureStream>self.under)._end_told = False

    cdef int fileno(self) except -2:
        return self.under.fileno()

    cdef Stream base(self):
        return self.under.base()

    cdef void set_referenced(self, bint referenced) noexcept:
        self.under.set_referenced(referenced)

    cdef int _fail_with(self, object error) except -1:
        """TLS cannot go on; the other side is told why by what the engine has to send.

        The owner hears of it on a tick: it may be the one that has just called.
        """
        self.phase = SECURE_FAILED
        try:
            self._send(None, None)
        finally:
            self._update_under()
            later(self.record, _run_failure, self, error, 0)
        return 0

    cdef int _shake_hands(self) except -1:
        cdef bint over = False
        cdef object failure = None
        cdef Stream base
        try:
            over = self.engine.shake_hands()
        except Exception as error:
            failure = error
        if failure is not None:
            return self._fail_with(failure)
        if not over:
            return self._send(None, None)
        if self.state != HANDLE_OPEN:
            return 0
        self.phase = SECURE_OPEN
        base = self.base()
        self.record.tally.handshakes += 1
        if base.tally is not None:
            base.tally.handshakes += 1
        tell_owner(self, _tell_secured, <void *>None, 0)
        # What the owner has to say leaves with the end of the handshake: a small packet behind another would wait.
        if self._is_open():
            self.flush()
        if self._is_open():
            self._push(None)
        if self._is_open():
            self._send(None, None)
            self._say_end_maybe()
        return 0

    # === Reading ===

    cdef int read_start(self) noexcept:
        if self.state != HANDLE_OPEN or self.block.reading:
            return 0
        self.block.reading = True
        self._deliver_later()
        self._update_under()
        return 0

    cdef void read_stop(self) noexcept:
        if self.state == HANDLE_OPEN and self.block.reading:
            self.block.reading = False
            self._update_under()

    cdef bytes read_once(self):
        # What was decrypted has been told, and no record that is whole waits where nothing failed in reading.
        return None

    cdef void _update_under(self) noexcept:
        """Receive, unless nothing more can come or much waits to be read already."""
        if self.state != HANDLE_OPEN:
            return
        try:
            wanted = not self._raw_end and (self.phase == SECURE_HANDSHAKING or (
                self.phase == SECURE_OPEN and not self.engine.holds_much()
            ))
        except BaseException as error:
            wanted = False
            tell_failed(self, self.owner, error)
        if self.state != HANDLE_OPEN:
            return
        if wanted:
            self.under.read_start()
        else:
            self.under.read_stop()

    cdef int _deliver_later(self) noexcept:
        """What was received before somebody wanted it waits here, and nothing else may come."""
        if self._delivery_due or self.phase != SECURE_OPEN:
            return 0
        try:
            if self._decrypted or self._raw_end or self.engine.ended or self.engine.holds():
                later(self.record, _run_delivery, self, None, 0)
                self._delivery_due = True
        except BaseException as error:
            tell_failed(self, self.owner, error)
        return 0

    cdef int _receive(self, ssize_t nread) except -1:
        """Encrypted bytes have come, or the end of them."""
        if nread == UVNET_UV_EOF:
            self._raw_end = True
            if self.phase == SECURE_HANDSHAKING:
                return self._fail_with(ConnectionResetError(
                    ECONNRESET, "the other side has closed during the TLS handshake"
                ))
            return self._deliver()
        if nread < 0:
            if self.phase == SECURE_FAILED:
                return 0
            self.phase = SECURE_FAILED
            return self._tell_read_now(None, nread)
        if nread == 0 or self.phase == SECURE_FAILED:
            return 0
        if self.block.activity is not NULL:
            self.block.activity[0] = self.record.now()
        # It stays in the loop's own buffer for so long.
        self.engine.receive(self.record.read_buffer, nread)
        if self.phase == SECURE_HANDSHAKING:
            self._shake_hands()
        if self.phase == SECURE_OPEN and self.state == HANDLE_OPEN:
            self._deliver()
            if self._wants_read and self._is_open():
                self._wants_read = False
                self._push(None)
                if self._is_open():
                    self._say_end_maybe()
        self._update_under()
        return 0

    cdef int _deliver(self) except -1:
        """Give the owner what was received, as long as it wants it."""
        cdef HandleBlock *block = self.block
        cdef object owner = self.owner
        cdef Py_ssize_t nread = NOTHING_NOW
        cdef object failure = None
        cdef bytes chunk
        cdef bint decrypted = False
        cdef int _turn
        for _turn in range(READS_AT_ONCE):
            if not block.reading or self._end_told or self.phase != SECURE_OPEN or self.owner is not owner:
                break
            chunk = None
            try:
                if block.asks:
                    nread = self._decrypt_where_asked()
                elif block.own_buffer:
                    nread = self._decrypt_in_place(block.read_buffer, block.read_size)
                else:
                    chunk = self._decrypt_some()
                    nread = NOTHING_NOW if chunk is None else PyBytes_GET_SIZE(chunk)
            except Exception as error:
                failure = error
            if failure is not None:
                return self._fail_with(failure)
            decrypted = True
            if nread == NOBODY:
                break
            if self.tells_tickets:
                # It came in front of what follows.
                tell_owner(self, _tell_ticket, NULL, 0)
                if self.owner is not owner or self.phase != SECURE_OPEN:
                    break
            if nread >= 0:
                block.bytes_read += nread
                self._tell_read_now(chunk, nread)
            else:
                # The end may also come without a close_notify.
                if block.reading and (self.engine.ended or self._raw_end):
                    self._end_told = True
                    block.reading = False
                    self._tell_read_now(None, UVNET_UV_EOF)
                break
        else:
            self._deliver_later()
        if decrypted and self.engine.may_answer:
            self._send(None, None)
        self._update_under()
        return 0

    cdef bytes _decrypt_some(self):
        """What is there, up to a limit; None where there is nothing now."""
        cdef list pieces = self._decrypted
        cdef Py_ssize_t length = 0
        cdef bytes piece
        self._decrypted = None
        if pieces is not None:
            for piece in pieces:
                length += PyBytes_GET_SIZE(piece)
        while length < MOST_AT_ONCE:
            try:
                piece = self.engine.decrypt(self.record)
            except Exception as error:
                if pieces is None:
                    raise
                self.engine.fail_later(error)
                piece = None
            if piece is None:
                if pieces is None:
                    return None
                break
            length += PyBytes_GET_SIZE(piece)
            if pieces is None:
                if not self.engine.holds():
                    return piece
                pieces = [piece]
            else:
                pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    cdef Py_ssize_t _decrypt_where_asked(self) except? -1:
        """_decrypt_in_place() where the owner says; NOBODY where it wants nothing any more."""
        cdef char *base = NULL
        cdef size_t size = 0
        cdef Py_ssize_t nread
        cdef object owner = self.owner
        if self._decrypted is None and not self.engine.holds():
            return NOTHING_NOW
        tell_owner(self, _ask, &base, <ssize_t><size_t>&size)
        if self.owner is not owner:
            return NOBODY
        if self.block.reading and base is not NULL:
            nread = self._decrypt_in_place(base, size)
            if nread >= 0:
                return nread
        else:
            nread = NOBODY
        # It will not be filled.
        self._tell_read_now(None, 0)
        return nread

    cdef Py_ssize_t _decrypt_in_place(self, char *base, size_t size) except? -1:
        cdef bytes piece
        if self._decrypted is not None:
            piece = self._decrypted[0]
            if <size_t>PyBytes_GET_SIZE(piece) <= size:
                size = PyBytes_GET_SIZE(piece)
                del self._decrypted[0]
                self._decrypted = self._decrypted or None
            else:
                self._decrypted[0] = piece[size:]
            memcpy(base, <char *>piece, size)
            return size
        return self.engine.decrypt_into(base, size)

    cdef int _tell_read_now(self, bytes chunk, ssize_t nread) except -1:
        tell_owner(self, _tell_read, <void *>chunk, nread)
        return 0

    # === Writing ===

    cdef size_t unsent(self) noexcept:
        """Bytes that the system has not taken: those that are not encrypted yet, and what others have become."""
        cdef size_t plain = 0
        for request in self._waiting:
            plain += (<WriteRequest>request).length
        return plain + self.under.unsent()

    cdef bint gets_on(self, uint64_t *sent) noexcept:
        return self.under.gets_on(sent)

    cdef int _send_chunk(self) except -1:
        cdef object chunk = self.gathered_chunk
        cdef WriteRequest request
        if chunk is None:
            return 0
        self.gathered_chunk = None
        request = self.send_chunk(chunk)
        if request is not None and self.owner is not None:
            self.events.on_sent(self.owner, request)
        return 0

    cdef WriteRequest send_chunk(self, object chunk):
        cdef WriteRequest carrier = None
        cdef WriteRequest request
        cdef Py_ssize_t length = chunk_length(chunk)
        cdef Py_ssize_t done = 0
        cdef object failure = None
        if (length == 0 or not PyBytes_CheckExact(chunk) or not self._is_open() or self.phase != SECURE_OPEN
                or self._end_due or self._end_sent or self._wants_read or self._waiting):
            request = WriteRequest.__new__(WriteRequest)
            request.add(chunk)
            self._accept(request)
            return None if request.state == WRITE_DONE else request
        try:
            done = self.engine.encrypt(chunk)
        except Exception as error:
            failure = error
        self.block.bytes_written += length
        if failure is None and done == length:
            carrier = self._carry(self.engine.take_outgoing())
            if carrier is None:
                # As nearly always; only what is left needs a request.
                return None
        request = WriteRequest.__new__(WriteRequest)
        request.add(chunk)
        request.total = length
        request.state = WRITE_WAITING
        self.block.queued_bytes += length
        if carrier is not None:
            request.release()
            self._carried([(request, length)], request, carrier)
        else:
            self._waiting.append(request)
            if failure is not None:
                self._fail_with(failure)
            else:
                self._encrypted_in_part(request, done)
                self._send(None, None)
        return request

    cdef WriteRequest _send_gathered(self, WriteRequest request):
        self._accept(request)
        return None if request.state == WRITE_DONE else request

    cdef int send(self, WriteRequest request) except -1:
        return self._accept(request)

    cdef int _accept(self, WriteRequest request) except -1:
        """Take a request: afterwards it is done, failed, or waiting for its on_written event."""
        request.total = request.length
        if not self._is_open() or self._end_due or self._end_sent:
            return self._fail(request, -EPIPE)
        if request.length == 0:
            request.release()
            request.state = WRITE_DONE
            return 0
        request.state = WRITE_WAITING
        self.block.bytes_written += request.length
        self.block.queued_bytes += request.length
        self._waiting.append(request)
        return self._push(request)

    cdef int _encrypted_in_part(self, WriteRequest request, Py_ssize_t done) except -1:
        """The rest has to wait until something was received."""
        if done:
            self.block.queued_bytes -= done
            request.advance(done)
        self._wants_read = True
        return 0

    cdef int _push(self, WriteRequest current) except -1:
        """Encrypt what waits, and send it; of `current` the caller will see for himself how far it got."""
        cdef WriteRequest request
        cdef Py_ssize_t done
        cdef object failure = None
        cdef list batch = []
        if self.phase != SECURE_OPEN or self._wants_read:
            return 0
        while self._waiting:
            request = self._waiting[0]
            try:
                done = self.engine.encrypt(_bytes_of(request))
            except Exception as error:
                failure = error
                break
            if done < <Py_ssize_t>request.length:
                self._encrypted_in_part(request, done)
                break
            self._waiting.popleft()
            batch.append((request, request.length))
            # No plain text is kept longer than it is needed.
            request.release()
        self._send(batch, current)
        return 0 if failure is None else self._fail_with(failure)

    cdef int _send(self, list batch, WriteRequest current) except -1:
        """Send what the engine has made of these writes, or has to say by itself."""
        cdef bytes data = self.engine.take_outgoing()
        if data is None and not batch:
            return 0
        return self._carried(batch, current, self._carry(data))

    cdef WriteRequest _carry(self, bytes data):
        """Send encrypted bytes, if there are any: None where they are out, else what carries them."""
        cdef WriteRequest carrier
        if data is None:
            return None
        if self.state == HANDLE_OPEN:
            return self.under.send_chunk(data)
        carrier = WriteRequest.__new__(WriteRequest)
        self._fail(carrier, -EPIPE)
        return carrier

    cdef int _carried(self, list batch, WriteRequest current, WriteRequest carrier) except -1:
        """So far the carrier of these writes has got."""
        if carrier is None or carrier.state != WRITE_WAITING:
            return self._complete(batch, current, carrier)
        self._sending.append((carrier, batch))
        return 0

    cdef int _complete(self, list batch, WriteRequest current, WriteRequest carrier) except -1:
        """What carried these writes is out (None: it was at once), or failed."""
        cdef WriteRequest request
        if batch is None:
            return 0
        for request, length in batch:
            self.block.queued_bytes -= <size_t>length
            request.state = WRITE_DONE if carrier is None else carrier.state
            request.status = 0 if carrier is None else carrier.status
        for request, _ in batch:
            if request is not current:
                tell_owner(self, tell_written, <void *>request, 0)
        return 0

    cdef int _sent_under(self, WriteRequest carrier) except -1:
        if not self._sending or self._sending[0][0] is not carrier:
            return 0
        self._complete(self._sending.popleft()[1], None, carrier)
        return self._tell_end_sent_maybe()

    cdef int fail_waiting(self, int status) except -1:
        """What was not encrypted will not be."""
        cdef WriteRequest request
        while self._waiting:
            request = self._waiting.popleft()
            self.block.queued_bytes -= request.length
            self._fail(request, status)
            tell_owner(self, tell_written, <void *>request, 0)
        return 0

    # === The end ===

    cdef int shutdown(self) except? 1:
        """Send close_notify once everything written is encrypted; receiving goes on.  on_shutdown follows."""
        if not self._is_open():
            return -EPIPE
        self._end_due = True
        self._say_end_maybe()
        return 0

    cdef int _say_end_maybe(self) except -1:
        cdef bytes piece
        cdef object failure = None
        if not self._end_due or self.phase != SECURE_OPEN or self._waiting:
            return 0
        self._end_due = False
        self._end_sent = True
        try:
            # SSL_shutdown() looks for the other side's end, and what is in front of it would be an error.
            while (piece := self.engine.decrypt(self.record)) is not None:
                if self._decrypted is None:
                    self._decrypted = []
                self._decrypted.append(piece)
            self.engine.say_end()
        except Exception as error:
            failure = error
        if failure is not None:
            return self._fail_with(failure)
        self._send(None, None)
        if self.block.reading:
            self._deliver_later()
        return self._tell_end_sent_maybe()

    cdef int _tell_end_sent_maybe(self) except -1:
        """on_shutdown, once all is out."""
        if self._end_sent and not self._end_sent_told and not self._sending:
            self._end_sent_told = True
            later(self.record, _run_shutdown, self, None, 0)
        return 0


cdef object _bytes_of(WriteRequest request):
    """What a request holds, as one bytes-like object that lasts as long as the request."""
    cdef bytes joined
    cdef char *place
    cdef unsigned int index
    if request.count == 1:
        chunk = <object>request.owners[0]
        if PyBytes_CheckExact(chunk) and <size_t>PyBytes_GET_SIZE(chunk) == request.length:
            return chunk
        return PyMemoryView_FromMemory(request.buffers[0].base, request.buffers[0].len, PyBUF_READ)
    joined = PyBytes_FromStringAndSize(NULL, request.length)
    place = joined
    for index in range(request.count):
        memcpy(place, request.buffers[index].base, request.buffers[index].len)
        place += request.buffers[index].len
    return joined


# What is told to the owner, for tell_owner().

cdef int _tell_secured(Writer self, object owner, void *error, ssize_t number) except -1:
    return self.events.on_secured(owner, <object>error)


cdef int _tell_read(Writer self, object owner, void *chunk, ssize_t nread) except -1:
    return self.events.on_read(owner, <bytes>chunk, nread)


cdef int _tell_ticket(Writer self, object owner, void *what, ssize_t number) except -1:
    return self.events.on_ticket(owner)


cdef int _ask(Writer self, object owner, void *base, ssize_t size) except -1:
    return self.events.on_wanted(owner, <char **>base, <size_t *><size_t>size)


# Steps that wait for a tick.

cdef int _run_delivery(object target, object argument, int step) except -1:
    cdef SecureStream self = <SecureStream>target
    self._delivery_due = False
    return self._deliver() if self.phase == SECURE_OPEN and self.state == HANDLE_OPEN else 0


cdef int _run_failure(object target, object error, int step) except -1:
    cdef SecureStream self = <SecureStream>target
    if self.state == HANDLE_OPEN:
        tell_owner(self, _tell_secured, <void *>error, 0)
    return 0


cdef int _run_shutdown(object target, object argument, int step) except -1:
    tell_owner(<SecureStream>target, tell_shutdown, NULL, 0)
    return 0
