/* The part of libuv's ABI that uvnet uses, and the table of functions found in uvloop.
 *
 * uvnet links no libuv: uvloop's extension module carries a complete one, and the functions below are
 * looked up in it once, at import.  Only facts that libuv 1.x freezes are written down here:
 *   - handles and requests are opaque, their first field is `void *data`;
 *   - their sizes come from uv_handle_size() and uv_req_size();
 *   - on Unix uv_buf_t is {base, len} and error codes are negated errno values;
 *   - the place of the public field `write_queue_size` of a stream.
 * tests/project/test_uv_abi.py compiles this file against a real uv.h (UVNET_UV_ABI_CHECK) and compares every
 * prototype and constant.
 */
#ifndef UVNET_UV_ABI_H
#define UVNET_UV_ABI_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef UVNET_UV_ABI_CHECK
#include <uv.h>
#else

typedef struct uv_loop_s uv_loop_t;

/* Opaque: only `data` may be touched, and memory comes from uv_handle_size()/uv_req_size(). */
typedef struct uv_handle_s { void *data; } uv_handle_t;
typedef struct uv_stream_s { void *data; } uv_stream_t;
typedef struct uv_tcp_s { void *data; } uv_tcp_t;
typedef struct uv_pipe_s { void *data; } uv_pipe_t;
typedef struct uv_timer_s { void *data; } uv_timer_t;
typedef struct uv_prepare_s { void *data; } uv_prepare_t;
typedef struct uv_check_s { void *data; } uv_check_t;
typedef struct uv_poll_s { void *data; } uv_poll_t;
typedef struct uv_req_s { void *data; } uv_req_t;
typedef struct uv_connect_s { void *data; } uv_connect_t;
typedef struct uv_write_s { void *data; } uv_write_t;
typedef struct uv_shutdown_s { void *data; } uv_shutdown_t;
typedef struct uv_getaddrinfo_s { void *data; } uv_getaddrinfo_t;

typedef struct uv_buf_t {
    char *base;
    size_t len;
} uv_buf_t;

typedef int uv_os_fd_t;
typedef int uv_os_sock_t;
typedef int uv_file;

/* C enums with non-negative members: passed and returned as int. */
typedef int uv_handle_type;
typedef int uv_req_type;
typedef int uv_loop_option;

typedef void (*uv_alloc_cb)(uv_handle_t *handle, size_t suggested_size, uv_buf_t *buf);
typedef void (*uv_read_cb)(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);
typedef void (*uv_write_cb)(uv_write_t *request, int status);
typedef void (*uv_connect_cb)(uv_connect_t *request, int status);
typedef void (*uv_shutdown_cb)(uv_shutdown_t *request, int status);
typedef void (*uv_close_cb)(uv_handle_t *handle);
typedef void (*uv_timer_cb)(uv_timer_t *handle);
typedef void (*uv_prepare_cb)(uv_prepare_t *handle);
typedef void (*uv_check_cb)(uv_check_t *handle);
typedef void (*uv_poll_cb)(uv_poll_t *handle, int status, int events);
typedef void (*uv_getaddrinfo_cb)(uv_getaddrinfo_t *request, int status, struct addrinfo *result);

#endif /* UVNET_UV_ABI_CHECK */

/* X(name in uvnet, name in libuv, value) */
#define UVNET_UV_CONSTANTS(X)                        \
    X(UVNET_UV_CHECK, UV_CHECK, 2)                   \
    X(UVNET_UV_NAMED_PIPE, UV_NAMED_PIPE, 7)         \
    X(UVNET_UV_POLL, UV_POLL, 8)                     \
    X(UVNET_UV_PREPARE, UV_PREPARE, 9)               \
    X(UVNET_UV_TCP, UV_TCP, 12)                      \
    X(UVNET_UV_TIMER, UV_TIMER, 13)                  \
    X(UVNET_UV_CONNECT, UV_CONNECT, 2)               \
    X(UVNET_UV_WRITE, UV_WRITE, 3)                   \
    X(UVNET_UV_SHUTDOWN, UV_SHUTDOWN, 4)             \
    X(UVNET_UV_GETADDRINFO, UV_GETADDRINFO, 8)       \
    X(UVNET_UV_METRICS_IDLE_TIME, UV_METRICS_IDLE_TIME, 1) \
    X(UVNET_UV_READABLE, UV_READABLE, 1)             \
    X(UVNET_UV_WRITABLE, UV_WRITABLE, 2)             \
    X(UVNET_UV_EOF, UV_EOF, -4095)                   \
    X(UVNET_UV_EAI_NODATA, UV_EAI_NODATA, -3007)     \
    X(UVNET_UV_EAI_NONAME, UV_EAI_NONAME, -3008)

