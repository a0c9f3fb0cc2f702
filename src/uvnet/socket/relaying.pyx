"""When pipe() becomes a relay, and how it goes on in Python afterwards.

A relay (see _stream/relay.pyx) takes over the work of a Piping while nobody can tell the difference:
  - both ends are connected sockets of one loop, TCP or Unix, without TLS; source and destination may be the same
    socket;
  - the source flows, has nothing buffered, no encoding, no onread, no iterator, one pipe() and no other 'data'
    listener, and nobody listens for 'readable', 'pause' or 'resume';
  - the destination has nothing waiting, is neither corked nor ending, takes no other relay, and nobody listens
    for 'drain', 'newListener' or 'removeListener';
  - the source does not replace pause() or resume() with its own, nor the destination write(), on() or off().
It is tried when the source begins to flow and after each chunk that Python has piped.  Whatever ends one of
these conditions first calls _leave_relays(): the state is then what it would be had every chunk gone through
Python, and nothing is lost.  The listeners of pipe() stay in place all the time.

A file that receive_file() moves data to (_stream/file_sink.pyx) is left in the same way and for the same reasons: who
waits goes on with what came in Python, and comes back.

UVNET_RELAY=0 in the environment switches both off.
"""

import os

from uvnet._stream.file_sink cimport FileSink, start_sink
from uvnet._stream.relay cimport drop_relay, relay_is_waiting, start_relay, stop_relay
from uvnet._stream.write_request cimport WriteRequest
from uvnet.events.emitter cimport EventEmitter
from uvnet.socket.connection cimport Connection
from uvnet.streams.readable cimport FLOWING, RELAY_FROM, RELAY_TO
from uvnet.streams.writable cimport Writable

cdef extern from "Python.h":
    int PyObject_GenericSetAttr(object owner, object name, object value) except -1

cdef bint _enabled = os.environ.get("UVNET_RELAY", "1") != "0"


def _enable(bint enabled):
    # For tests, which compare both ways in one process; relays that run go on.  Returns what it was.
    global _enabled
    before, _enabled = _enabled, enabled
    return bool(before)


cdef bint _replaces(object socket, str name, object original) except -1:
    return getattr(type(socket), name) is not original or name in socket.__dict__


cdef class Relaying(Connection):
    """A connection whose pipe() may be a relay; not made by users."""

    def __setattr__(self, name, value):
        self.record.check_thread()
        if self._relaying and name in ("write", "on", "off", "pause", "resume"):
            self._own_reading()
            self._own_writing()
        PyObject_GenericSetAttr(self, name, value)

    @property
    def _relayed(self):
        # For tests: whether a relay runs from here.
        return bool(self._relaying & RELAY_FROM)

    cdef int _try_relay(self, object piping) except -1:
        cdef Relaying sink
        if (not _enabled or self._relaying & RELAY_FROM or not isinstance(piping.destination, Relaying)
                or not self._may_be_relayed(piping)):
            return 0
        sink = <Relaying>piping.destination
        if (sink.record is not self.record or not sink._may_take_relay()
                or not start_relay(self._handle, sink._handle)):
            return 0
        self._relaying |= RELAY_FROM
        self._relay_piping = piping
        self._relay_sink = sink
        sink._relaying |= RELAY_TO
        sink._relay_source = self
        return 0

    cdef bint _may_be_relayed(self, object piping) except -1:
        return (
            self._handle is not None and not self._connecting and self._handle.base() is self._handle
            and self._flowing == FLOWING and not self._resume_scheduled and self._readable_length == 0
            and not self._readable_ended and self._decoder is None and self._reader is None
            and self._reading is None and not piping.waiting
            and self._pipings == [piping] and self._data_listener == piping.on_data
            and not self.has_listeners("readable") and not self.has_listeners("pause")
            and not self.has_listeners("resume")
            and not _replaces(self, "pause", Connection.pause)
            and not _replaces(self, "resume", Connection.resume)
        )

    cdef bint _may_take_relay(self) except -1:
        return (
            self._handle is not None and not self._connecting and self._handle.base() is self._handle
            and not self._ending and self._errored is None and self._in_flight is None
            and self._corked == 0 and not self._need_drain and not self._relaying & RELAY_TO
            and not self.has_listeners("drain") and not self.has_listeners("newListener")
            and not self.has_listeners("removeListener")
            and not _replaces(self, "write", Writable.write)
            and not _replaces(self, "on", EventEmitter.on)
            and not _replaces(self, "off", EventEmitter.off)
        )

    cdef bint _relay_waiting(self) noexcept:
        return relay_is_waiting(self._handle.block)

    cdef int _leave_relays(self, int directions) except -1:
        cdef Relaying sink
        cdef FileSink file_sink = self._file_sink
        cdef WriteRequest waiting
        cdef bytes rest
        cdef object piping
        if directions & RELAY_TO and self._relaying & RELAY_TO:
            self._relay_source._leave_relays(RELAY_FROM)
        if not (directions & RELAY_FROM and self._relaying & RELAY_FROM):
            return 0
        if file_sink is not None:
            self._file_sink = None
            self._relaying &= ~RELAY_FROM
            file_sink.stop()
            if not self.record.closed:
                self._handle.read_start()
            return 0
        sink = self._relay_sink
        piping = self._relay_piping
        waiting = None
        rest = failure = None
        try:
            if self.record.forked:
                # What is on its way is the parent's.
                drop_relay(self._handle)
            else:
                waiting, rest = stop_relay(self._handle)
        except (MemoryError, OSError) as error:
            drop_relay(self._handle)
            failure = error
        self._relaying &= ~RELAY_FROM
        sink._relaying &= ~RELAY_TO
        self._relay_sink = self._relay_piping = sink._relay_source = None
        if waiting is not None:
            # What write() would have left behind.
            sink._in_flight = waiting
            sink._writable_length += waiting.total
            try:
                if rest:
                    sink._buffered = [(rest, None)]
                    sink._writable_length += len(rest)
                if sink._writable_length >= sink._writable_high_water_mark and not self.record.closed:
                    sink._need_drain = True
                    piping.wait()
            except MemoryError as error:
                failure = error
        if failure is not None:
            # What was on its way is lost, or nobody would wait for it: nothing may go on as if all were well.
            sink._destroy_stream(failure)
            return self._destroy_stream(failure)
        if not self.record.closed:
            self._handle.read_start()
        return 0

    cdef int _relay_ended(self, ssize_t nread) except -1:
        self._leave_relays(RELAY_FROM)
        if nread == 0:
            # The file has what it should.
            return self._wake_reader()
        self._handle.read_stop()
        return self._received(None, nread)

    cdef bint _start_sink(self, FileSink sink) except -1:
        if (not _enabled or self._handle is None or self._connecting or self._handle.base() is not self._handle
                or self._reader is not None or self._relaying & RELAY_FROM or self._readable_length
                or self._readable_ended or self._decoder is not None or not start_sink(self._handle, sink)):
            return False
        self._relaying |= RELAY_FROM
        self._file_sink = sink
        return True
