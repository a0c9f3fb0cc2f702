"""EventEmitter: Node's `events.EventEmitter`.

A listener list is a single function or an immutable tuple, so that emit() needs no copy: adding and removing
replace it.  A method of the emitter's own is kept as an OwnMethod.  Nothing is allocated before the first listener is
added.

What uvnet itself waits for is an observer: it has a place among the listeners of an event, so it is told in its turn,
but it is none of them.  Nobody sees it, nobody can remove it, and no listener that raises keeps it from being told.
"""

import warnings
from asyncio import get_running_loop
from sys import maxsize

cimport cython
from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_CheckExact, PyTuple_GET_ITEM, PyTuple_GET_SIZE

from uvnet._loop.coroutine cimport is_coroutine, start_coroutine
from uvnet._loop.slow cimport call_watched, watching
from uvnet._loop.threads cimport found_is_taken, look_up, publish, stored
from uvnet._uv.public_name cimport public_name
from uvnet.events.own_method cimport OwnMethod, call_stored, call_stored_with, with_owner, without_owner

from uvnet.errors.codes import cannot_pickle, invalid_callback, invalid_type, out_of_range, unhandled_error

cdef extern from *:
    """
    static PyObject *uvnet_call_tuple(PyObject *callable, PyObject *arguments)
    {
        return PyObject_Vectorcall(callable, &PyTuple_GET_ITEM(arguments, 0),
                                   (size_t)PyTuple_GET_SIZE(arguments), NULL);
    }
    """
    object uvnet_call_tuple(object callable, tuple arguments)

cdef enum:
    DEFAULT_MAX_LISTENERS = 10

cdef object _NOTHING = object()


class MaxListenersExceededWarning(RuntimeWarning):
    """More listeners for one event than set_max_listeners() allows: a sign of a leak.

    Node: "emitter.setMaxListeners(n)".
    """


cdef class OnceListener:
    """What once() adds: calls its `listener` one time, after removing itself."""

    def __call__(self, *arguments):
        cdef bint fired
        if self.emitter is None:
            return None
        with cython.critical_section(self):
            fired, self.fired = self.fired, True
        if fired:
            return None
        self.emitter._remove(self.event, self)
        return self.listener(*arguments)

    @property
    def __wrapped__(self):
        # For inspect.unwrap(), and so for whoever says where a listener is from.
        return self.listener

    def __repr__(self):
        return f"<once {self.listener!r}>"


@cython.final
cdef class Observer:
    """What _observe() adds."""

    def __call__(self, *arguments):
        if self.told:
            return None
        if self.once:
            self.told = True
            self.emitter._forget_observer(self.event, self)
        return self.function(*arguments)

    @property
    def __wrapped__(self):
        # As of OnceListener.
        return self.function


