/* The memory of another process: what is resident, and what of it belongs to that process alone. */
#ifndef UVNET_BENCH_PROCESS_MEMORY_H
#define UVNET_BENCH_PROCESS_MEMORY_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct process_memory {
    int known;
    int64_t resident_bytes;
    int64_t private_bytes; /* not shared with any other process: libraries are not counted */
};

/* Linux alone tells; elsewhere the memory stays unknown. */
static inline struct process_memory read_process_memory(pid_t process)
{
    struct process_memory memory = {0};
    char path[64], line[200];
    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)process);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return memory;
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long long kibibytes;
        if (sscanf(line, "Rss: %llu kB", &kibibytes) == 1) {
            memory.resident_bytes = (int64_t)kibibytes * 1024;
            memory.known = 1;
        } else if (sscanf(line, "Private_Clean: %llu kB", &kibibytes) == 1 ||
                   sscanf(line, "Private_Dirty: %llu kB", &kibibytes) == 1) {
            memory.private_bytes += (int64_t)kibibytes * 1024;
        }
    }
    fclose(file);
    return memory;
}

#endif
