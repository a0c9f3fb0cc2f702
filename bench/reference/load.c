/* The load generator: one thread, one event loop, one JSON line on standard output.
 *
 *   echo    every connection has one message in flight; the next one starts when it came back whole
 *   accept  every slot connects, has one message echoed, closes, and starts again
 *   send    every connection is written to without pause; at the end the server must answer with
 *           the number of bytes it received
 *   ask     like echo, but the server answers each message with --answer bytes of its own
 *   fan-out the server sends a message to each new connection; a byte from the first connection
 *           makes it send one to every connection, and the next byte follows when all have arrived
 *   http    like ask, with a request of HTTP that keeps the connection; the first reply is measured by
 *           its Content-Length, and all others must be the same but for their date
 *   idle    every connection has one message echoed, and then nothing: the server's memory is read
 *           after the first few connections and after all of them
 *
 * What comes back is compared with what was sent: whole while warming up and in accept mode, its
 * first and last bytes while measuring, so that checking does not become the bottleneck. Each
 * message starts at another place of a periodic text, so a repeated, lost or misdirected message
 * shows. The first error ends the run. Every phase has a deadline. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "readiness.h"

#define OPENING_SECONDS 20.0
#define DRAINING_SECONDS 10.0
#define MOST_SAMPLED_SECONDS 1.0

struct options options = {.mode = MODE_ECHO, .connections = 50, .size = 1024, .warm_up = 0.5, .seconds = 2.0};
struct run run;

uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

void fail(const char *format, ...)
{
    va_list values;
    if (run.error[0] == '\0') {
        va_start(values, format);
        vsnprintf(run.error, sizeof run.error, format, values);
        va_end(values);
    }
    run.phase = FINISHED;
}

/* --- phases ---------------------------------------------------------------------------------- */

static void enter(enum phase phase, double seconds)
{
    run.phase = phase;
    run.deadline = now() + (uint64_t)(seconds * 1e9);
}

static void begin_draining(void)
{
    enter(DRAINING, DRAINING_SECONDS);
    for (unsigned index = 0; index < options.connections; index++) {
        shutdown(connections[index].descriptor, SHUT_WR);
        want(&connections[index], READABLE);
    }
}

static void end_traffic(void)
{
    if (options.mode == MODE_SEND)
        begin_draining();
    else
        run.phase = FINISHED;
}

/* Sampling has a window of its own: each sample interrupts the server, which costs it 5 to 8% of an
 * echo, and more where a thread beside it is switched in and out. */
static void begin_sampling(void)
{
    run.sampler = open_user_sampler(options.server);
    if (run.sampler.known)
        enter(SAMPLING, options.seconds < MOST_SAMPLED_SECONDS ? options.seconds : MOST_SAMPLED_SECONDS);
    else
        end_traffic();
}

static void end_sampling(void)
{
    run.sampled_user = sampled_user_nanoseconds(&run.sampler);
    end_traffic();
}

static void end_window(void)
{
    unsigned starved = 0;
    run.server_end = read_process_time(options.server);
    run.own_end = read_process_time(getpid());
    run.end = now();
    for (unsigned index = 0; index < options.connections; index++)
        starved += connections[index].completed_in_window == 0;
    if (starved > 0 && options.mode != MODE_ACCEPT && !options.is_patient)
        fail("%u connections saw no progress in the measured window", starved);
    else if (run.messages == 0)
        fail("nothing completed in the measured window");
    else
        begin_sampling();
}

static void end_silence(void)
{
    run.memory_end = read_process_memory(options.server);
    run.phase = FINISHED;
    check_silence();
}

