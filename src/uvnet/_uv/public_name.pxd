# How a class gets the public name of its package, for where Python's own means do not reach.

cdef extern from "uvnet/public_name.h":
    int public_name "uvnet_public_name" (type cls, const char *name) except -1
