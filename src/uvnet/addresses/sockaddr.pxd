from uvnet._uv.table cimport sockaddr


cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr_storage:
        unsigned short ss_family

cdef extern from *:
    """
    #include <netinet/in.h>
    typedef union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } uvnet_ip_name;
    """
    # The name of one end of a TCP connection; any.sa_family is 0 while it is not known.
    ctypedef struct ip_name "uvnet_ip_name":
        sockaddr any

cdef bint copy_name(const sockaddr_storage *name, ip_name *result) noexcept nogil
cdef int parse_sockaddr(str address, int port, sockaddr_storage *result) except -1
cdef tuple format_sockaddr(const sockaddr *address)
cdef tuple socket_name(const sockaddr *address)
cdef int ip_of_sockaddr(const sockaddr *address, unsigned char *ip) noexcept nogil
