/* The yardstick of the proxy workloads: reads from one side, writes to the other.
 *
 * The strategy is that of echo_server.c. A side is not read while bytes for the other one wait, an
 * end is passed on when everything before it has been sent, and an error ends both sides.
 *
 * usage: proxy UPSTREAM_PORT */
#include "serving.h"

#include <string.h>

#define READ_SIZE (256 * 1024)

struct side {
    int descriptor;
    int is_connecting;
    int has_ended; /* nothing more comes from here */
    unsigned interest;
    struct side *other;
    struct pair *pair;
    char *unsent; /* to this side */
    size_t unsent_start;
    size_t unsent_end;
};

struct pair {
    int is_open;
    struct side client;
    struct side upstream;
    struct pair *next_unused;
};

static struct sockaddr_in upstream_address;
static char read_buffer[READ_SIZE];
/* Pairs are used again and never freed: a later event of the same batch may still name one. */
static struct pair *unused;

static struct pair *take_pair(void)
{
    struct pair *pair = unused;
    if (pair != NULL)
        unused = pair->next_unused;
    else
        pair = malloc(sizeof *pair);
    if (pair == NULL)
        die("malloc");
    memset(pair, 0, sizeof *pair);
    pair->is_open = 1;
    pair->client.pair = pair->upstream.pair = pair;
    pair->client.other = &pair->upstream;
    pair->upstream.other = &pair->client;
    return pair;
}

static void end_pair(struct pair *pair)
{
    pair->is_open = 0;
    close(pair->client.descriptor);
    close(pair->upstream.descriptor);
    free(pair->client.unsent);
    free(pair->upstream.unsent);
    pair->next_unused = unused;
    unused = pair;
}

/* A side waits for bytes unless the other one still has some to take, and for room if it has. */
static void choose_interest(int queue, struct side *side)
{
    int is_connected = !side->is_connecting && !side->other->is_connecting;
    unsigned interest = side->is_connecting || side->unsent != NULL ? WRITABLE : 0;
    if (is_connected && !side->has_ended && side->other->unsent == NULL)
        interest |= READABLE;
    if (readiness_change(queue, side->descriptor, side, side->interest, interest) < 0)
        die("readiness");
    side->interest = interest;
}

static void choose_interests(int queue, struct pair *pair)
{
    choose_interest(queue, &pair->client);
    choose_interest(queue, &pair->upstream);
}

static void accepted(int queue, int descriptor)
{
    int on = 1;
    struct pair *pair = take_pair();
    pair->client.descriptor = descriptor;
    pair->upstream.descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (pair->upstream.descriptor < 0)
        die("socket");
    set_nonblocking(pair->upstream.descriptor);
    setsockopt(pair->upstream.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(pair->upstream.descriptor, (struct sockaddr *)&upstream_address,
                sizeof upstream_address) < 0 &&
        errno != EINPROGRESS)
        die("connect");
    pair->upstream.is_connecting = 1;
    choose_interests(queue, pair);
}

static void queue_rest(struct side *side, const char *rest, size_t length)
{
    side->unsent = malloc(length);
    if (side->unsent == NULL)
        die("malloc");
    memcpy(side->unsent, rest, length);
    side->unsent_start = 0;
    side->unsent_end = length;
}

/* Each of these three returns 1 when the pair is at its end. */
static int forward(struct side *side)
{
    ssize_t length = recv(side->descriptor, read_buffer, READ_SIZE, 0);
    if (length < 0)
        return !would_block();
    if (length == 0) {
        /* Nothing waits for the other side now, or this one would not be read. */
        side->has_ended = 1;
        shutdown(side->other->descriptor, SHUT_WR);
        return side->other->has_ended;
    }
    ssize_t sent = send(side->other->descriptor, read_buffer, (size_t)length, 0);
    if (sent < 0 && !would_block())
        return 1;
    if (sent < 0)
        sent = 0;
    if (sent < length)
        queue_rest(side->other, read_buffer + sent, (size_t)(length - sent));
    return 0;
}

static int send_rest(struct side *side)
{
    ssize_t sent = send(side->descriptor, side->unsent + side->unsent_start,
                        side->unsent_end - side->unsent_start, 0);
    if (sent < 0)
        return !would_block();
    side->unsent_start += (size_t)sent;
    if (side->unsent_start == side->unsent_end) {
        free(side->unsent);
        side->unsent = NULL;
    }
    return 0;
}

static int finish_connecting(struct side *side)
{
    int error = 0;
    socklen_t length = sizeof error;
    side->is_connecting = 0;
    return getsockopt(side->descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0 || error != 0;
}

static void ready(int queue, void *owner, unsigned directions)
{
    struct side *side = owner;
    struct pair *pair = side->pair;
    int is_at_end = 0;
    directions &= side->interest;
    if (!pair->is_open || directions == 0)
        return;
    if (side->is_connecting)
        is_at_end = finish_connecting(side);
    else if (directions & WRITABLE)
        is_at_end = send_rest(side);
    else
        is_at_end = forward(side);
    if (is_at_end)
        end_pair(pair);
    else
        choose_interests(queue, pair);
}

int main(int count, char **arguments)
{
    if (count != 2) {
        fputs("usage: proxy UPSTREAM_PORT\n", stderr);
        return 2;
    }
    upstream_address.sin_family = AF_INET;
    upstream_address.sin_port = htons((unsigned short)atoi(arguments[1]));
    upstream_address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    serve(0, accepted, ready);
    return 0;
}
