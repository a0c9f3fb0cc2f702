/* The yardstick of the receive workload: reads, counts, and discards.
 *
 * When the client ends its side the server answers with the number of bytes it received, as
 * decimal text, and closes: the load generator compares that with what it sent.
 *
 * usage: sink_server PORT        (0 lets the kernel choose) */
#include "serving.h"

#define READ_SIZE (256 * 1024)

struct connection {
    int descriptor;
    unsigned long long received;
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

static void ready(int queue, void *owner, unsigned directions)
{
    struct connection *connection = owner;
    ssize_t length = recv(connection->descriptor, read_buffer, READ_SIZE, 0);
    (void)queue;
    (void)directions;
    if (length > 0) {
        connection->received += (unsigned long long)length;
        return;
    }
    if (length < 0 && would_block())
        return;
    if (length == 0) {
        char text[32];
        int digits = snprintf(text, sizeof text, "%llu", connection->received);
        /* An empty send buffer always takes these few bytes whole. */
        if (send(connection->descriptor, text, (size_t)digits, 0) != digits)
            perror("send");
    }
    close(connection->descriptor);
    free(connection);
}

int main(int count, char **arguments)
{
    serve(count > 1 ? (unsigned short)atoi(arguments[1]) : 0, accepted, ready);
    return 0;
}
