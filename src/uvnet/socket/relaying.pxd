from uvnet._stream.file_sink cimport FileSink
from uvnet.socket.connection cimport Connection

cdef class Relaying(Connection):
    cdef Relaying _relay_sink            # where a relay from here goes
    cdef Relaying _relay_source          # where a relay to here comes from
    cdef FileSink _file_sink             # the file that takes what comes, where that is what goes on from here
    cdef object _relay_piping            # the Piping that it does the work of

    cdef bint _may_be_relayed(self, object piping) except -1
    cdef bint _may_take_relay(self) except -1
