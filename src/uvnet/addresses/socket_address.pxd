from uvnet.addresses.ip cimport Key

cdef class SocketAddress:
    cdef readonly str address
    cdef readonly int port
    cdef readonly int flow_label
    cdef int number          # of the family: 4 or 6
    cdef Key key

# 4 or 6 for an address in what users may write it as: text, or an object that knows its family.
cdef int family_of(object family, str name) except -1
cdef int key_of_text(str text, Key *key) noexcept
cdef int key_of_object(object address, Key *key) except -1
