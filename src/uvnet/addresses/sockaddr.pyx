"""Socket addresses between C and Python: text and port on one side, struct sockaddr on the other."""

from libc.string cimport memcpy, memset

from uvnet._uv.table cimport sockaddr
from uvnet.addresses.ip cimport format_ip, parse_ip_str

import socket as _socket


cdef extern from "<netinet/in.h>" nogil:
    enum:
        AF_INET
        AF_INET6
    struct in_addr:
        unsigned int s_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in:
        unsigned short sin_family
        unsigned short sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        unsigned short sin6_port
        unsigned int sin6_flowinfo
        in6_addr sin6_addr
        unsigned int sin6_scope_id

cdef extern from "<arpa/inet.h>" nogil:
    unsigned short htons(unsigned short value)
    unsigned int ntohl(unsigned int value)
    unsigned short ntohs(unsigned short value)

cdef extern from "<net/if.h>" nogil:
    enum:
        IF_NAMESIZE
    char *if_indextoname(unsigned int index, char *name)


cdef int parse_sockaddr(str address, int port, sockaddr_storage *result) except -1:
    """Write `address` (IPv4 or IPv6 text, a %zone allowed) and `port` to `result`.

    Returns the length of the address, or 0 when the text is not an IP address.
    """
    cdef sockaddr_in *v4 = <sockaddr_in *>result
    cdef sockaddr_in6 *v6 = <sockaddr_in6 *>result
    cdef unsigned char parsed[16]
    cdef Py_ssize_t end = 0
    cdef int family
    cdef str host, separator, zone
    memset(result, 0, sizeof(sockaddr_storage))
    host, separator, zone = address.partition("%")
    family = parse_ip_str(host, parsed, &end)
    if family == 4 and not separator:
        memcpy(&v4.sin_addr, parsed, 4)
        v4.sin_family = AF_INET
        v4.sin_port = htons(<unsigned short>port)
        return sizeof(sockaddr_in)
    if family == 6:
        memcpy(&v6.sin6_addr, parsed, 16)
        v6.sin6_family = AF_INET6
        v6.sin6_port = htons(<unsigned short>port)
        if separator:
            try:
                v6.sin6_scope_id = int(zone) if zone.isdecimal() else _socket.if_nametoindex(zone)
            except (OSError, OverflowError):
                v6.sin6_scope_id = 0
        return sizeof(sockaddr_in6)
    return 0


cdef bint copy_name(const sockaddr_storage *name, ip_name *result) noexcept nogil:
    """Keep an IPv4 or IPv6 name in less space; False, and nothing is kept, for any other."""
    if name.ss_family != AF_INET and name.ss_family != AF_INET6:
        return False
    memcpy(result, name, sizeof(ip_name))
    return True


cdef tuple format_sockaddr(const sockaddr *address):
    """(address, family, port) with family "IPv4" or "IPv6"; None for any other kind of address.

    A link-local IPv6 address carries its interface, as in "fe80::1%eth0".
    """
    cdef const sockaddr_in *v4 = <const sockaddr_in *>address
    cdef const sockaddr_in6 *v6 = <const sockaddr_in6 *>address
    cdef char interface[IF_NAMESIZE]
    cdef str host
    if address.sa_family == AF_INET:
        return format_ip(4, <const unsigned char *>&v4.sin_addr), "IPv4", ntohs(v4.sin_port)
    if address.sa_family == AF_INET6:
        host = format_ip(6, v6.sin6_addr.s6_addr)
        if v6.sin6_scope_id != 0 and v6.sin6_addr.s6_addr[0] == 0xfe and v6.sin6_addr.s6_addr[1] & 0xc0 == 0x80:
            if if_indextoname(v6.sin6_scope_id, interface) is not NULL:
                host = f"{host}%{interface.decode(errors='replace')}"
        return host, "IPv6", ntohs(v6.sin6_port)
    return None


cdef tuple socket_name(const sockaddr *address):
    """What Python's socket.getpeername() gives for an IPv4 or IPv6 name; None for any other."""
    cdef const sockaddr_in6 *v6 = <const sockaddr_in6 *>address
    cdef tuple name = format_sockaddr(address)
    if name is None:
        return None
    if address.sa_family == AF_INET:
        return name[0], name[2]
    return name[0], name[2], ntohl(v6.sin6_flowinfo), v6.sin6_scope_id


cdef int ip_of_sockaddr(const sockaddr *address, unsigned char *ip) noexcept nogil:
    """4 or 6, with the address in network order in `ip` (room for 16 bytes); 0 for any other kind of address."""
    if address.sa_family == AF_INET:
        memcpy(ip, &(<const sockaddr_in *>address).sin_addr, 4)
        return 4
    if address.sa_family == AF_INET6:
        memcpy(ip, &(<const sockaddr_in6 *>address).sin6_addr, 16)
        return 6
    return 0
