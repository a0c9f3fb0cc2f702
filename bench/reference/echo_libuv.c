/* The echo server in C on libuv: what is left of the cost when nothing but libuv and the kernel is paid for.
 * Each read is answered with one uv_try_write() from the read callback; the unsent rest is queued. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char read_buffer[65536];

static void check(int status, const char *what)
{
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static void on_closed(uv_handle_t *handle) { free(handle); }

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void queue_rest(uv_stream_t *stream, const char *base, size_t length)
{
    uv_write_t *request = malloc(sizeof(*request) + length);
    uv_buf_t rest;
    if (request == NULL)
        exit(1);
    memcpy(request + 1, base, length);
    rest = uv_buf_init((char *)(request + 1), (unsigned int)length);
    check(uv_write(request, stream, &rest, 1, on_written), "uv_write");
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buffer)
{
    uv_buf_t answer;
    int sent;
    if (nread == 0)
        return;
    if (nread < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    answer = uv_buf_init(buffer->base, (unsigned int)nread);
    sent = uv_try_write(stream, &answer, 1);
    if (sent < 0)
        sent = 0;
    if (sent < nread)
        queue_rest(stream, buffer->base + sent, (size_t)(nread - sent));
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *client = malloc(sizeof(*client));
    check(status, "connection");
    if (client == NULL)
        exit(1);
    check(uv_tcp_init(server->loop, client), "uv_tcp_init");
    check(uv_accept(server, (uv_stream_t *)client), "uv_accept");
    check(uv_tcp_nodelay(client, 1), "uv_tcp_nodelay");
    check(uv_read_start((uv_stream_t *)client, on_alloc, on_read), "uv_read_start");
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t server;
    struct sockaddr_in address;
    int length = sizeof(address);
    signal(SIGPIPE, SIG_IGN);
    check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
    check(uv_tcp_init(loop, &server), "uv_tcp_init");
    check(uv_tcp_bind(&server, (const struct sockaddr *)&address, 0), "uv_tcp_bind");
    check(uv_listen((uv_stream_t *)&server, 1024, on_connection), "uv_listen");
    check(uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length), "uv_tcp_getsockname");
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
