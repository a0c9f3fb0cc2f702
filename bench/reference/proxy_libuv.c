/* The proxy in C on libuv: what is left of the cost when nothing but libuv and the kernel is paid for.
 * Each read is passed on with one uv_try_write() from the read callback. The unsent rest is queued, and the
 * side it came from is not read until it is written. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct side {
    uv_tcp_t stream; /* first, so that a stream is a side */
    struct side *other;
    struct pair *pair;
};

struct pair {
    struct side client;
    struct side upstream;
    uv_connect_t connecting;
    int passed_ends;
    int closed_sides;
};

static struct sockaddr_in upstream_address;
static char read_buffer[65536];

static void check(int status, const char *what)
{
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", what, uv_strerror(status));
        exit(1);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct pair *pair = ((struct side *)handle)->pair;
    if (++pair->closed_sides == 2)
        free(pair);
}

static void end_pair(struct pair *pair)
{
    if (uv_is_closing((uv_handle_t *)&pair->client.stream))
        return;
    uv_close((uv_handle_t *)&pair->client.stream, on_closed);
    uv_close((uv_handle_t *)&pair->upstream.stream, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(read_buffer, sizeof(read_buffer));
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buffer);

static void read_side(struct side *side)
{
    check(uv_read_start((uv_stream_t *)&side->stream, on_alloc, on_read), "uv_read_start");
}

static void on_written(uv_write_t *request, int status)
{
    struct side *side = (struct side *)request->handle;
    free(request);
    if (status < 0)
        end_pair(side->pair);
    else
        read_side(side->other);
}

static void queue_rest(struct side *side, const char *base, size_t length)
{
    uv_write_t *request = malloc(sizeof(*request) + length);
    uv_buf_t rest;
    if (request == NULL)
        exit(1);
    memcpy(request + 1, base, length);
    rest = uv_buf_init((char *)(request + 1), (unsigned int)length);
    uv_read_stop((uv_stream_t *)&side->other->stream);
    check(uv_write(request, (uv_stream_t *)&side->stream, &rest, 1, on_written), "uv_write");
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    struct side *side = (struct side *)request->handle;
    free(request);
    if (status < 0 || ++side->pair->passed_ends == 2)
        end_pair(side->pair);
}

static void pass_end_on(struct side *side)
{
    uv_shutdown_t *request = malloc(sizeof(*request));
    if (request == NULL)
        exit(1);
    uv_read_stop((uv_stream_t *)&side->stream);
    if (uv_shutdown(request, (uv_stream_t *)&side->other->stream, on_shut_down) < 0) {
        free(request);
        end_pair(side->pair);
    }
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buffer)
{
    struct side *side = (struct side *)stream;
    uv_buf_t forwarded;
    int sent;
    if (nread == UV_EOF) {
        pass_end_on(side);
    } else if (nread < 0) {
        end_pair(side->pair);
    } else if (nread > 0) {
        forwarded = uv_buf_init(buffer->base, (unsigned int)nread);
        sent = uv_try_write((uv_stream_t *)&side->other->stream, &forwarded, 1);
        if (sent < 0)
            sent = 0;
        if (sent < nread)
            queue_rest(side->other, buffer->base + sent, (size_t)(nread - sent));
    }
}

static void on_connected(uv_connect_t *request, int status)
{
    struct side *upstream = (struct side *)request->handle;
    if (status < 0) {
        end_pair(upstream->pair);
        return;
    }
    read_side(upstream);
    read_side(upstream->other);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    check(status, "connection");
    if (pair == NULL)
        exit(1);
    pair->client.pair = pair->upstream.pair = pair;
    pair->client.other = &pair->upstream;
    pair->upstream.other = &pair->client;
    check(uv_tcp_init(server->loop, &pair->client.stream), "uv_tcp_init");
    check(uv_tcp_init(server->loop, &pair->upstream.stream), "uv_tcp_init");
    check(uv_accept(server, (uv_stream_t *)&pair->client.stream), "uv_accept");
    check(uv_tcp_nodelay(&pair->client.stream, 1), "uv_tcp_nodelay");
    check(uv_tcp_connect(&pair->connecting, &pair->upstream.stream,
                         (const struct sockaddr *)&upstream_address, on_connected),
          "uv_tcp_connect");
    check(uv_tcp_nodelay(&pair->upstream.stream, 1), "uv_tcp_nodelay");
}

int main(int count, char **arguments)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t server;
    struct sockaddr_in address;
    int length = sizeof(address);
    if (count != 2) {
        fputs("usage: proxy_libuv UPSTREAM_PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    check(uv_ip4_addr("127.0.0.1", atoi(arguments[1]), &upstream_address), "uv_ip4_addr");
    check(uv_ip4_addr("127.0.0.1", 0, &address), "uv_ip4_addr");
    check(uv_tcp_init(loop, &server), "uv_tcp_init");
    check(uv_tcp_bind(&server, (const struct sockaddr *)&address, 0), "uv_tcp_bind");
    check(uv_listen((uv_stream_t *)&server, 1024, on_connection), "uv_listen");
    check(uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length), "uv_tcp_getsockname");
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}