static void advance_phase(void)
{
    int late = now() >= run.deadline;
    if (run.phase == OPENING && run.open >= options.connections) {
        enter(WARMING_UP, options.warm_up);
        start_traffic();
    } else if (run.phase == WARMING_UP && late && options.mode == MODE_IDLE) {
        end_silence();
    } else if (run.phase == WARMING_UP && late) {
        enter(MEASURING, options.seconds);
        run.begin = now();
        run.own_begin = read_process_time(getpid());
        run.server_begin = read_process_time(options.server);
    } else if (run.phase == MEASURING && late) {
        end_window();
    } else if (run.phase == SAMPLING && late) {
        end_sampling();
    } else if (late && run.phase == OPENING) {
        fail("only %u of %u connections opened", run.open, options.connections);
    } else if (late && run.phase == DRAINING) {
        fail("only %u of %u connections were answered", run.drained, options.connections);
    }
}

static void run_phases(void)
{
    struct readiness_event ready[READINESS_BATCH];
    enter(OPENING, OPENING_SECONDS);
    open_first_connections();
    for (;;) {
        advance_phase();
        if (run.phase == FINISHED)
            return;
        uint64_t time = now();
        int64_t left = time < run.deadline ? (int64_t)(run.deadline - time) : 0;
        int count = readiness_wait(run.queue, ready, options.is_awake ? 0 : (int)(left / 1000000) + 1);
        if (count < 0)
            fail("wait: %s", strerror(errno));
        for (int index = 0; index < count && run.phase != FINISHED; index++)
            on_ready(ready[index].owner, ready[index].directions);
    }
}

/* --- options and report ---------------------------------------------------------------------- */

static void usage(void)
{
    fputs("usage: load --mode echo|accept|send|ask|fan-out|idle|http --port PORT [--host ADDRESS]\n"
          "            [--connections N] [--size BYTES] [--answer BYTES] [--warm-up SECONDS]\n"
          "            [--seconds SECONDS] [--rate BYTES] [--patient] [--reset] [--awake]\n"
          "            [--server-pid PID]\n"
          "--rate is what 'send' sends in a second on all connections together, at most\n"
          "--patient accepts connections without progress in the measured window\n"
          "--reset is how 'accept' closes; without it the server sees an end of stream\n"
          "--awake asks for events without waiting, so that nothing the server does wakes it\n",
          stderr);
    exit(2);
}

static enum mode mode_named(const char *name)
{
    static const char *const names[] = {"echo", "accept",  "send", "ask",
                                        "fan-out", "idle", "http"};
    for (unsigned index = 0; index < sizeof names / sizeof *names; index++)
        if (strcmp(name, names[index]) == 0)
            return (enum mode)index;
    usage();
    return MODE_ECHO;
}

static void parse_options(int count, char **arguments)
{
    static const struct option names[] = {
        {"mode", required_argument, NULL, 'm'},    {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'},    {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 'b'},    {"warm-up", required_argument, NULL, 'w'},
        {"seconds", required_argument, NULL, 's'}, {"server-pid", required_argument, NULL, 'i'},
        {"answer", required_argument, NULL, 'a'},  {"patient", no_argument, NULL, 'q'},
        {"rate", required_argument, NULL, 'r'},    {"reset", no_argument, NULL, 'x'},
        {"awake", no_argument, NULL, 'k'},         {NULL, 0, NULL, 0}};
    const char *host = "127.0.0.1";
    int name;
    while ((name = getopt_long(count, arguments, "", names, NULL)) != -1) {
        if (name == 'm')
            options.mode = mode_named(optarg);
        else if (name == 'h')
            host = optarg;
        else if (name == 'p')
            options.address.sin_port = htons((unsigned short)atoi(optarg));
        else if (name == 'c')
            options.connections = (unsigned)atoi(optarg);
        else if (name == 'b')
            options.size = (size_t)strtoul(optarg, NULL, 10);
        else if (name == 'a')
            options.answer = (size_t)strtoul(optarg, NULL, 10);
        else if (name == 'r')
            options.rate = atof(optarg);
        else if (name == 'q')
            options.is_patient = 1;
        else if (name == 'k')
            options.is_awake = 1;
        else if (name == 'x')
            options.resets = 1;
        else if (name == 'w')
            options.warm_up = atof(optarg);
        else if (name == 's')
            options.seconds = atof(optarg);
        else if (name == 'i')
            options.server = (pid_t)atol(optarg);
        else
            usage();
    }
    options.address.sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &options.address.sin_addr) != 1 || options.address.sin_port == 0 ||
        options.connections == 0 || options.size == 0 || options.seconds <= 0)
        usage();
    if (options.mode == MODE_HTTP)
        options.size = http_request_size;
}

