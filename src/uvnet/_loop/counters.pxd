# Counts of what uvnet has allocated and not yet given back; the tests assert zero after every test.

cdef struct Counters:
    Py_ssize_t handles      # libuv handles between a successful init and the end of their close callback
    Py_ssize_t requests     # libuv requests handed to libuv and not yet called back
    Py_ssize_t relayed      # the like, of relays: changed without the GIL
    Py_ssize_t pinned       # Python objects held because libuv points into them

cdef Counters counters
