"""When a stream gives out what it has received: flowing, paused, on 'readable', into a pipe.

What there is to give out, and its end, is the business of Readable.
Node: "Two reading modes", "Three states"; rules 2.15, 3.1 and 3.3.
"""

from collections.abc import Mapping

from uvnet.streams.readable cimport FLOWING, NOBODY_ASKED, NOT_FLOWING, Readable
from uvnet.streams.steps cimport STEP_READABLE, STEP_READ_MORE, STEP_RESUME, STEP_UPDATE_LISTENING

from uvnet.streams.piping import start_piping, stop_piping


cdef class Flowing(Readable):
    """The receiving half of a Socket, and when it gives out; not made by users."""

    # === Public API ===

    def pause(self):
        """Stop emitting 'data'; returns the socket.  Data is buffered up to the high-water mark meanwhile.

        Emits 'pause'.  Node: "readable.pause()".
        """
        self.record.check()
        self._own_reading()
        self._read_less()
        self._paused = True
        if self._flowing != NOT_FLOWING:
            self._flowing = NOT_FLOWING
            if not self._close_emitted:
                self.emit0("pause")
        return self

    def resume(self):
        """Start or go on emitting 'data'; returns the socket.  Without a 'data' listener data is lost.

        Emits 'resume' on a tick, then what is buffered.  Has no effect on flowing while there is a
        'readable' listener.  Node: "readable.resume()".
        """
        self.record.check()
        self._own_reading()
        self._resume_flow()
        self._paused = False
        return self

    def is_paused(self):
        """True after pause(), or whenever the stream is told not to flow.  Node: "readable.isPaused()"."""
        self._own_reading()
        return bool(self._paused) or self._flowing == NOT_FLOWING

    def pipe(self, destination, end=True):
        """Send everything that is received to `destination`, at the pace it takes; returns it.

        `destination` is a Socket, anything with write() and end() (and on("drain") where write() may return
        False), or a binary file.  Unless `end` is false it is ended after 'end' (a file is flushed instead).
        A mapping {"end": ...} may stand in the place of `end`.  Emits 'pipe' on the destination.
        Raises TypeError for a destination without write().
        Node: "readable.pipe(destination[, options])".
        """
        self.record.check()
        self._own_reading()
        if isinstance(end, Mapping):
            end = end.get("end", True)
        return start_piping(self, destination, end)

    def unpipe(self, destination=None):
        """Undo pipe(destination), or every pipe() from here; returns the socket.

        The stream is paused when no pipe is left.  Emits 'unpipe' on the destination.
        Node: "readable.unpipe([destination])".
        """
        self.record.check()
        stop_piping(self, destination)
        return self

    @property
    def readable_flowing(self):
        """None: nobody has asked for data; True: flowing; False: paused or read by hand.

        Node: "readable.readableFlowing".
        """
        self._own_reading()
        return None if self._flowing == NOBODY_ASKED else self._flowing == FLOWING

    def _relay(self, piping):
        # For piping.py: a chunk has gone the way through Python.
        self._try_relay(piping)

    # === Private ===

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_RESUME:
            self._resume_scheduled = False
            self._read(0, False)
            if not self._close_emitted:
                self.emit0("resume")
            self._flow()
            if self._pipings:
                self._try_relay(self._pipings[0])
        elif step == STEP_READABLE:
            self._emit_readable()
        elif step == STEP_READ_MORE:
            self._read(0, False)
        elif step == STEP_UPDATE_LISTENING:
            self._update_listening()
        else:
            Readable._step(self, step, argument)
        return 0

    cdef int _step_owed(self, int step, object argument) except -1:
        if step == STEP_RESUME or step == STEP_UPDATE_LISTENING:
            # Listeners and flowing state are not of one life.
            return self._step(step, argument)
        return Readable._step_owed(self, step, argument)

    cdef int _listener_coming(self, object event) except -1:
        # These two start to read.
        if event == "data" or event == "readable":
            self.record.check()
            self._own_reading()
        elif event == "pause" or event == "resume":
            self._own_reading()
        elif event == "drain" or event == "newListener" or event == "removeListener":
            self._own_writing()
        return 0

    cdef int _listeners_wanted(self, object event) except -1:
        # pipe() listens for 'drain' while it waits, and a relay that waits does not.
        if event is None or event == "drain":
            self._own_writing()
        return 0

    cdef int _listener_added(self, object event) except -1:
        if event == "data":
            self._choose_data_listener()
            self._readable_listening = self.has_listeners("readable")
            if self._flowing != NOT_FLOWING:
                self._resume_flow()
                self._paused = False
        elif event == "readable" and not self._end_emitted and not self._readable_listening:
            self._readable_listening = True
            self._need_readable = True
            self._emitted_readable = False
            self._flowing = NOT_FLOWING
            if self._readable_length:
                self._emit_readable_later()
            else:
                self._later(STEP_READ_MORE, None)
        return 0

    cdef int _listener_removed(self, object event) except -1:
        if event == "readable":
            self._later(STEP_UPDATE_LISTENING, None)
        elif event == "data":
            self._own_reading()
            self._choose_data_listener()
        return 0

    cdef int _choose_data_listener(self) except -1:
        found = self._events.get("data")
        self._data_listener = None if isinstance(found, tuple) else found
        return 0

    cdef int _resume_flow(self) except -1:
        if self._flowing != FLOWING:
            # With a 'readable' listener the stream stays in the hands of read().
            self._flowing = NOT_FLOWING if self._readable_listening else FLOWING
            if not self._resume_scheduled:
                self._resume_scheduled = True
                self._later(STEP_RESUME, None)
        return 0

    cdef int _flow(self) except -1:
        while self._flowing == FLOWING and not self._destroyed:
            if self._read(0, True) is None:
                break
        return 0

    cdef int _emit_readable_later(self) except -1:
        self._need_readable = False
        if not self._emitted_readable:
            self._emitted_readable = True
            self._later(STEP_READABLE, None)
        return 0

    cdef int _emit_readable(self) except -1:
        cdef unsigned int life = self._life
        if not self._destroyed and self._errored is None and (self._readable_length or self._readable_ended):
            self.emit0("readable")
            if self._life != life:
                return 0
            self._emitted_readable = False
        self._need_readable = (
            self._flowing != FLOWING and not self._readable_ended
            and self._readable_length <= self._readable_high_water_mark
        )
        self._flow()
        return 0

    cdef int _update_listening(self) except -1:
        self._readable_listening = self.has_listeners("readable")
        if self._resume_scheduled and not self._paused:
            self._flowing = FLOWING
        elif self.has_listeners("data"):
            self._resume_flow()
            self._paused = False
        elif not self._readable_listening:
            self._flowing = NOBODY_ASKED
        return 0
