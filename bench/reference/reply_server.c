/* The yardstick of the writes workload: header, body and trailer in one vectored write.
 *
 * Every read is one request, because a client has one in flight and it is small.
 *
 * usage: reply_server PORT        (0 lets the kernel choose) */
#include "serving.h"

#include <sys/uio.h>

#define EDGE_SIZE 64
#define BODY_SIZE 1024
#define REPLY_SIZE (EDGE_SIZE + BODY_SIZE + EDGE_SIZE)
/* Of the text that every answer to the load generator is made of. */
#define TEXT_PERIOD 251

struct connection {
    int descriptor;
};

static char reply[REPLY_SIZE];

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
    char request[256];
    struct iovec parts[3] = {{reply, EDGE_SIZE},
                             {reply + EDGE_SIZE, BODY_SIZE},
                             {reply + EDGE_SIZE + BODY_SIZE, EDGE_SIZE}};
    struct connection *connection = owner;
    ssize_t length = recv(connection->descriptor, request, sizeof request, 0);
    (void)queue;
    (void)directions;
    if (length < 0 && would_block())
        return;
    if (length <= 0) {
        close(connection->descriptor);
        free(connection);
        return;
    }
    /* The client has received every earlier reply, so an empty send buffer waits. */
    if (writev(connection->descriptor, parts, 3) != REPLY_SIZE)
        perror("writev");
}

int main(int count, char **arguments)
{
    for (size_t index = 0; index < sizeof reply; index++)
        reply[index] = (char)(index % TEXT_PERIOD);
    serve(count > 1 ? (unsigned short)atoi(arguments[1]) : 0, accepted, ready);
    return 0;
}
