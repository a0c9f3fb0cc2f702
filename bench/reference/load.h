/* What the parts of the load generator share: its options, its state, its connections.
 *
 * load.c runs the phases, load_opening.c opens the connections, load_traffic.c moves the bytes,
 * load_http.c knows what HTTP looks like, and load_plain.c or load_tls.c carries the bytes. */
#ifndef UVNET_BENCH_LOAD_H
#define UVNET_BENCH_LOAD_H

#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"
#include "process_clock.h"
#include "process_memory.h"
#include "user_sampler.h"

enum mode { MODE_ECHO, MODE_ACCEPT, MODE_SEND, MODE_ASK, MODE_FAN_OUT, MODE_IDLE, MODE_HTTP };
enum greeting { GREETED, GREETING, UNGREETED };
enum phase { OPENING, WARMING_UP, MEASURING, SAMPLING, DRAINING, FINISHED };

struct connection {
    int descriptor;
    void *session; /* of TLS */
    int is_open;
    unsigned interest; /* the directions its readiness is asked for */
    unsigned number;
    uint64_t sequence; /* of the message in flight */
    uint64_t started;
    uint64_t completed_in_window;
    size_t sent;
    size_t received;
    uint64_t sent_in_all;
    char answer[32];
};

struct options {
    enum mode mode;
    struct sockaddr_in address;
    unsigned connections;
    size_t size;
    size_t answer; /* bytes; 0 where the answer is the message itself */
    double rate;   /* bytes in a second that MODE_SEND sends at most; 0: as many as go */
    int is_patient;
    int is_awake; /* whether it asks for events without waiting */
    int resets; /* whether MODE_ACCEPT closes with a reset */
    double warm_up;
    double seconds;
    pid_t server;
};

struct run {
    int queue;
    enum phase phase;
    uint64_t deadline;
    unsigned asked_to_open;
    unsigned open;
    unsigned drained;
    uint64_t attempts; /* connections ever tried */
    uint64_t begin, end;
    struct process_time server_begin, server_end, own_begin, own_end;
    struct user_sampler sampler;
    uint64_t sampled_user; /* nanoseconds, while SAMPLING */
    uint64_t sampled_bytes;
    struct process_memory memory_begin, memory_end;
    unsigned arrived; /* deliveries of the fan-out in flight */
    uint64_t fan_out_started;
    uint64_t messages;
    uint64_t bytes;
    uint64_t messages_in_all; /* outside the window too */
    char error[200];
    struct histogram latencies;
};

extern struct options options;
extern struct run run;
extern struct connection *connections;

/* Monotonic, in nanoseconds. */
uint64_t now(void);

/* Keeps the first reason and ends the run. */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Both return 0, or -1 when there is no memory. */
int prepare_text(size_t size);
int prepare_connections(unsigned count);

/* What carries the bytes, plain or in TLS. Sending and receiving are as send() and recv() of a
 * non-blocking descriptor: a number of bytes, 0 at the end, or -1 with EAGAIN or a reason in
 * `carrier_error()`. `carrier_holds()` says whether there is more to receive that readiness does not tell. */
int prepare_carrier(void);
enum greeting carrier_open(struct connection *connection);
ssize_t carrier_send(struct connection *connection, const char *data, size_t size);
ssize_t carrier_receive(struct connection *connection, char *data, size_t size);
int carrier_holds(const struct connection *connection);
void carrier_close(struct connection *connection);
const char *carrier_error(void);

/* HTTP: the request, and the reply that the first connection gets and all others are compared with.
 * `learn_reply()` returns whether it is whole; it fails the run where that cannot be known. */
extern const char http_request[];
extern const size_t http_request_size;
int learn_reply(const char *data, size_t size);
size_t learned_reply_size(void);
int is_learned_reply(const char *data, size_t begin, size_t size);

int would_block(void);
void want(struct connection *connection, unsigned interest);

/* How many connections are opened before the memory of a server is read for the first time. */
unsigned first_connections(void);
void open_first_connections(void);
void open_connection(struct connection *connection);
void on_open(struct connection *connection);
void complete_greeting(struct connection *connection);

void begin_message(struct connection *connection);
void start_traffic(void);
void on_ready(struct connection *connection, unsigned directions);

/* Fails the run when a connection that carries nothing has been closed or written to. */
void check_silence(void);

#endif
