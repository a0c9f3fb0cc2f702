/* How the load generator opens its connections, a limited number at once. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "readiness.h"

#define OPENING_AT_ONCE 64
#define SOURCE_ADDRESSES 32

/* The side that closes first keeps its port for a while. Thousands of connections a second would
 * use all ports of one address up; Linux lets a client use the whole of 127.0.0.0/8. */
static void choose_source_address(int descriptor)
{
#if defined(__linux__) && defined(IP_BIND_ADDRESS_NO_PORT)
    int on = 1;
    struct sockaddr_in source = {0};
    source.sin_family = AF_INET;
    source.sin_addr.s_addr =
        htonl(INADDR_LOOPBACK + 1u + (uint32_t)(run.attempts % SOURCE_ADDRESSES));
    setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(descriptor, (struct sockaddr *)&source, sizeof source) < 0)
        fail("bind: %s", strerror(errno));
#else
    (void)descriptor;
#endif
}

/* What is closed without lingering is reset, and its port is free at once. */
static void reset_when_closed(int descriptor)
{
    struct linger none = {1, 0};
    if (setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0)
        fail("linger: %s", strerror(errno));
}

void open_connection(struct connection *connection)
{
    int on = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (descriptor < 0) {
        fail("socket: %s", strerror(errno));
        return;
    }
    connection->descriptor = descriptor;
    connection->is_open = 0;
    connection->interest = 0;
    connection->started = now();
    run.attempts++;
    fcntl(descriptor, F_SETFL, O_NONBLOCK);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (options.mode == MODE_ACCEPT)
        choose_source_address(descriptor);
    if (options.resets)
        reset_when_closed(descriptor);
    if (connect(descriptor, (struct sockaddr *)&options.address, sizeof options.address) < 0 &&
        errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    want(connection, WRITABLE);
}

static void open_next_connection(void)
{
    if (run.asked_to_open < options.connections)
        open_connection(&connections[run.asked_to_open++]);
}

/* In http mode the first one learns what all others must be answered. */
unsigned first_connections(void)
{
    if (options.mode == MODE_HTTP)
        return 1;
    return options.connections < OPENING_AT_ONCE ? options.connections : OPENING_AT_ONCE;
}

void open_first_connections(void)
{
    for (unsigned index = 0; index < first_connections(); index++)
        open_next_connection();
}

/* One more is open. The memory that a server takes once, with its first connections, is not what
 * a connection costs, so in idle mode the others wait until these are served and counted. */
static void count_open_connection(void)
{
    run.open++;
    if (options.mode != MODE_IDLE || run.open > first_connections()) {
        open_next_connection();
    } else if (run.open == first_connections()) {
        run.memory_begin = read_process_memory(options.server);
        open_first_connections();
    }
}

/* Before the measured traffic each connection has one message answered and then waits: a
 * connection can be open for the client long before the server has accepted it. */
void complete_greeting(struct connection *connection)
{
    want(connection, 0);
    count_open_connection();
}

void on_open(struct connection *connection)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(connection->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error) {
        fail("connect: %s", strerror(error ? error : errno));
        return;
    }
    enum greeting greeting = carrier_open(connection);
    if (greeting == UNGREETED)
        fail("handshake: %s", carrier_error());
    if (greeting != GREETED)
        return;
    connection->is_open = 1;
    if (options.mode == MODE_SEND)
        want(connection, 0);
    else if (options.mode == MODE_FAN_OUT)
        want(connection, READABLE);
    else
        begin_message(connection);
    if (run.phase == OPENING && (options.mode == MODE_SEND || options.mode == MODE_ACCEPT))
        count_open_connection();
}
