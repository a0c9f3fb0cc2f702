from uvnet._stream.stream cimport Stream
from uvnet.transports.transport cimport Transport

cdef int attach(Transport self, Stream handle) except -1
