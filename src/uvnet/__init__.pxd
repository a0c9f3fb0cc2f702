# What other extension modules may cimport: the public classes, as types of arguments and attributes.
#
#     from uvnet cimport Socket
#     from uvnet.addresses.blocking cimport is_blocked
#
# What they are made of is nobody's business, so that a module compiled against one version of uvnet works with the
# next.  They cannot be base classes of a `cdef class`; methods are Python's.

cdef extern from *:
    ctypedef class uvnet.BlockList [object PyObject, check_size ignore]:
        pass

    ctypedef class uvnet.EventEmitter [object PyObject, check_size ignore]:
        pass

    ctypedef class uvnet.Server [object PyObject, check_size ignore]:
        pass

    ctypedef class uvnet.Socket [object PyObject, check_size ignore]:
        pass

    ctypedef class uvnet.SocketAddress [object PyObject, check_size ignore]:
        pass
