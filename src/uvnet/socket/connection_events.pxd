from uvnet._stream.stream cimport Stream
from uvnet.socket.connection cimport Connection

cdef int attach(Connection self, Stream handle) except -1
cdef int tell_closed(Connection self, unsigned int life) except -1
