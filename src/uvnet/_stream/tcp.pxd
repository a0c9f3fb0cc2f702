from uvnet._loop.record cimport LoopRecord
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport uv_tcp_t
from uvnet.addresses.sockaddr cimport ip_name

cdef class TCP(Stream):
    cdef inline uv_tcp_t *uv_tcp(self) noexcept:
        return <uv_tcp_t *>self.uv_handle

    cdef int open(self, int descriptor) noexcept
    cdef int make_socket(self, int family) noexcept
    cdef int bind(self, str address, int port) except? 1
    cdef int connect(self, str address, int port) except? 1
    cdef int set_no_delay(self, bint enable) noexcept
    cdef int set_keep_alive(self, bint enable, unsigned int delay, unsigned int interval,
                            unsigned int count) noexcept
    cdef int set_type_of_service(self, int value) noexcept
    cdef int get_type_of_service(self) noexcept
    cdef int _service_option(self, int *level) noexcept
    cdef bint local_name(self, ip_name *name) noexcept
    cdef bint remote_name(self, ip_name *name) noexcept

cdef TCP open_tcp(LoopRecord record)
