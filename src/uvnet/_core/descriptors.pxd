# A descriptor that stands for nothing: to keep in reserve, or to learn whether there are any left.

cdef extern from *:
    """
    #include <fcntl.h>
    #include <unistd.h>

    static int uvnet_open_spare(void)
    {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    """
    int open_spare "uvnet_open_spare" () noexcept nogil      # -1, with errno, where there is none
    int close_descriptor "close" (int descriptor) noexcept nogil
