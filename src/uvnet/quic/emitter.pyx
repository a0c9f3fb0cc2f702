"""QuicEmitter: what sockets and sessions of QUIC have in common: their ticks, and what a listener does that raises.

Knows nothing of QUIC; the classes above it are plain Python.
"""

from uvnet._loop.context cimport copy_context, copy_of_context, enter_context, exit_context
from uvnet._loop.loop cimport current_record
from uvnet._loop.tick cimport report, report_unheard
from uvnet.events.loop_emitter cimport LoopEmitter
from uvnet.streams.steps cimport STEP_CALL


cdef class QuicEmitter(LoopEmitter):
    """What QuicSocket and QuicSession have in common; not made by users."""

    def __init__(self, QuicEmitter parent=None):
        if parent is None:
            self.record = current_record()
            self._context = copy_context()
        else:
            # As of an accepted connection: a copy of its server's.
            self.record = parent.record
            self._context = copy_of_context(parent._context)

    @property
    def _record(self):
        return self.record

    def _check(self):
        """Raise RuntimeError on a closed loop, and on a thread that is not the loop's."""
        self.record.check()

    def _later_call(self, function, *arguments):
        """Call it on a tick, in the context of this emitter."""
        self._later(STEP_CALL, (function, arguments))

    def _emit_later(self, event, *arguments):
        """Emit on a tick."""
        self._later(STEP_CALL, (self._emit_here, (event, *arguments)))

    def _emit_now(self, event, *arguments):
        """Emit at once, out of a callback of the loop; what a listener raises goes to _listener_raised()."""
        cdef object context = self._context
        try:
            enter_context(context)
        except RuntimeError:
            # A listener of ours is on the stack.
            context = None
        try:
            self._emit_here(event, *arguments)
        finally:
            exit_context(context)

    def _emit_here(self, event, *arguments):
        try:
            if event == "error" and not self.has_listeners("error"):
                if not self._errors_are_heard():
                    report_unheard(self.record, arguments[0], self)
                return
            self.emit_all(event, arguments)
        except BaseException as error:
            self._raised(event, arguments[0] if arguments else None, error)

    def _report(self, error):
        """Hand an exception of user code to the loop's exception handler."""
        report(self.record, error, f"exception in a listener of {type(self).__name__}", self)

    # === For subclasses ===

    def _listener_raised(self, event, argument, error):
        """A listener of `event`, or its coroutine, raised."""
        self._report(error)

    def _errors_are_heard(self):
        """Whether somebody knows of an 'error' that has no listener: it has been raised where it is awaited."""
        return False

    # === Private ===

    cdef int _step(self, int step, object argument) except -1:
        if step == STEP_CALL:
            function, arguments = <tuple>argument
            function(*arguments)
        return 0

    cdef int _listener_failed(self, object event, object argument, object error) except -1:
        if not self.record.closed:
            self._raised(event, argument, error)
        return 0

    cdef int _raised(self, object event, object argument, object error) except -1:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            self._report(error)
        else:
            self._listener_raised(event, argument, error)
        return 0