cdef class EventEmitter:
    """Calls listeners by the name of an event.  Node: "Class: EventEmitter".

    An event is any hashable, usually a str.  Listeners run synchronously, in the order they were added, with
    the arguments given to emit().  A listener may be an `async def`: its coroutine runs as a task on the
    running loop, is kept alive, and an exception that ends it goes to the loop's exception handler.
    """

    def __cinit__(self, *args, **kwargs):
        self._max_listeners = -1

    # === Public API ===

    def on(self, event, listener=None):
        """Add `listener` (a callable) to the end of the listeners of `event`; returns the emitter.

        Without `listener` it is a decorator that returns the function.  The same listener may be added
        several times and is then called as often.  Emits 'newListener' before it is added.
        Raises TypeError for a listener that is not callable.  Node: "emitter.on(eventName, listener)".
        """
        if listener is None:
            return _Decorator(self, event, False)
        self._add(event, listener, False, False)
        return self

    def add_listener(self, event, listener):
        """The same as on(event, listener).  Node: "emitter.addListener(eventName, listener)"."""
        self._add(event, listener, False, False)
        return self

    def once(self, event, listener=None):
        """Like on(), but the listener is removed before its first call.

        Node: "emitter.once(eventName, listener)".
        """
        if listener is None:
            return _Decorator(self, event, True)
        self._add(event, listener, True, False)
        return self

    def prepend_listener(self, event, listener):
        """Like on(event, listener), but in front.  Node: "emitter.prependListener(eventName, listener)"."""
        self._add(event, listener, False, True)
        return self

    def prepend_once_listener(self, event, listener):
        """Like once(event, listener), but in front.

        Node: "emitter.prependOnceListener(eventName, listener)".
        """
        self._add(event, listener, True, True)
        return self

    def remove_listener(self, event, listener):
        """Remove the listener of `event` that was added last and equals `listener`; returns the emitter.

        Nothing happens where there is none.  Emits 'removeListener' afterwards.  An emit() that is under way
        still calls it.  Node: "emitter.removeListener(eventName, listener)".
        """
        if not callable(listener):
            raise invalid_callback(listener, "listener")
        self._remove(event, listener)
        return self

    def off(self, event, listener):
        """The same as remove_listener().  Node: "emitter.off(eventName, listener)"."""
        return self.remove_listener(event, listener)

    def remove_all_listeners(self, *event):
        """Remove the listeners of `event`, or without an argument those of every event.

        Returns the emitter.  Node: "emitter.removeAllListeners([eventName])".
        """
        if len(event) > 1:
            raise TypeError(f"remove_all_listeners() takes at most one event, not {len(event)}")
        if self._events is None:
            if event:
                hash(event[0])
            return self
        if not event:
            self._listeners_wanted(None)
            # 'removeListener' goes last: its listeners hear of the others.
            for name in [name for name in list(self._events) if name != "removeListener"] + ["removeListener"]:
                self.remove_all_listeners(name)
            return self
        name = event[0]
        for listener in reversed(self.raw_listeners(name)):
            self._remove(name, listener)
        return self

    @cython.embedsignature(False)
    def emit(self, event, first=_NOTHING, /, *others):
        """emit($self, event, /, *arguments)
--

        Call the listeners of `event` with the other arguments; True if there were any.

        An exception of a listener leaves emit(), and the listeners after it are not called.
        'error' without a listener raises its argument, or a RuntimeError where that is no exception.
        Node: "emitter.emit(eventName[, ...args])".
        """
        # A tuple for the arguments of so common a call as emit("data", chunk) would cost as much as the rest.
        if first is _NOTHING:
            return self.emit_all(event, ())
        if others:
            return self.emit_all(event, (first, *others))
        if type(event) is str and event != "error":
            return self.emit1(event, first)
        return self.emit_all(event, (first,))

    def listeners(self, event):
        """A list of the listeners of `event`, as they were given.  Node: "emitter.listeners(eventName)"."""
        found = []
        for listener in self.raw_listeners(event):
            found.append((<OnceListener>listener).listener if isinstance(listener, OnceListener) else listener)
        return found

    def raw_listeners(self, event):
        """Like listeners(), with the wrappers that once() made; a wrapper has the function as `listener`.

        Node: "emitter.rawListeners(eventName)".
        """
        self._listeners_wanted(event)
        return self._listeners_among(self._find(event))

    def listener_count(self, event):
        """How many listeners `event` has.  Node: "emitter.listenerCount(eventName)"."""
        self._listeners_wanted(event)
        found = self._find(event)
        return len(self._listeners_among(found))

    def event_names(self):
        """A list of the events that have listeners.  Node: "emitter.eventNames()"."""
        self._listeners_wanted(None)
        if self._events is None:
            return []
        return [event for event, found in list(self._events.items()) if self._listeners_among(found)]

    def set_max_listeners(self, count):
        """Warn (MaxListenersExceededWarning) beyond `count` listeners of one event; 0 for no limit.

        The default is 10.  Returns the emitter.  Raises TypeError or ValueError for a bad count.
        Node: "emitter.setMaxListeners(n)".
        """
        if isinstance(count, bool) or not isinstance(count, int):
            raise invalid_type("n", "of type int", count)
        if not 0 <= count <= maxsize:
            raise out_of_range("n", f">= 0 and <= {maxsize}", count)
        self._max_listeners = count
        return self

    def get_max_listeners(self):
        """What set_max_listeners() set, or 10.  Node: "emitter.getMaxListeners()"."""
        return DEFAULT_MAX_LISTENERS if self._max_listeners < 0 else self._max_listeners

    def __reduce__(self):
        # A subclass in Python may know better; without this, the oldest protocols would make an emitter of its class.
        raise cannot_pickle(self)

    # === For uvnet ===

    def _observe(self, event, function, bint once=False, bint first=False):
        """Have `function` told of `event` at the place where a listener added now would be, or before them all."""
        cdef Observer observer = Observer.__new__(Observer)
        observer.function = function
        observer.emitter = self
        observer.event = event
        observer.once = once
        if self._events is None:
            self._begin()
        self._put(event, observer, first)
        self._observers += 1

    def _is_heard(self, event):
        """Whether anybody is told of `event`: a listener, or an observer."""
        return self._find(event) is not None

    def _stop_observing(self, event, function):
        """Undo _observe(); nothing happens where that is over already."""
        for observer in self._observers_that_call(function, event):
            self._forget_observer(event, observer)
            return

    def _why_never(self, event):
        """None where `event` may still come, else the exception for who waits for it."""
        return None

    # === For subclasses ===

    cdef int _withdraw(self, str event, object function) except -1:
        """Undo every _observe() of `function`, also for an emit() that is under way."""
        for observer in self._observers_that_call(function, event):
            (<Observer>observer).told = True
            self._forget_observer(event, observer)
        return 0

    cdef list _observers_that_call(self, object function, object event):
        """Those of an event, in their order."""
        found = self._find(event)
        return [
            candidate
            for candidate in (<tuple>found if PyTuple_CheckExact(found) else (found,))
            if type(candidate) is Observer and (<Observer>candidate).function == function
        ]

    cdef int _listener_coming(self, object event) except -1:
        return 0

    cdef int _listeners_wanted(self, object event) except -1:
        return 0

    cdef int _listener_added(self, object event) except -1:
        return 0

    cdef int _listener_removed(self, object event) except -1:
        return 0

    cdef int _listener_failed(self, object event, object argument, object error) except -1:
        get_running_loop().call_exception_handler(
            {"message": f"exception in an async listener of {event!r}", "exception": error, "source": self}
        )
        return 0

    cdef object _loop(self):
        return None

    cdef object _on_whose_behalf(self, object argument):
        return self

    cdef bint has_listeners(self, str event) noexcept:
        # Observers are not told apart: an 'error' that one of them hears of has been heard.
        return self._events is not None and event in self._events

    cdef bint emit0(self, str event) except -1:
        """Emit an event without arguments."""
        cdef PyObject *found = NULL
        if self._events is not None:
            found = look_up(self._events, event)
        if found is NULL:
            return False
        listener = <object>found
        found_is_taken(found)
        if watching or PyTuple_CheckExact(listener):
            return self.emit_all(event, ())
        result = call_stored(listener, self)
        if result is not None:
            self._returned(result, event, None)
        return type(listener) is not Observer

    cdef bint emit1(self, str event, object argument) except -1:
        """Emit an event with one argument."""
        cdef PyObject *found = NULL
        if self._events is not None:
            found = look_up(self._events, event)
        if found is NULL:
            return False
        listener = <object>found
        found_is_taken(found)
        if watching or PyTuple_CheckExact(listener):
            return self.emit_all(event, (argument,))
        result = call_stored_with(listener, self, argument)
        if result is not None:
            self._returned(result, event, argument)
        return type(listener) is not Observer

    cdef bint emit_all(self, object event, tuple arguments) except -1:
        """Emit any event; 'error' without a listener raises."""
        cdef Py_ssize_t index
        cdef PyObject *found = NULL
        if self._events is not None:
            found = look_up(self._events, event)
        if found is NULL:
            return self._emit_without_listener(event, arguments)
        listeners = <object>found
        found_is_taken(found)
        if not PyTuple_CheckExact(listeners):
            self._call(listeners, event, arguments)
            return type(listeners) is not Observer
        if self._observers:
            return self._emit_observed(<tuple>listeners, event, arguments)
        for index in range(PyTuple_GET_SIZE(listeners)):
            self._call(<object>PyTuple_GET_ITEM(listeners, index), event, arguments)
        return True

    # === Private ===

    cdef int _call(self, object listener, object event, tuple arguments) except -1:
        if watching:
            result = call_watched(self._loop(), f"{event!r} listener", with_owner(listener, self), arguments, self)
        elif type(listener) is OwnMethod:
            result = uvnet_call_tuple((<OwnMethod>listener).function, (self, *arguments))
        else:
            result = uvnet_call_tuple(listener, arguments)
        if result is not None:
            self._returned(result, event, arguments[0] if arguments else None)
        return 0

    cdef bint _emit_observed(self, tuple listeners, object event, tuple arguments) except -1:
        """Like emit_all(), with observers among the listeners: they are told even where a listener raises."""
        cdef object failure = None
        cdef bint observing
        cdef bint heard = False
        for listener in listeners:
            observing = type(listener) is Observer
            if failure is not None and not observing:
                continue
            heard = heard or not observing
            try:
                self._call(listener, event, arguments)
            except BaseException as error:
                if failure is None:
                    failure = error
                else:
                    self._listener_failed(event, arguments[0] if arguments else None, error)
        if failure is not None:
            raise failure
        return heard

    cdef list _listeners_among(self, object found):
        """A list of the listeners in what is stored for an event."""
        if found is None:
            return []
        cdef list listeners = []
        for listener in (<tuple>found if PyTuple_CheckExact(found) else (found,)):
            if type(listener) is not Observer:
                listeners.append(with_owner(listener, self))
        return listeners

    cdef object _find(self, object event):
        """What is stored for `event`; raises TypeError for one that cannot be hashed."""
        if self._events is None:
            hash(event)
            return None
        return stored(self._events, event)

    cdef bint _emit_without_listener(self, object event, tuple arguments) except -1:
        if self._events is None:
            hash(event)
        if event == "error":
            error = arguments[0] if arguments else None
            if isinstance(error, BaseException):
                raise error
            raise unhandled_error(error)
        return False

    cdef int _returned(self, object result, object event, object argument) except -1:
        if is_coroutine(result):
            self._run_coroutine(result, event, argument)
        return 0

    def _run_coroutine(self, coroutine, event, argument):
        start_coroutine(
            self._loop(), coroutine, self._on_whose_behalf(argument),
            lambda error: self._listener_failed(event, argument, error),
        )

    cdef _add(self, object event, object listener, bint once, bint first):
        cdef OnceListener wrapper
        cdef Py_ssize_t count
        if not callable(listener):
            raise invalid_callback(listener, "listener")
        hash(event)
        self._listener_coming(event)
        if self._events is None:
            self._begin()
        elif "newListener" in self._events:
            self.emit_all("newListener", (event, listener))
            # Whoever was told may have brought back what the listener ends.
            self._listener_coming(event)
        if once:
            wrapper = OnceListener.__new__(OnceListener)
            wrapper.listener = listener
            wrapper.emitter = self
            wrapper.event = event
            added = wrapper
        else:
            added = without_owner(listener, self)
        if self._put(event, added, first):
            count = len(self._listeners_among(self._find(event)))
            if count == self.get_max_listeners() + 1 and self.get_max_listeners() > 0:
                warnings.warn(
                    f"possible leak: {count} {event!r} listeners added to {type(self).__name__}; "
                    "use set_max_listeners() if that is intended",
                    MaxListenersExceededWarning,
                    stacklevel=1,   # this module has no frame: the caller's is the nearest
                )
        self._listener_added(event)

    cdef int _begin(self) except -1:
        """Have a dictionary from now on."""
        cdef dict events = {}
        publish()
        # Without a GIL an emitter that belongs to no loop may be anybody's: each of these sections is one step.
        with cython.critical_section(self):
            if self._events is None:
                self._events = events
        return 0

    cdef bint _put(self, object event, object added, bint first) except -1:
        """Store it with what there is for `event` already; whether there was anything."""
        cdef object present
        with cython.critical_section(self):
            present = stored(self._events, event)
            if present is None:
                self._events[event] = added
            else:
                old = <tuple>present if PyTuple_CheckExact(present) else (present,)
                self._events[event] = (added, *old) if first else (*old, added)
        return present is not None

    cdef bint _take_out(self, object event, object present, Py_ssize_t index) except -1:
        """Store what is left of `present` without one of them; False where something else is stored by now."""
        cdef tuple listeners = <tuple>present if PyTuple_CheckExact(present) else (present,)
        cdef bint unchanged
        with cython.critical_section(self):
            unchanged = stored(self._events, event) is present
            if not unchanged:
                pass
            elif len(listeners) == 1:
                del self._events[event]
            elif len(listeners) == 2:
                self._events[event] = listeners[1 - index]
            else:
                self._events[event] = listeners[:index] + listeners[index + 1:]
        return unchanged

    cdef int _forget_observer(self, object event, Observer observer) except -1:
        cdef Py_ssize_t index
        present = self._find(event)
        listeners = <tuple>present if PyTuple_CheckExact(present) else (present,)
        for index in range(len(listeners)):
            if listeners[index] is observer and self._take_out(event, present, index):
                self._observers -= 1
                break
        return 0

    cdef Py_ssize_t _place_of(self, object present, object listener) except -2:
        """Where among those stored for an event the last one that equals `listener` is, or -1."""
        cdef Py_ssize_t index
        listeners = <tuple>present if PyTuple_CheckExact(present) else (present,)
        for index in range(len(listeners) - 1, -1, -1):
            candidate = with_owner(listeners[index], self)
            if type(candidate) is Observer:
                continue
            if candidate is listener:
                return index
            if isinstance(candidate, OnceListener) and (<OnceListener>candidate).listener == listener:
                return index
            # Bound methods are made anew at every access, and compare equal.
            if candidate == listener:
                return index
        return -1

    cdef bint _remove(self, object event, object listener) except -1:
        cdef Py_ssize_t index
        present = self._find(event)
        while present is not None:
            index = self._place_of(present, listener)
            if index < 0:
                return False
            if self._take_out(event, present, index):
                break
            # Who compares may do anything, and so may other threads.
            present = self._find(event)
        else:
            return False
        removed = with_owner((<tuple>present)[index] if PyTuple_CheckExact(present) else present, self)
        self._listener_removed(event)
        if "removeListener" in self._events:
            original = (<OnceListener>removed).listener if isinstance(removed, OnceListener) else removed
            self.emit_all("removeListener", (event, original))
        return True


cdef class _Decorator:
    # What on() and once() return when the function is left out.
    cdef EventEmitter emitter
    cdef object event
    cdef bint once

    def __cinit__(self, EventEmitter emitter not None, event, bint once):
        hash(event)
        self.emitter = emitter
        self.event = event
        self.once = once

    def __call__(self, listener):
        self.emitter._add(self.event, listener, self.once, False)
        return listener


public_name(EventEmitter, "uvnet.EventEmitter")
