/* The yardstick of the fan-out workload: one message to every connection, one system call for each.
 *
 * A new connection gets the message at once; a byte from any connection sends it to all of them.
 *
 * usage: fan_out_server PORT        (0 lets the kernel choose) */
#include "serving.h"

#define MESSAGE_SIZE 128

struct connection {
    int descriptor;
    struct connection *next;
};

static struct connection *all;
static char message[MESSAGE_SIZE];

/* A client asks again only when it has received everything, so an empty send buffer waits. */
static void deliver(const struct connection *connection)
{
    if (send(connection->descriptor, message, sizeof message, 0) != sizeof message)
        perror("send");
}

static void accepted(int queue, int descriptor)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        die("calloc");
    connection->descriptor = descriptor;
    connection->next = all;
    all = connection;
    if (readiness_change(queue, descriptor, connection, 0, READABLE) < 0)
        die("readiness");
    deliver(connection);
}

static void forget(struct connection *connection)
{
    struct connection **place = &all;
    while (*place != connection)
        place = &(*place)->next;
    *place = connection->next;
    close(connection->descriptor);
    free(connection);
}

static void ready(int queue, void *owner, unsigned directions)
{
    char asked[64];
    struct connection *connection = owner;
    ssize_t length = recv(connection->descriptor, asked, sizeof asked, 0);
    (void)queue;
    (void)directions;
    if (length < 0 && would_block())
        return;
    if (length <= 0) {
        forget(connection);
        return;
    }
    for (const struct connection *one = all; one != NULL; one = one->next)
        deliver(one);
}

int main(int count, char **arguments)
{
    for (size_t index = 0; index < sizeof message; index++)
        message[index] = (char)index;
    serve(count > 1 ? (unsigned short)atoi(arguments[1]) : 0, accepted, ready);
    return 0;
}
