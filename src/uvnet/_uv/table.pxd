# What uvnet sees of libuv: opaque types, constants, and `uv`, the table of functions found in uvloop.
# Call `uv.tcp_init(...)` where C code calls `uv_tcp_init(...)`.  The names and prototypes are those of the
# one list in include/uvnet/uv_abi.h; the C compiler checks that both agree wherever a function is called.

from libc.stdint cimport uint64_t


cdef extern from "<netdb.h>" nogil:
    struct sockaddr:
        unsigned short sa_family
    struct addrinfo:
        int ai_flags
        int ai_family
        int ai_socktype
        int ai_protocol
        sockaddr *ai_addr
        addrinfo *ai_next


cdef extern from "uvnet/uv_abi.h" nogil:
    ctypedef struct uv_loop_t:
        pass
    ctypedef struct uv_handle_t:
        void *data
    ctypedef struct uv_stream_t:
        void *data
    ctypedef struct uv_tcp_t:
        void *data
    ctypedef struct uv_pipe_t:
        void *data
    ctypedef struct uv_timer_t:
        void *data
    ctypedef struct uv_prepare_t:
        void *data
    ctypedef struct uv_check_t:
        void *data
    ctypedef struct uv_poll_t:
        void *data
    ctypedef struct uv_req_t:
        void *data
    ctypedef struct uv_connect_t:
        void *data
    ctypedef struct uv_write_t:
        void *data
    ctypedef struct uv_shutdown_t:
        void *data
    ctypedef struct uv_getaddrinfo_t:
        void *data
    ctypedef struct uv_buf_t:
        char *base
        size_t len

    ctypedef void (*uv_alloc_cb)(uv_handle_t *, size_t, uv_buf_t *) noexcept nogil
    ctypedef void (*uv_read_cb)(uv_stream_t *, ssize_t, const uv_buf_t *) noexcept nogil
    ctypedef void (*uv_write_cb)(uv_write_t *, int) noexcept nogil
    ctypedef void (*uv_connect_cb)(uv_connect_t *, int) noexcept nogil
    ctypedef void (*uv_shutdown_cb)(uv_shutdown_t *, int) noexcept nogil
    ctypedef void (*uv_close_cb)(uv_handle_t *) noexcept nogil
    ctypedef void (*uv_timer_cb)(uv_timer_t *) noexcept nogil
    ctypedef void (*uv_prepare_cb)(uv_prepare_t *) noexcept nogil
    ctypedef void (*uv_check_cb)(uv_check_t *) noexcept nogil
    ctypedef void (*uv_poll_cb)(uv_poll_t *, int, int) noexcept nogil
    ctypedef void (*uv_getaddrinfo_cb)(uv_getaddrinfo_t *, int, addrinfo *) noexcept nogil

    enum:
        UVNET_UV_CHECK
        UVNET_UV_NAMED_PIPE
        UVNET_UV_POLL
        UVNET_UV_PREPARE
        UVNET_UV_TCP
        UVNET_UV_TIMER
        UVNET_UV_CONNECT
        UVNET_UV_WRITE
        UVNET_UV_SHUTDOWN
        UVNET_UV_GETADDRINFO
        UVNET_UV_METRICS_IDLE_TIME
        UVNET_UV_READABLE
        UVNET_UV_WRITABLE
        UVNET_UV_EOF
        UVNET_UV_EAI_NODATA
        UVNET_UV_EAI_NONAME

    ctypedef struct uvnet_uv_functions:
        const char *(*version_string)() noexcept nogil
        uint64_t (*now)(const uv_loop_t *) noexcept nogil
        void (*update_time)(uv_loop_t *) noexcept nogil
        int (*loop_fork)(uv_loop_t *) noexcept nogil
        int (*loop_configure)(uv_loop_t *, int, ...) noexcept nogil
        uint64_t (*hrtime)() noexcept nogil
        uint64_t (*metrics_idle_time)(uv_loop_t *) noexcept nogil
        int (*backend_timeout)(const uv_loop_t *) noexcept nogil
        char *(*err_name_r)(int, char *, size_t) noexcept nogil
        char *(*strerror_r)(int, char *, size_t) noexcept nogil
        size_t (*handle_size)(int) noexcept nogil
        size_t (*req_size)(int) noexcept nogil
        int (*guess_handle)(int) noexcept nogil
        void (*close)(uv_handle_t *, uv_close_cb) noexcept nogil
        int (*is_active)(const uv_handle_t *) noexcept nogil
        void (*unref)(uv_handle_t *) noexcept nogil
        int (*fileno)(const uv_handle_t *, int *) noexcept nogil
        int (*read_start)(uv_stream_t *, uv_alloc_cb, uv_read_cb) noexcept nogil
        int (*read_stop)(uv_stream_t *) noexcept nogil
        int (*write)(uv_write_t *, uv_stream_t *, const uv_buf_t *, unsigned int, uv_write_cb) noexcept nogil
        int (*try_write)(uv_stream_t *, const uv_buf_t *, unsigned int) noexcept nogil
        int (*shutdown)(uv_shutdown_t *, uv_stream_t *, uv_shutdown_cb) noexcept nogil
        int (*tcp_init)(uv_loop_t *, uv_tcp_t *) noexcept nogil
        int (*tcp_open)(uv_tcp_t *, int) noexcept nogil
        int (*tcp_nodelay)(uv_tcp_t *, int) noexcept nogil
        int (*tcp_keepalive)(uv_tcp_t *, int, unsigned int) noexcept nogil
        int (*tcp_keepalive_ex)(uv_tcp_t *, int, unsigned int, unsigned int, unsigned int) noexcept nogil
        int (*tcp_bind)(uv_tcp_t *, const sockaddr *, unsigned int) noexcept nogil
        int (*tcp_connect)(uv_connect_t *, uv_tcp_t *, const sockaddr *, uv_connect_cb) noexcept nogil
        int (*tcp_getsockname)(const uv_tcp_t *, sockaddr *, int *) noexcept nogil
        int (*tcp_getpeername)(const uv_tcp_t *, sockaddr *, int *) noexcept nogil
        int (*tcp_close_reset)(uv_tcp_t *, uv_close_cb) noexcept nogil
        int (*pipe_init)(uv_loop_t *, uv_pipe_t *, int) noexcept nogil
        int (*pipe_open)(uv_pipe_t *, int) noexcept nogil
        void (*pipe_connect)(uv_connect_t *, uv_pipe_t *, const char *, uv_connect_cb) noexcept nogil
        int (*pipe_connect2)(uv_connect_t *, uv_pipe_t *, const char *, size_t, unsigned int,
                             uv_connect_cb) noexcept nogil
        int (*timer_init)(uv_loop_t *, uv_timer_t *) noexcept nogil
        int (*timer_start)(uv_timer_t *, uv_timer_cb, uint64_t, uint64_t) noexcept nogil
        int (*timer_stop)(uv_timer_t *) noexcept nogil
        int (*prepare_init)(uv_loop_t *, uv_prepare_t *) noexcept nogil
        int (*prepare_start)(uv_prepare_t *, uv_prepare_cb) noexcept nogil
        int (*prepare_stop)(uv_prepare_t *) noexcept nogil
        int (*check_init)(uv_loop_t *, uv_check_t *) noexcept nogil
        int (*check_start)(uv_check_t *, uv_check_cb) noexcept nogil
        int (*poll_init)(uv_loop_t *, uv_poll_t *, int) noexcept nogil
        int (*poll_start)(uv_poll_t *, int, uv_poll_cb) noexcept nogil
        int (*poll_stop)(uv_poll_t *) noexcept nogil
        int (*getaddrinfo)(uv_loop_t *, uv_getaddrinfo_t *, uv_getaddrinfo_cb, const char *, const char *,
                           const addrinfo *) noexcept nogil
        void (*freeaddrinfo)(addrinfo *) noexcept nogil
        int (*cancel)(uv_req_t *) noexcept nogil

    size_t uvnet_uv_write_queue_size(const uv_stream_t *stream)
    void *uvnet_uv_open(const char *module_path)
    const char *uvnet_uv_resolve(void *library, uvnet_uv_functions *functions)


cdef uvnet_uv_functions uv

cdef uv_loop_t *loop_pointer(object loop) except NULL
