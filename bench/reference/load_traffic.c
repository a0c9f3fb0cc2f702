/* The bytes of the load generator: opening connections, sending, and checking what comes back. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "readiness.h"

#define READ_SIZE (256 * 1024)
#define TEXT_PERIOD 251
#define EDGE 8
#define SOURCE_ADDRESSES 32

struct connection *connections;
static char *text;
static char read_buffer[READ_SIZE];

int prepare_text(size_t size)
{
    text = malloc(size + TEXT_PERIOD);
    if (text == NULL)
        return -1;
    for (size_t index = 0; index < size + TEXT_PERIOD; index++)
        text[index] = (char)(index % TEXT_PERIOD);
    return 0;
}

int prepare_connections(unsigned count)
{
    connections = calloc(count, sizeof *connections);
    if (connections == NULL)
        return -1;
    for (unsigned index = 0; index < count; index++)
        connections[index].number = index;
    return 0;
}

static int would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }

void want(struct connection *connection, unsigned interest)
{
    if (connection->interest == interest)
        return;
    if (readiness_change(run.queue, connection->descriptor, connection, connection->interest,
                         interest) < 0)
        fail("readiness: %s", strerror(errno));
    connection->interest = interest;
}

static const char *message_text(const struct connection *connection)
{
    return text + (connection->number * 7u + connection->sequence) % TEXT_PERIOD;
}

/* --- opening --------------------------------------------------------------------------------- */

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

static void open_connection(struct connection *connection)
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
    if (connect(descriptor, (struct sockaddr *)&options.address, sizeof options.address) < 0 &&
        errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    want(connection, WRITABLE);
}

void open_next_connection(void)
{
    if (run.asked_to_open < options.connections)
        open_connection(&connections[run.asked_to_open++]);
}

/* --- traffic --------------------------------------------------------------------------------- */

static void push_message(struct connection *connection)
{
    ssize_t sent = send(connection->descriptor, message_text(connection) + connection->sent,
                        options.size - connection->sent, 0);
    if (sent < 0) {
        if (!would_block()) {
            fail("send: %s", strerror(errno));
            return;
        }
        sent = 0;
    }
    connection->sent += (size_t)sent;
    want(connection, connection->sent < options.size ? READABLE | WRITABLE : READABLE);
}

static void begin_message(struct connection *connection)
{
    connection->sequence++;
    connection->sent = 0;
    connection->received = 0;
    push_message(connection);
}

/* Before the measured traffic each connection has one message echoed and then waits: a connection
 * can be open for the client long before the server has accepted it. */
static void complete_greeting(struct connection *connection)
{
    want(connection, 0);
    run.open++;
    open_next_connection();
}

static void complete_message(struct connection *connection)
{
    uint64_t time = now();
    if (run.phase == OPENING && options.mode == MODE_ECHO) {
        complete_greeting(connection);
        return;
    }
    if (run.phase == MEASURING) {
        histogram_add(&run.latencies, time - connection->started);
        run.messages++;
        run.bytes += options.size;
        connection->completed_in_window++;
    }
    if (options.mode == MODE_ACCEPT) {
        close(connection->descriptor);
        open_connection(connection);
        return;
    }
    connection->started = time;
    begin_message(connection);
}

static int is_expected(const struct connection *connection, size_t length)
{
    const char *expected = message_text(connection) + connection->received;
    if (run.phase != MEASURING || options.mode == MODE_ACCEPT || length <= 2 * EDGE)
        return memcmp(read_buffer, expected, length) == 0;
    return memcmp(read_buffer, expected, EDGE) == 0 &&
           memcmp(read_buffer + length - EDGE, expected + length - EDGE, EDGE) == 0;
}

static void pull_message(struct connection *connection)
{
    ssize_t length = recv(connection->descriptor, read_buffer, READ_SIZE, 0);
    if (length < 0 && would_block())
        return;
    if (length <= 0)
        fail("receive: %s", length == 0 ? "the server closed the connection" : strerror(errno));
    else if (connection->received + (size_t)length > connection->sent)
        fail("the server sent more than it was sent");
    else if (!is_expected(connection, (size_t)length))
        fail("the server sent back something else");
    else if ((connection->received += (size_t)length) == options.size)
        complete_message(connection);
}

static void push_stream(struct connection *connection)
{
    ssize_t sent = send(connection->descriptor, text, options.size, 0);
    if (sent < 0) {
        if (!would_block())
            fail("send: %s", strerror(errno));
        return;
    }
    connection->sent_in_all += (uint64_t)sent;
    if (run.phase == MEASURING) {
        run.messages++;
        run.bytes += (uint64_t)sent;
        connection->completed_in_window++;
    }
}

static void pull_answer(struct connection *connection)
{
    size_t space = sizeof connection->answer - 1 - connection->received;
    ssize_t length =
        recv(connection->descriptor, connection->answer + connection->received, space, 0);
    if (length < 0 && would_block())
        return;
    if (length < 0) {
        fail("receive: %s", strerror(errno));
    } else if (length > 0) {
        connection->received += (size_t)length;
    } else if (strtoull(connection->answer, NULL, 10) != connection->sent_in_all) {
        fail("sent %llu bytes, the server received '%s'",
             (unsigned long long)connection->sent_in_all, connection->answer);
    } else {
        want(connection, 0);
        if (++run.drained == options.connections)
            run.phase = FINISHED;
    }
}

void start_traffic(struct connection *connection)
{
    if (options.mode == MODE_SEND) {
        want(connection, WRITABLE);
        return;
    }
    connection->started = now();
    begin_message(connection);
}

static void on_open(struct connection *connection)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(connection->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error) {
        fail("connect: %s", strerror(error ? error : errno));
        return;
    }
    connection->is_open = 1;
    if (options.mode == MODE_ECHO) {
        begin_message(connection);
        return;
    }
    run.open++;
    if (options.mode == MODE_ACCEPT)
        begin_message(connection);
    else
        want(connection, 0);
    if (run.phase == OPENING)
        open_next_connection();
}

void on_ready(struct connection *connection, unsigned directions)
{
    if (connection->interest == 0)
        return;
    if (!connection->is_open)
        on_open(connection);
    else if (options.mode == MODE_SEND && run.phase == DRAINING)
        pull_answer(connection);
    else if (options.mode == MODE_SEND)
        push_stream(connection);
    else {
        if ((directions & WRITABLE) && connection->sent < options.size)
            push_message(connection);
        if ((directions & READABLE) && run.phase != FINISHED)
            pull_message(connection);
    }
}
