/*
 * What a run found: figures by name, printed as a table and as one JSON
 * object, and the invariants it saw broken.
 */

#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdint.h>

struct histogram;

#define REPORT_FIGURES 128

struct report {
    unsigned n;
    struct {
        char name[40];
        double value;
    } figures[REPORT_FIGURES];
};

void report_add(struct report *r, const char *name, double value);

/* NAME_p50_us and more percentiles, _max_us. */
void report_add_histogram(struct report *r, const char *name,
                          const struct histogram *h);

/* The table to stdout; the JSON to path, unless it is NULL.  0 or -1. */
int report_write(const struct report *r, const char *path);

/* An invariant does not hold: the first ten are told on stderr. */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t broken_count(void);

#endif
