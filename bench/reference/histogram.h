/* A histogram of durations with a bounded relative error: 64 buckets per power of two (1.6 %). */
#ifndef UVNET_BENCH_HISTOGRAM_H
#define UVNET_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 6
#define HISTOGRAM_STEPS (1u << HISTOGRAM_BITS)
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t total;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    unsigned index = (unsigned)value;
    if (value >= HISTOGRAM_STEPS) {
        unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
        index = (shift + 1) * HISTOGRAM_STEPS + (unsigned)(value >> shift) - HISTOGRAM_STEPS;
    }
    histogram->counts[index]++;
    histogram->total++;
}

/* The middle of the bucket that holds the given fraction of all values; 0 when there are none. */
static inline double histogram_quantile(const struct histogram *histogram, double fraction)
{
    uint64_t wanted = (uint64_t)(fraction * (double)histogram->total);
    uint64_t seen = 0;
    for (unsigned index = 0; index < HISTOGRAM_BUCKETS; index++) {
        seen += histogram->counts[index];
        if (histogram->counts[index] == 0 || seen <= wanted)
            continue;
        if (index < HISTOGRAM_STEPS)
            return (double)index;
        unsigned shift = index / HISTOGRAM_STEPS - 1;
        uint64_t low = (uint64_t)(index % HISTOGRAM_STEPS + HISTOGRAM_STEPS) << shift;
        return (double)low + (double)((uint64_t)1 << shift) / 2.0;
    }
    return 0.0;
}

#endif
