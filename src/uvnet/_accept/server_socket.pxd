cdef int open_tcp_server(str address, int port, bint ipv6_only, bint reuse_port) except? 1
cdef int open_unix_server(bytes path) noexcept
cdef int family_of_server(int descriptor) noexcept
cdef tuple name_of(int descriptor)
