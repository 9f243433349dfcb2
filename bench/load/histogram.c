/*
 * The buckets of histogram.h: below 2^SUB_BITS one a value, above it
 * 2^SUB_BITS of them between each power of two and the next.
 */

#include "histogram.h"

#define SUB ((uint64_t) 1 << HISTOGRAM_SUB_BITS)


static unsigned
histogram_bucket(uint64_t v)
{
    unsigned shift;

    if (v < SUB) {
        return (unsigned) v;
    }

    shift = 63 - (unsigned) __builtin_clzll(v) - HISTOGRAM_SUB_BITS;
    return (shift << HISTOGRAM_SUB_BITS) + (unsigned) (v >> shift);
}


/* The largest value of a bucket. */
static uint64_t
histogram_value(unsigned bucket)
{
    unsigned shift = bucket >> HISTOGRAM_SUB_BITS;

    if (shift <= 1) {
        return bucket;
    }

    shift--;
    return ((SUB + (bucket & (SUB - 1)) + 1) << shift) - 1;
}


void
histogram_add(struct histogram *h, uint64_t ns)
{
    /* bits above 2^62 ns, 146 years, have no bucket */
    unsigned bucket = histogram_bucket(ns >> 62 ? (uint64_t) 1 << 61 : ns);

    h->buckets[bucket]++;
    h->count++;

    if (ns > h->max) {
        h->max = ns;
    }
}


uint64_t
histogram_at(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t) (share * (double) h->count + 0.5);
    uint64_t seen = 0;

    if (wanted == 0) {
        wanted = 1;
    }

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];

        if (seen >= wanted) {
            uint64_t value = histogram_value(i);
            return value < h->max ? value : h->max;
        }
    }

    return h->max;
}
