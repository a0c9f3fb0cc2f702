/* The user time of another process, sampled much more often than the timer ticks do.
 *
 * Linux can look at a thread after every so many nanoseconds of its CPU time, and write a record of
 * eight bytes when it finds it outside the kernel. The records themselves are never read: how far
 * the kernel has written says how many there were. Nobody needs a privilege for that, unless the
 * system forbids it (kernel.perf_event_paranoid above 2); then, and elsewhere, nothing is known. */
#ifndef UVNET_BENCH_USER_SAMPLER_H
#define UVNET_BENCH_USER_SAMPLER_H

#include <stdint.h>
#include <sys/types.h>

#define SAMPLER_PERIOD_NANOSECONDS 200000
#define SAMPLER_THREADS 64

struct user_sampler {
    int known;
    unsigned threads;
    const volatile uint64_t *written[SAMPLER_THREADS]; /* in bytes, by the kernel */
};

#if defined(__linux__)

#include <dirent.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline const volatile uint64_t *sample_thread(pid_t thread)
{
    struct perf_event_attr wanted;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    memset(&wanted, 0, sizeof wanted);
    wanted.size = sizeof wanted;
    wanted.type = PERF_TYPE_SOFTWARE;
    wanted.config = PERF_COUNT_SW_CPU_CLOCK;
    wanted.sample_period = SAMPLER_PERIOD_NANOSECONDS;
    wanted.exclude_kernel = 1;
    wanted.exclude_hv = 1;
    int event = (int)syscall(SYS_perf_event_open, &wanted, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (event < 0)
        return NULL;
    /* A mapping that cannot be written to is a ring that the kernel overwrites for ever. The event
     * lives as long as the mapping or the descriptor. */
    struct perf_event_mmap_page *ring = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, event, 0);
    return ring == MAP_FAILED ? NULL : (const volatile uint64_t *)&ring->data_head;
}

/* Samples all threads that the process has now. */
static inline struct user_sampler open_user_sampler(pid_t process)
{
    struct user_sampler sampler = {0};
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/task", (long)process);
    DIR *directory = process > 0 ? opendir(path) : NULL;
    if (directory == NULL)
        return sampler;
    sampler.known = 1;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        pid_t thread = (pid_t)atol(entry->d_name);
        if (thread <= 0)
            continue;
        const volatile uint64_t *written =
            sampler.threads < SAMPLER_THREADS ? sample_thread(thread) : NULL;
        if (written == NULL) {
            sampler.known = 0;
            break;
        }
        sampler.written[sampler.threads++] = written;
    }
    closedir(directory);
    return sampler;
}

#else

static inline struct user_sampler open_user_sampler(pid_t process)
{
    struct user_sampler sampler = {0};
    (void)process;
    return sampler;
}

#endif

/* User time since the sampler was opened. A record without any content is its header of 8 bytes. */
static inline uint64_t sampled_user_nanoseconds(const struct user_sampler *sampler)
{
    uint64_t written = 0;
    for (unsigned index = 0; index < sampler->threads; index++)
        written += *sampler->written[index];
    return written / 8 * SAMPLER_PERIOD_NANOSECONDS;
}

#endif
