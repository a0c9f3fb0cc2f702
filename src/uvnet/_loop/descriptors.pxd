# Descriptors as numbers: a new socket; one that stands for nothing, to keep in reserve or to learn whether there are
# any left; and what keeps a number for somebody else while libuv closes it.

cdef extern from *:
    """
    #include <fcntl.h>
    #include <sys/socket.h>
    #include <unistd.h>

    static inline int uvnet_open_socket_of(int family, int type)
    {
    #ifdef SOCK_CLOEXEC
        return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    #else
        int descriptor = socket(family, type, 0);
        if (descriptor >= 0) {
            fcntl(descriptor, F_SETFD, FD_CLOEXEC);
            fcntl(descriptor, F_SETFL, O_NONBLOCK);
        }
        return descriptor;
    #endif
    }

    static inline int uvnet_open_socket(int family)
    {
        return uvnet_open_socket_of(family, SOCK_STREAM);
    }
    static inline int uvnet_open_datagram_socket(int family)
    {
        return uvnet_open_socket_of(family, SOCK_DGRAM);
    }
    static inline int uvnet_open_spare(void)
    {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    static inline int uvnet_give_number_a_rest(int descriptor)
    {
        int flags = fcntl(descriptor, F_GETFD);
        return flags < 0 ? -1 : fcntl(descriptor, flags & FD_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 3);
    }
    static inline void uvnet_give_number_back(int spare, int descriptor)
    {
        if (spare < 0)
            return;
        dup2(spare, descriptor);
        fcntl(descriptor, F_SETFD, fcntl(spare, F_GETFD));
        close(spare);
    }
    """
    int open_socket "uvnet_open_socket" (int family) noexcept nogil      # of streams; -1, with errno
    int open_datagram_socket "uvnet_open_datagram_socket" (int family) noexcept nogil
    int open_spare "uvnet_open_spare" () noexcept nogil      # -1, with errno, where there is none
    int give_number_a_rest "uvnet_give_number_a_rest" (int descriptor) noexcept nogil    # a spare, or -1
    void give_number_back "uvnet_give_number_back" (int spare, int descriptor) noexcept nogil    # undone
    int close_descriptor "close" (int descriptor) noexcept nogil
