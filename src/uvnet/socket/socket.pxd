from uvnet._stream.stream cimport Stream
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.socket.adopting cimport Adopting
from uvnet.socket.socket_parent cimport SocketParent

cdef class Socket(Adopting):
    cdef object _block_list              # a BlockList, or None
    cdef object _connector               # while connecting: a Connector, or the options of a path
    cdef public object auto_select_family_attempted_addresses

    cdef int _begin_connect(self, object options) except -1
    cdef int _take_back_connect(self) except -1
    cdef int _read_first(self) except -1
    cdef int _refuse_second_connect(self) except -1
    cdef int _begin_life(self) except -1
    cdef int _connected(self) except -1

cdef int accepted(Socket self, Stream handle, SocketParent server, const sockaddr_storage *remote) except -1
