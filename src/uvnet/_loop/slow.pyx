"""Slow callbacks: in asyncio's debug mode what holds the loop up for long is logged, as asyncio does with its own.

What uvnet calls, the loop does not see one by one.  `loop.slow_callback_duration` says what is long.
"""

import logging
from functools import partial
from inspect import unwrap
from time import monotonic

_log = logging.getLogger("asyncio")

cdef extern from *:
    """
    static _Thread_local double uvnet_told = 0;
    """
    # Seconds reported in this thread in all: who called what was slow is not slow for that.
    double _told "uvnet_told"


def watch():
    """Measure from now on, in loops in debug mode."""
    global watching
    watching = True


cdef object call_watched(object loop, str what, object function, tuple arguments, object owner):
    global _told
    cdef double told = _told
    cdef double took
    if loop is None or not loop.get_debug():
        return function(*arguments)
    begun = monotonic()
    try:
        return function(*arguments)
    finally:
        took = monotonic() - begun - (_told - told)
        if took >= loop.slow_callback_duration:
            _told += took
            whose = "" if owner is None else f" of {owner!r}"
            _log.warning("Executing %s %s%s took %.3f seconds", what, describe(function), whose, took)


def describe(function):
    """A callable by its name and place: "f() at file.py:12"."""
    function = unwrap(function)
    while isinstance(function, partial):
        function = unwrap(function.func)
    name = getattr(function, "__qualname__", None)
    code = getattr(function, "__code__", None)
    if name is None:
        return repr(function)
    return f"{name}()" if code is None else f"{name}() at {code.co_filename}:{code.co_firstlineno}"