static void print_latency(const char *name, double fraction)
{
    if (run.latencies.total == 0)
        printf(", \"%s\": null", name);
    else
        printf(", \"%s\": %.1f", name, histogram_quantile(&run.latencies, fraction) / 1e3);
}

static void print_process_time(const char *who, struct process_time used, uint64_t user)
{
    if (!used.known) {
        printf(", \"%s_total_nanoseconds\": null", who);
        return;
    }
    printf(", \"%s_user_nanoseconds\": %llu, \"%s_system_nanoseconds\": %llu", who,
           (unsigned long long)user, who, (unsigned long long)(used.total_nanoseconds - user));
    printf(", \"%s_total_nanoseconds\": %llu, \"%s_waited_nanoseconds\": %llu", who,
           (unsigned long long)used.total_nanoseconds, who,
           (unsigned long long)used.waited_nanoseconds);
}

static void print_process_times(void)
{
    struct process_time server = process_time_between(run.server_begin, run.server_end);
    struct process_time own = process_time_between(run.own_begin, run.own_end);
    int is_sampled = run.sampler.known && run.sampled_bytes > 0;
    uint64_t user = process_user_nanoseconds(server);
    if (is_sampled)
        user = (uint64_t)((double)run.sampled_user * (double)run.bytes / (double)run.sampled_bytes);
    if (user > server.total_nanoseconds)
        user = server.total_nanoseconds;
    print_process_time("server", server, user);
    print_process_time("load", own, process_user_nanoseconds(own));
    printf(", \"user_time_sampled\": %s", is_sampled ? "true" : "false");
}

static void print_memory(void)
{
    if (!run.memory_begin.known || !run.memory_end.known)
        return;
    printf(", \"idle_connections\": %u", options.connections - first_connections());
    printf(", \"private_bytes\": %lld, \"resident_bytes\": %lld",
           (long long)(run.memory_end.private_bytes - run.memory_begin.private_bytes),
           (long long)(run.memory_end.resident_bytes - run.memory_begin.resident_bytes));
}

static void print_report(void)
{
    double seconds = run.end > run.begin ? (double)(run.end - run.begin) / 1e9 : 0.0;
    double rate = seconds > 0 ? 1.0 / seconds : 0.0;
    printf("{\"messages\": %llu, \"seconds\": %.6f", (unsigned long long)run.messages, seconds);
    printf(", \"messages_per_second\": %.1f", (double)run.messages * rate);
    printf(", \"messages_in_all\": %llu", (unsigned long long)run.messages_in_all);
    printf(", \"bytes\": %llu", (unsigned long long)run.bytes);
    printf(", \"bytes_per_second\": %.1f", (double)run.bytes * rate);
    print_latency("p50_microseconds", 0.50);
    print_latency("p99_microseconds", 0.99);
    print_process_times();
    print_memory();
    printf(", \"errors\": %d, \"error\": \"", run.error[0] != '\0');
    for (const char *place = run.error; *place != '\0'; place++)
        putchar(*place == '"' || *place == '\\' || *place < ' ' ? '?' : *place);
    printf("\"}\n");
}

int main(int count, char **arguments)
{
    parse_options(count, arguments);
    signal(SIGPIPE, SIG_IGN);
    alarm((unsigned)(OPENING_SECONDS + options.warm_up + options.seconds + MOST_SAMPLED_SECONDS +
                     DRAINING_SECONDS) +
          5);
    run.queue = readiness_open();
    if (run.queue < 0 || prepare_text(options.size > options.answer ? options.size : options.answer) < 0 ||
        prepare_connections(options.connections) < 0 || prepare_carrier() < 0) {
        perror("load");
        return 1;
    }
    run_phases();
    print_report();
    return run.error[0] != '\0';
}
