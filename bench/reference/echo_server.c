/* The yardstick of the echo workloads: what the kernel allows one thread to do.
 *
 * The strategy is libuv's (level-triggered readiness, one read and one write per event, try first
 * and queue the rest), without libuv's generality, so a server built on libuv can come near it and
 * not beat it by doing less work.
 *
 * usage: echo_server PORT        (0 lets the kernel choose) */
#include "serving.h"

#include <string.h>

/* As large as the largest buffer among the peers (uvloop and asyncio read 256 KB at once). */
#define READ_SIZE (256 * 1024)

struct connection {
    int descriptor;
    char *unsent;
    size_t unsent_start;
    size_t unsent_end;
};

static char read_buffer[READ_SIZE];

static void accepted(int queue, int descriptor)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        die("calloc");
    connection->descriptor = descriptor;
    if (readiness_change(queue, descriptor, connection, 0, READABLE) < 0)
        die("readiness");
}

static void close_connection(struct connection *connection)
{
    close(connection->descriptor);
    free(connection->unsent);
    free(connection);
}

/* Reading stops while bytes wait: the unsent rest never exceeds one read. */
static void queue_rest(int queue, struct connection *connection, const char *rest, size_t length)
{
    connection->unsent = malloc(length);
    if (connection->unsent == NULL)
        die("malloc");
    memcpy(connection->unsent, rest, length);
    connection->unsent_start = 0;
    connection->unsent_end = length;
    if (readiness_change(queue, connection->descriptor, connection, READABLE, WRITABLE) < 0)
        die("readiness");
}

static void echo(int queue, struct connection *connection)
{
    ssize_t length = recv(connection->descriptor, read_buffer, READ_SIZE, 0);
    if (length <= 0) {
        if (length == 0 || !would_block())
            close_connection(connection);
        return;
    }
    ssize_t sent = send(connection->descriptor, read_buffer, (size_t)length, 0);
    if (sent < 0 && !would_block()) {
        close_connection(connection);
        return;
    }
    if (sent < 0)
        sent = 0;
    if (sent < length)
        queue_rest(queue, connection, read_buffer + sent, (size_t)(length - sent));
}

static void send_rest(int queue, struct connection *connection)
{
    ssize_t sent = send(connection->descriptor, connection->unsent + connection->unsent_start,
                        connection->unsent_end - connection->unsent_start, 0);
    if (sent < 0) {
        if (!would_block())
            close_connection(connection);
        return;
    }
    connection->unsent_start += (size_t)sent;
    if (connection->unsent_start < connection->unsent_end)
        return;
    free(connection->unsent);
    connection->unsent = NULL;
    if (readiness_change(queue, connection->descriptor, connection, WRITABLE, READABLE) < 0)
        die("readiness");
}

static void ready(int queue, void *owner, unsigned directions)
{
    struct connection *connection = owner;
    (void)directions; /* only one direction is ever asked for; a hang-up shows in either call */
    if (connection->unsent != NULL)
        send_rest(queue, connection);
    else
        echo(queue, connection);
}

int main(int count, char **arguments)
{
    serve(count > 1 ? (unsigned short)atoi(arguments[1]) : 0, accepted, ready);
    return 0;
}
