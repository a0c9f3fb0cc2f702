cdef class OnceListener:
    cdef readonly object listener        # the function given to once()
    cdef EventEmitter emitter
    cdef object event
    cdef bint fired

cdef class Observer:
    cdef object function
    cdef EventEmitter emitter
    cdef object event
    cdef bint once
    cdef bint told

cdef class EventEmitter:
    cdef dict _events                    # event -> listener or Observer, or a tuple of several; None until first used
    cdef Py_ssize_t _observers           # how many of them are observers
    cdef Py_ssize_t _max_listeners       # -1: the default
    cdef dict __dict__                   # users keep their own attributes on their sockets
    cdef object __weakref__

    # For subclasses: called before a listener of `event` is added; may raise.
    cdef int _listener_coming(self, object event) except -1
    # For subclasses: somebody wants to see or remove the listeners of `event`; None for any.
    cdef int _listeners_wanted(self, object event) except -1
    # For subclasses: called after a listener of `event` was added or removed.
    cdef int _listener_added(self, object event) except -1
    cdef int _listener_removed(self, object event) except -1
    # For subclasses: the task of an async listener of `event` ended with an exception.
    cdef int _listener_failed(self, object event, object argument, object error) except -1
    # The loop that tasks of async listeners run on; None for the running one.
    cdef object _loop(self)
    # For subclasses: whose task that of an async listener is, by the first argument of the event.
    cdef object _on_whose_behalf(self, object argument)

    cdef bint has_listeners(self, str event) noexcept
    cdef bint emit0(self, str event) except -1
    cdef bint emit1(self, str event, object argument) except -1
    cdef bint emit_all(self, object event, tuple arguments) except -1

    cdef int _call(self, object listener, object event, tuple arguments) except -1
    cdef int _returned(self, object result, object event, object argument) except -1
    cdef bint _emit_observed(self, tuple listeners, object event, tuple arguments) except -1
    cdef list _listeners_among(self, object found)
    cdef _add(self, object event, object listener, bint once, bint first)
    cdef int _begin(self) except -1
    cdef bint _put(self, object event, object added, bint first) except -1
    cdef bint _take_out(self, object event, object present, Py_ssize_t index) except -1
    cdef int _forget_observer(self, object event, Observer observer) except -1
    cdef Py_ssize_t _place_of(self, object present, object listener) except -2
    cdef bint _remove(self, object event, object listener) except -1
    cdef list _observers_that_call(self, object function, object event)
    cdef int _withdraw(self, str event, object function) except -1
    cdef object _find(self, object event)
    cdef bint _emit_without_listener(self, object event, tuple arguments) except -1