enum {
#define UVNET_UV_ENUMERATE(name, uv_name, value) name = value,
    UVNET_UV_CONSTANTS(UVNET_UV_ENUMERATE)
#undef UVNET_UV_ENUMERATE
};

/* X(requirement, name without "uv_", result, parameters).  OPTIONAL functions are NULL in the table
 * when the loaded libuv is too old to have them. */
#define UVNET_UV_FUNCTIONS(X)                                                                           \
    X(REQUIRED, version_string, const char *, (void))                                                   \
    X(REQUIRED, now, uint64_t, (const uv_loop_t *))                                                     \
    X(REQUIRED, update_time, void, (uv_loop_t *))                                                       \
    X(REQUIRED, loop_fork, int, (uv_loop_t *))                                                          \
    X(REQUIRED, loop_configure, int, (uv_loop_t *, uv_loop_option, ...))                                \
    X(REQUIRED, hrtime, uint64_t, (void))                                                               \
    X(REQUIRED, metrics_idle_time, uint64_t, (uv_loop_t *))                                             \
    X(REQUIRED, backend_timeout, int, (const uv_loop_t *))                                              \
    X(REQUIRED, err_name_r, char *, (int, char *, size_t))                                              \
    X(REQUIRED, strerror_r, char *, (int, char *, size_t))                                              \
    X(REQUIRED, handle_size, size_t, (uv_handle_type))                                                  \
    X(REQUIRED, req_size, size_t, (uv_req_type))                                                        \
    X(REQUIRED, guess_handle, uv_handle_type, (uv_file))                                                \
    X(REQUIRED, close, void, (uv_handle_t *, uv_close_cb))                                              \
    X(REQUIRED, is_active, int, (const uv_handle_t *))                                                  \
    X(REQUIRED, unref, void, (uv_handle_t *))                                                           \
    X(REQUIRED, fileno, int, (const uv_handle_t *, uv_os_fd_t *))                                       \
    X(REQUIRED, read_start, int, (uv_stream_t *, uv_alloc_cb, uv_read_cb))                              \
    X(REQUIRED, read_stop, int, (uv_stream_t *))                                                        \
    X(REQUIRED, write, int,                                                                             \
      (uv_write_t *, uv_stream_t *, const uv_buf_t[], unsigned int, uv_write_cb))                       \
    X(REQUIRED, try_write, int, (uv_stream_t *, const uv_buf_t[], unsigned int))                        \
    X(REQUIRED, shutdown, int, (uv_shutdown_t *, uv_stream_t *, uv_shutdown_cb))                        \
    X(REQUIRED, tcp_init, int, (uv_loop_t *, uv_tcp_t *))                                               \
    X(REQUIRED, tcp_open, int, (uv_tcp_t *, uv_os_sock_t))                                              \
    X(REQUIRED, tcp_nodelay, int, (uv_tcp_t *, int))                                                    \
    X(REQUIRED, tcp_keepalive, int, (uv_tcp_t *, int, unsigned int))                                    \
    X(OPTIONAL, tcp_keepalive_ex, int, (uv_tcp_t *, int, unsigned int, unsigned int, unsigned int))     \
    X(REQUIRED, tcp_bind, int, (uv_tcp_t *, const struct sockaddr *, unsigned int))                     \
    X(REQUIRED, tcp_connect, int,                                                                       \
      (uv_connect_t *, uv_tcp_t *, const struct sockaddr *, uv_connect_cb))                             \
    X(REQUIRED, tcp_getsockname, int, (const uv_tcp_t *, struct sockaddr *, int *))                     \
    X(REQUIRED, tcp_getpeername, int, (const uv_tcp_t *, struct sockaddr *, int *))                     \
    X(REQUIRED, tcp_close_reset, int, (uv_tcp_t *, uv_close_cb))                                        \
    X(REQUIRED, pipe_init, int, (uv_loop_t *, uv_pipe_t *, int))                                        \
    X(REQUIRED, pipe_open, int, (uv_pipe_t *, uv_file))                                                 \
    X(REQUIRED, pipe_connect, void, (uv_connect_t *, uv_pipe_t *, const char *, uv_connect_cb))         \
    X(OPTIONAL, pipe_connect2, int,                                                                     \
      (uv_connect_t *, uv_pipe_t *, const char *, size_t, unsigned int, uv_connect_cb))                 \
    X(REQUIRED, timer_init, int, (uv_loop_t *, uv_timer_t *))                                           \
    X(REQUIRED, timer_start, int, (uv_timer_t *, uv_timer_cb, uint64_t, uint64_t))                      \
    X(REQUIRED, timer_stop, int, (uv_timer_t *))                                                        \
    X(REQUIRED, prepare_init, int, (uv_loop_t *, uv_prepare_t *))                                       \
    X(REQUIRED, prepare_start, int, (uv_prepare_t *, uv_prepare_cb))                                    \
    X(REQUIRED, prepare_stop, int, (uv_prepare_t *))                                                    \
    X(REQUIRED, check_init, int, (uv_loop_t *, uv_check_t *))                                           \
    X(REQUIRED, check_start, int, (uv_check_t *, uv_check_cb))                                          \
    X(REQUIRED, poll_init, int, (uv_loop_t *, uv_poll_t *, int))                                        \
    X(REQUIRED, poll_start, int, (uv_poll_t *, int, uv_poll_cb))                                        \
    X(REQUIRED, poll_stop, int, (uv_poll_t *))                                                          \
    X(REQUIRED, getaddrinfo, int,                                                                       \
      (uv_loop_t *, uv_getaddrinfo_t *, uv_getaddrinfo_cb, const char *, const char *,                  \
       const struct addrinfo *))                                                                        \
    X(REQUIRED, freeaddrinfo, void, (struct addrinfo *))                                                \
    X(REQUIRED, cancel, int, (uv_req_t *))

