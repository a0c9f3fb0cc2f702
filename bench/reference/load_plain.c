/* Carries the bytes of the load generator over TCP as they are. */
#include "load.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int prepare_carrier(void) { return 0; }

enum greeting carrier_open(struct connection *connection)
{
    (void)connection;
    return GREETED;
}

ssize_t carrier_send(struct connection *connection, const char *data, size_t size)
{
    return send(connection->descriptor, data, size, 0);
}

ssize_t carrier_receive(struct connection *connection, char *data, size_t size)
{
    return recv(connection->descriptor, data, size, 0);
}

int carrier_holds(const struct connection *connection)
{
    (void)connection;
    return 0;
}

void carrier_close(struct connection *connection) { close(connection->descriptor); }

const char *carrier_error(void) { return strerror(errno); }
