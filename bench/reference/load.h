/* What the parts of the load generator share: its options, its state, its connections.
 *
 * load.c runs the phases, load_traffic.c moves the bytes. */
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

enum mode { MODE_ECHO, MODE_ACCEPT, MODE_SEND };
enum phase { OPENING, WARMING_UP, MEASURING, DRAINING, FINISHED };

struct connection {
    int descriptor;
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
    uint64_t messages;
    uint64_t bytes;
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

void want(struct connection *connection, unsigned interest);
void open_next_connection(void);
void start_traffic(struct connection *connection);
void on_ready(struct connection *connection, unsigned directions);

#endif