typedef struct uvnet_uv_functions {
#define UVNET_UV_DECLARE(requirement, name, result, parameters) result(*name) parameters;
    UVNET_UV_FUNCTIONS(UVNET_UV_DECLARE)
#undef UVNET_UV_DECLARE
} uvnet_uv_functions;

/* Where uv_stream_t.write_queue_size lies on Unix: twelve words precede it. */
#define UVNET_UV_WRITE_QUEUE_SIZE_OFFSET (12 * sizeof(void *))

/* uv_stream_get_write_queue_size(), which uvloop's libuv does not export: bytes of uv_write() that the
 * system has not taken yet. */
static inline size_t uvnet_uv_write_queue_size(const uv_stream_t *stream)
{
    return *(const size_t *)((const char *)stream + UVNET_UV_WRITE_QUEUE_SIZE_OFFSET);
}

/* The libuv that a loaded extension module carries, or NULL (then dlerror() says why). */
static inline void *uvnet_uv_open(const char *module_path)
{
    return dlopen(module_path, RTLD_NOW | RTLD_NOLOAD);
}

/* Fills the table; returns NULL, or the name of the first required function that is missing. */
static inline const char *uvnet_uv_resolve(void *library, uvnet_uv_functions *functions)
{
    enum { REQUIRED, OPTIONAL };
#define UVNET_UV_RESOLVE(requirement, name, result, parameters)             \
    *(void **)&functions->name = dlsym(library, "uv_" #name);               \
    if (functions->name == NULL && requirement == REQUIRED) return "uv_" #name;
    UVNET_UV_FUNCTIONS(UVNET_UV_RESOLVE)
#undef UVNET_UV_RESOLVE
    return NULL;
}

#endif /* UVNET_UV_ABI_H */
