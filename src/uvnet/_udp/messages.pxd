# Datagrams in C: several in one system call, with the address that was asked, and what ICMP says of those sent.
#
# On Linux one message may be many datagrams of one size, but for the last, which may be shorter: UDP_SEGMENT has the
# kernel cut what is sent (GSO), UDP_GRO gives out whole what has not been cut yet, or was put together again (GRO).
# Each spares a way through the whole of the network stack.  Where there is neither, a message is one datagram.

from uvnet.addresses.sockaddr cimport ip_name

cdef extern from *:
    """
    #include <errno.h>
    #include <netinet/in.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <sys/uio.h>
    #include <time.h>
    #ifdef __linux__
    #include <linux/errqueue.h>
    #include <netinet/udp.h>
    #ifndef UDP_SEGMENT
    #define UDP_SEGMENT 103
    #endif
    #ifndef UDP_GRO
    #define UDP_GRO 104
    #endif
    #endif

    enum {
        UVNET_MESSAGES = 4,             /* that are received at once */
        UVNET_MESSAGE_SIZE = 65536,     /* bytes; the length of a UDP datagram has 16 bits */
        UVNET_SEGMENTS = 64,            /* of one message; newer kernels take 128 */
        UVNET_DATAGRAM_BYTES = 65487    /* of one message, below IPv6 and UDP */
    };

    typedef struct {
        const char *data;
        size_t length;
        size_t segment;         /* bytes of each datagram in it but the last */
        uvnet_ip_name remote;
        uvnet_ip_name local;    /* the address that was asked; any.sa_family is 0 where it is not known */
    } uvnet_message;

    typedef union {
        char bytes[256];
        struct cmsghdr aligned;
    } uvnet_datagram_control;

    static int uvnet_set_flag(int descriptor, int level, int option, int value)
    {
        return setsockopt(descriptor, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
    }

    /* Whatever makes it a socket for this; what a system lacks it is used without.  0 or a libuv error. */
    static int uvnet_prepare_datagrams(int descriptor, int family, int ipv6_only, int receive_buffer)
    {
        if (family == AF_INET6) {
            int status = uvnet_set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, ipv6_only);
            if (status < 0)
                return status;
    #ifdef IPV6_RECVPKTINFO
            uvnet_set_flag(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    #endif
    #ifdef IPV6_RECVERR
            uvnet_set_flag(descriptor, IPPROTO_IPV6, IPV6_RECVERR, 1);
    #endif
    #ifdef IPV6_PMTUDISC_PROBE
            uvnet_set_flag(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
    #endif
        }
        /* An IPv6 socket has these for IPv4 too. */
        if (family == AF_INET || !ipv6_only) {
    #ifdef IP_PKTINFO
            if (family == AF_INET)
                uvnet_set_flag(descriptor, IPPROTO_IP, IP_PKTINFO, 1);
    #elif defined(IP_RECVDSTADDR)
            if (family == AF_INET)
                uvnet_set_flag(descriptor, IPPROTO_IP, IP_RECVDSTADDR, 1);
    #endif
    #ifdef IP_RECVERR
            uvnet_set_flag(descriptor, IPPROTO_IP, IP_RECVERR, 1);
    #endif
    #ifdef IP_PMTUDISC_PROBE
            /* IP does not cut them up, and what is too long is ours to find out. */
            uvnet_set_flag(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    #endif
        }
        uvnet_set_flag(descriptor, SOL_SOCKET, SO_RCVBUF, receive_buffer);
        return 0;
    }

    /* Ask for GRO; whether GSO can be used. */
    static int uvnet_use_offload(int descriptor)
    {
    #ifdef __linux__
        int segment;
        socklen_t length = sizeof(segment);
        uvnet_set_flag(descriptor, IPPROTO_UDP, UDP_GRO, 1);
        return getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &segment, &length) == 0;
    #else
        return 0;
    #endif
    }

    static void uvnet_set_local4(uvnet_message *message, const struct in_addr *address)
    {
        if (address->s_addr == 0)
            return;
        message->local.v4.sin_family = AF_INET;
        message->local.v4.sin_addr = *address;
    }

    static void uvnet_read_control(struct msghdr *header, uvnet_message *message)
    {
        struct cmsghdr *control;
        memset(&message->local, 0, sizeof(message->local));
        message->segment = message->length;
        for (control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
            const unsigned char *data = CMSG_DATA(control);
    #ifdef IP_PKTINFO
            if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
                struct in_pktinfo info;
                memcpy(&info, data, sizeof(info));
                /* Of one to a group, and of a broadcast, the address of ours from which to answer. */
                uvnet_set_local4(message, &info.ipi_spec_dst);
            }
    #elif defined(IP_RECVDSTADDR)
            if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVDSTADDR) {
                struct in_addr address;
                memcpy(&address, data, sizeof(address));
                if (!IN_MULTICAST(ntohl(address.s_addr)) && address.s_addr != INADDR_BROADCAST)
                    uvnet_set_local4(message, &address);
            }
    #endif
    #ifdef IPV6_PKTINFO
            if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
                struct in6_pktinfo info;
                memcpy(&info, data, sizeof(info));
                if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr) && !IN6_IS_ADDR_UNSPECIFIED(&info.ipi6_addr)) {
                    message->local.v6.sin6_family = AF_INET6;
                    message->local.v6.sin6_addr = info.ipi6_addr;
                    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
                        message->local.v6.sin6_scope_id = info.ipi6_ifindex;
                }
            }
    #endif
    #ifdef __linux__
            if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
                int segment;
                memcpy(&segment, data, sizeof(segment));
                if (segment > 0)
                    message->segment = segment;
            }
    #endif
        }
    }

    /* Receive up to UVNET_MESSAGES into a buffer of so many times UVNET_MESSAGE_SIZE; how many came, or a libuv
       error. */
    static int uvnet_receive_messages(int descriptor, char *buffer, uvnet_message *messages)
    {
        struct iovec vectors[UVNET_MESSAGES];
        uvnet_datagram_control controls[UVNET_MESSAGES];
        int index, count;
    #ifdef __linux__
        struct mmsghdr headers[UVNET_MESSAGES];
        #define UVNET_HEADER(index) (&headers[index].msg_hdr)
        #define UVNET_LENGTH(index) (headers[index].msg_len)
    #else
        struct msghdr headers[UVNET_MESSAGES];
        ssize_t lengths[UVNET_MESSAGES];
        #define UVNET_HEADER(index) (&headers[index])
        #define UVNET_LENGTH(index) ((size_t)lengths[index])
    #endif
        memset(headers, 0, sizeof(headers));
        for (index = 0; index < UVNET_MESSAGES; index++) {
            struct msghdr *header = UVNET_HEADER(index);
            vectors[index].iov_base = buffer + (size_t)index * UVNET_MESSAGE_SIZE;
            vectors[index].iov_len = UVNET_MESSAGE_SIZE;
            memset(&messages[index].remote, 0, sizeof(messages[index].remote));
            header->msg_name = &messages[index].remote;
            header->msg_namelen = sizeof(messages[index].remote);
            header->msg_iov = &vectors[index];
            header->msg_iovlen = 1;
            header->msg_control = controls[index].bytes;
            header->msg_controllen = sizeof(controls[index].bytes);
        }
        do {
    #ifdef __linux__
            count = recvmmsg(descriptor, headers, UVNET_MESSAGES, MSG_DONTWAIT, NULL);
    #else
            for (count = 0; count < UVNET_MESSAGES; count++) {
                lengths[count] = recvmsg(descriptor, &headers[count], MSG_DONTWAIT);
                if (lengths[count] < 0)
                    break;
            }
            if (count == 0)
                count = -1;
    #endif
        } while (count < 0 && errno == EINTR);
        if (count < 0)
            return -errno;
        for (index = 0; index < count; index++) {
            messages[index].data = vectors[index].iov_base;
            messages[index].length = UVNET_LENGTH(index);
            uvnet_read_control(UVNET_HEADER(index), &messages[index]);
        }
        return count;
    #undef UVNET_HEADER
    #undef UVNET_LENGTH
    }

    static void uvnet_add_control(struct msghdr *header, int level, int type, const void *data, size_t length)
    {
        struct cmsghdr *control = (struct cmsghdr *)((char *)header->msg_control + header->msg_controllen);
        control->cmsg_level = level;
        control->cmsg_type = type;
        control->cmsg_len = CMSG_LEN(length);
        memcpy(CMSG_DATA(control), data, length);
        header->msg_controllen += CMSG_SPACE(length);
    }

    /* Send the pieces: one datagram, or several of `segment` bytes each, where that is not 0.  0 or a libuv error. */
    static int uvnet_send_message(int descriptor, const struct iovec *pieces, size_t count, size_t segment,
                                  const uvnet_ip_name *remote, const uvnet_ip_name *local)
    {
        struct msghdr header;
        uvnet_datagram_control control;
        ssize_t sent;
        memset(&header, 0, sizeof(header));
        header.msg_name = (void *)remote;
        header.msg_namelen = remote->any.sa_family == AF_INET6 ? sizeof(remote->v6) : sizeof(remote->v4);
        header.msg_iov = (struct iovec *)pieces;
        header.msg_iovlen = count;
        if (segment != 0 || local->any.sa_family != 0) {
            memset(&control, 0, sizeof(control));
            header.msg_control = control.bytes;
        }
        if (local->any.sa_family == AF_INET) {
    #ifdef IP_PKTINFO
            struct in_pktinfo info;
            memset(&info, 0, sizeof(info));
            info.ipi_spec_dst = local->v4.sin_addr;
            uvnet_add_control(&header, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    #elif defined(IP_SENDSRCADDR)
            uvnet_add_control(&header, IPPROTO_IP, IP_SENDSRCADDR, &local->v4.sin_addr, sizeof(local->v4.sin_addr));
    #endif
        }
    #ifdef IPV6_PKTINFO
        else if (local->any.sa_family == AF_INET6) {
            struct in6_pktinfo info;
            memset(&info, 0, sizeof(info));
            info.ipi6_addr = local->v6.sin6_addr;
            info.ipi6_ifindex = local->v6.sin6_scope_id;
            uvnet_add_control(&header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
        }
    #endif
    #ifdef __linux__
        if (segment != 0) {
            unsigned short size = (unsigned short)segment;
            uvnet_add_control(&header, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
        }
    #endif
        do
            sent = sendmsg(descriptor, &header, MSG_DONTWAIT);
        while (sent < 0 && errno == EINTR);
        return sent < 0 ? -errno : 0;
    }

    #ifdef __linux__
    /* What a message of the error queue says: a libuv error, or 0 where it tells what sendmsg() has told already. */
    static int uvnet_read_error(struct msghdr *header)
    {
        struct cmsghdr *control;
        for (control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
            struct sock_extended_err told;
            if (!(control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR)
                && !(control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR))
                continue;
            memcpy(&told, CMSG_DATA(control), sizeof(told));
            if (told.ee_errno != 0 && (told.ee_origin == SO_EE_ORIGIN_ICMP || told.ee_origin == SO_EE_ORIGIN_ICMP6))
                return -(int)told.ee_errno;
        }
        return 0;
    }
    #endif

    /* Take what ICMP has said of a datagram that was sent; whether there was anything.  `status` is a libuv error, or
       0: nothing new; `remote` is whither it was sent. */
    static int uvnet_receive_error(int descriptor, uvnet_ip_name *remote, int *status)
    {
    #ifdef __linux__
        struct msghdr header;
        uvnet_datagram_control space;
        ssize_t received;
        do {
            memset(&header, 0, sizeof(header));
            memset(remote, 0, sizeof(*remote));
            header.msg_name = remote;
            header.msg_namelen = sizeof(*remote);
            header.msg_control = space.bytes;
            header.msg_controllen = sizeof(space.bytes);
            received = recvmsg(descriptor, &header, MSG_ERRQUEUE | MSG_DONTWAIT);
        } while (received < 0 && errno == EINTR);
        if (received < 0)
            return 0;
        *status = uvnet_read_error(&header);
        return 1;
    #else
        (void)descriptor;
        (void)remote;
        (void)status;
        return 0;
    #endif
    }

    /* An IPv4 address as an IPv6 socket has it. */
    static void uvnet_map_to_ipv6(uvnet_ip_name *name)
    {
        struct sockaddr_in v4 = name->v4;
        memset(name, 0, sizeof(*name));
        name->v6.sin6_family = AF_INET6;
        name->v6.sin6_port = v4.sin_port;
        name->v6.sin6_addr.s6_addr[10] = name->v6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&name->v6.sin6_addr.s6_addr[12], &v4.sin_addr, 4);
    }

    static void uvnet_set_scope(uvnet_ip_name *name, unsigned int scope)
    {
        name->v6.sin6_scope_id = scope;
    }
    """
    enum:
        MOST_MESSAGES "UVNET_MESSAGES"
        MESSAGE_SIZE "UVNET_MESSAGE_SIZE"
        MOST_SEGMENTS "UVNET_SEGMENTS"
        MOST_BYTES "UVNET_DATAGRAM_BYTES"
    struct iovec:
        void *iov_base
        size_t iov_len
    ctypedef struct message "uvnet_message":
        const char *data
        size_t length
        size_t segment           # bytes of each datagram in it but the last
        ip_name remote
        ip_name local            # the address that was asked; any.sa_family is 0 where it is not known
    int prepare_datagrams "uvnet_prepare_datagrams" (int descriptor, int family, bint ipv6_only,
                                                     int receive_buffer) noexcept nogil
    bint use_offload "uvnet_use_offload" (int descriptor) noexcept nogil
    int receive_messages "uvnet_receive_messages" (int descriptor, char *buffer, message *messages) noexcept nogil
    int send_message "uvnet_send_message" (int descriptor, const iovec *pieces, size_t count, size_t segment,
                                           const ip_name *remote, const ip_name *local) noexcept nogil
    bint receive_error "uvnet_receive_error" (int descriptor, ip_name *remote, int *status) noexcept nogil
    void map_to_ipv6 "uvnet_map_to_ipv6" (ip_name *name) noexcept nogil
    void set_scope "uvnet_set_scope" (ip_name *name, unsigned int scope) noexcept nogil
