# Contexts of contextvars, in which listeners and callbacks run: of a server those of its creation, of a connection a
# copy of its own.  Whatever libuv or the tick queue calls for an object enters the object's context and leaves it
# before ticks are drained, so that no context is ever entered twice.

cdef extern from "Python.h":
    object copy_context "PyContext_CopyCurrent" ()
    object copy_of_context "PyContext_Copy" (object context)
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1

# None: there is no context, and what runs runs in whatever is there.

cdef inline int enter_context(object context) except -1:
    return 0 if context is None else PyContext_Enter(context)

cdef inline int exit_context(object context) except -1:
    return 0 if context is None else PyContext_Exit(context)
