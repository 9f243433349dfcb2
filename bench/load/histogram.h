/*
 * Counts of times in nanoseconds, in buckets that are never wider than 1.6 %
 * of their value: percentiles of millions of samples in 16 KiB.
 */

#ifndef LOAD_HISTOGRAM_H
#define LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6
#define HISTOGRAM_BUCKETS  ((64 - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS)

struct histogram {
    uint64_t count;
    uint64_t max;
    uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);

/* The value that a share (0 ... 1) of the samples does not exceed; 0: none. */
uint64_t histogram_at(const struct histogram *h, double share);

#endif
