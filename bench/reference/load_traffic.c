/* The bytes of the load generator: sending, and checking what comes back. */
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "readiness.h"

#define READ_SIZE (256 * 1024)
#define TEXT_PERIOD 251
#define EDGE 8
#define MOST_MISSED 10000000u /* nanoseconds */

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

int would_block(void) { return errno == EAGAIN || errno == EWOULDBLOCK; }

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
    if (options.mode == MODE_HTTP)
        return http_request;
    return text + (connection->number * 7u + connection->sequence) % TEXT_PERIOD;
}

static int is_echoed(void)
{
    return options.mode != MODE_ASK && options.mode != MODE_FAN_OUT && options.mode != MODE_HTTP;
}

static size_t answer_size(void)
{
    if (options.mode == MODE_HTTP)
        return learned_reply_size();
    return options.answer > 0 ? options.answer : options.size;
}

/* What a server says of its own is always the same. */
static const char *answer_text(const struct connection *connection)
{
    return is_echoed() ? message_text(connection) : text;
}

static void push_message(struct connection *connection)
{
    ssize_t sent = carrier_send(connection, message_text(connection) + connection->sent,
                                options.size - connection->sent);
    if (sent < 0) {
        if (!would_block()) {
            fail("send: %s", carrier_error());
            return;
        }
        sent = 0;
    }
    connection->sent += (size_t)sent;
    want(connection, connection->sent < options.size ? READABLE | WRITABLE : READABLE);
}

void begin_message(struct connection *connection)
{
    connection->sequence++;
    connection->sent = 0;
    connection->received = 0;
    push_message(connection);
}

static void begin_fan_out(void)
{
    run.arrived = 0;
    run.fan_out_started = now();
    if (send(connections[0].descriptor, text, 1, 0) != 1)
        fail("send: %s", strerror(errno));
}

static void complete_delivery(struct connection *connection)
{
    connection->received = 0;
    if (++run.arrived == options.connections)
        begin_fan_out();
}

static void count_progress(struct connection *connection, size_t bytes)
{
    if (run.phase == MEASURING) {
        run.messages++;
        run.bytes += bytes;
        connection->completed_in_window++;
    } else if (run.phase == SAMPLING) {
        run.sampled_bytes += bytes;
    }
}

static void complete_message(struct connection *connection)
{
    uint64_t time = now();
    uint64_t started = options.mode == MODE_FAN_OUT ? run.fan_out_started : connection->started;
    run.messages_in_all++;
    if (run.phase == OPENING && options.mode != MODE_ACCEPT) {
        complete_greeting(connection);
        return;
    }
    if (run.phase == MEASURING)
        histogram_add(&run.latencies, time - started);
    count_progress(connection, answer_size());
    if (options.mode == MODE_FAN_OUT) {
        complete_delivery(connection);
        return;
    }
    if (options.mode == MODE_ACCEPT) {
        carrier_close(connection);
        open_connection(connection);
        return;
    }
    connection->started = time;
    begin_message(connection);
}

static int is_expected(const struct connection *connection, size_t length)
{
    if (options.mode == MODE_HTTP)
        return is_learned_reply(read_buffer, connection->received, length);
    const char *expected = answer_text(connection) + connection->received;
    int is_hurried = run.phase == MEASURING || run.phase == SAMPLING;
    if (!is_hurried || options.mode == MODE_ACCEPT || length <= 2 * EDGE)
        return memcmp(read_buffer, expected, length) == 0;
    return memcmp(read_buffer, expected, EDGE) == 0 &&
           memcmp(read_buffer + length - EDGE, expected + length - EDGE, EDGE) == 0;
}

static void take_message(struct connection *connection, size_t length)
{
    if (options.mode == MODE_HTTP && learned_reply_size() == 0) {
        if (learn_reply(read_buffer, length))
            complete_message(connection);
    } else if (connection->received + length > (is_echoed() ? connection->sent : answer_size()))
        fail("the server sent more than it was asked for");
    else if (!is_expected(connection, length))
        fail("the server sent back something else");
    else if ((connection->received += length) == answer_size())
        complete_message(connection);
}

static void pull_message(struct connection *connection)
{
    do {
        ssize_t length = carrier_receive(connection, read_buffer, READ_SIZE);
        if (length < 0 && would_block())
            return;
        if (length <= 0)
            fail("receive: %s", length == 0 ? "the server closed the connection" : carrier_error());
        else
            take_message(connection, (size_t)length);
    } while (run.phase != FINISHED && carrier_holds(connection));
}

/* Waits until the next message is due at the given rate; what was missed lately is made up for. */
static void keep_rate(void)
{
    static uint64_t due;
    if (options.rate <= 0)
        return;
    uint64_t time = now();
    if (due + MOST_MISSED < time)
        due = time - MOST_MISSED;
    if (due > time) {
        struct timespec left = {(time_t)((due - time) / 1000000000u), (long)((due - time) % 1000000000u)};
        nanosleep(&left, NULL);
    }
    due += (uint64_t)((double)options.size * 1e9 / options.rate);
}

static void push_stream(struct connection *connection)
{
    keep_rate();
    ssize_t sent = send(connection->descriptor, text, options.size, 0);
    if (sent < 0) {
        if (!would_block())
            fail("send: %s", strerror(errno));
        return;
    }
    connection->sent_in_all += (uint64_t)sent;
    count_progress(connection, (size_t)sent);
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

void start_traffic(void)
{
    for (unsigned index = 0; index < options.connections; index++) {
        struct connection *connection = &connections[index];
        if (options.mode == MODE_SEND) {
            want(connection, WRITABLE);
        } else if (options.mode == MODE_FAN_OUT) {
            connection->received = 0;
            want(connection, READABLE);
        } else if (options.mode == MODE_ECHO || options.mode == MODE_ASK ||
                   options.mode == MODE_HTTP) {
            connection->started = now();
            begin_message(connection);
        }
    }
    if (options.mode == MODE_FAN_OUT)
        begin_fan_out();
}

void check_silence(void)
{
    for (unsigned index = 0; index < options.connections; index++)
        if (recv(connections[index].descriptor, read_buffer, 1, MSG_DONTWAIT) >= 0 || !would_block())
            fail("connection %u was not silent", index);
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
        if ((directions & WRITABLE) && (connection->interest & WRITABLE))
            push_message(connection);
        if ((directions & READABLE) && run.phase != FINISHED)
            pull_message(connection);
    }
}
