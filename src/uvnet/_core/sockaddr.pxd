from uvnet._uv.table cimport sockaddr


cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr_storage:
        unsigned short ss_family

cdef int parse_sockaddr(str address, int port, sockaddr_storage *result) except -1
cdef tuple format_sockaddr(const sockaddr *address)
cdef int ip_of_sockaddr(const sockaddr *address, unsigned char *ip) noexcept nogil
