/* The CPU time another process and its children have used, read from the load generator at the very edges of the
 * measured window: no start-up, warm-up or tear-down of the server is counted.
 *
 * Linux keeps the total exactly, in nanoseconds; how much of it is user time it knows only from the
 * timer ticks, so the exact total is divided in the proportion of the ticks, where user_sampler.h
 * does not know better. */
#ifndef UVNET_BENCH_PROCESS_CLOCK_H
#define UVNET_BENCH_PROCESS_CLOCK_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

struct process_time {
    int known;
    uint64_t total_nanoseconds;
    uint64_t user_ticks;   /* in nanoseconds, but in steps of one timer tick */
    uint64_t system_ticks; /* likewise */
    uint64_t waited_nanoseconds;
};

#if defined(__linux__)

/* The kernel's encoding of "a clock of that process", the one clock_getcpuclockid(3) returns;
 * the low two bits choose the clock. */
enum { CLOCK_USER_AND_SYSTEM = 0, CLOCK_USER = 1, CLOCK_EXACT = 2 };

static inline int read_process_clock(pid_t process, int kind, uint64_t *nanoseconds)
{
    struct timespec time;
    clockid_t clock = (clockid_t)((~(unsigned)process << 3) | (unsigned)kind);
    if (clock_gettime(clock, &time) < 0)
        return -1;
    *nanoseconds = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
    return 0;
}

/* How long the main thread was runnable while something else held its core. */
static inline uint64_t read_waited(pid_t process)
{
    char path[64];
    unsigned long long ran, waited;
    snprintf(path, sizeof path, "/proc/%ld/schedstat", (long)process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    int fields = fscanf(file, "%llu %llu", &ran, &waited);
    fclose(file);
    return fields == 2 ? waited : 0;
}

static inline struct process_time read_one_process(pid_t process)
{
    struct process_time time = {0};
    uint64_t both;
    if (process <= 0 || read_process_clock(process, CLOCK_EXACT, &time.total_nanoseconds) < 0 ||
        read_process_clock(process, CLOCK_USER_AND_SYSTEM, &both) < 0 ||
        read_process_clock(process, CLOCK_USER, &time.user_ticks) < 0)
        return time;
    time.system_ticks = both > time.user_ticks ? both - time.user_ticks : 0;
    time.waited_nanoseconds = read_waited(process);
    time.known = 1;
    return time;
}

/* A server of several processes: its children are counted with it, those of its main thread. */
static inline struct process_time read_process_time(pid_t process)
{
    struct process_time time = read_one_process(process);
    char path[64];
    long child;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)process, (long)process);
    FILE *file = time.known ? fopen(path, "r") : NULL;
    if (file == NULL)
        return time;
    while (fscanf(file, "%ld", &child) == 1) {
        struct process_time more = read_one_process((pid_t)child);
        time.total_nanoseconds += more.total_nanoseconds;
        time.user_ticks += more.user_ticks;
        time.system_ticks += more.system_ticks;
        time.waited_nanoseconds += more.waited_nanoseconds;
    }
    fclose(file);
    return time;
}

#elif defined(__APPLE__)

#include <libproc.h>
#include <mach/mach_time.h>
#include <sys/resource.h>

static inline struct process_time read_process_time(pid_t process)
{
    struct process_time time = {0};
    struct rusage_info_v2 usage;
    mach_timebase_info_data_t base;
    if (process <= 0 || mach_timebase_info(&base) != 0 ||
        proc_pid_rusage(process, RUSAGE_INFO_V2, (rusage_info_t *)&usage) != 0)
        return time;
    time.user_ticks = usage.ri_user_time * base.numer / base.denom;
    time.system_ticks = usage.ri_system_time * base.numer / base.denom;
    time.total_nanoseconds = time.user_ticks + time.system_ticks;
    time.known = 1;
    return time;
}

#else

static inline struct process_time read_process_time(pid_t process)
{
    struct process_time time = {0};
    (void)process;
    return time;
}

#endif

static inline struct process_time process_time_between(struct process_time begin,
                                                       struct process_time end)
{
    struct process_time used = {0};
    used.known = begin.known && end.known;
    used.total_nanoseconds = end.total_nanoseconds - begin.total_nanoseconds;
    used.user_ticks = end.user_ticks - begin.user_ticks;
    used.system_ticks = end.system_ticks - begin.system_ticks;
    used.waited_nanoseconds = end.waited_nanoseconds - begin.waited_nanoseconds;
    return used;
}

/* The user part of the exact total. */
static inline uint64_t process_user_nanoseconds(struct process_time used)
{
    uint64_t ticks = used.user_ticks + used.system_ticks;
    if (ticks == 0)
        return 0;
    return (uint64_t)((double)used.total_nanoseconds * (double)used.user_ticks / (double)ticks);
}

#endif
