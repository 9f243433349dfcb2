/*
 * Which worker has a user's connections, so where his events go: a byte for
 * each user number there has been, of which nearly all are near each other.
 */

#ifndef WORKERS_STORE_ROUTES_H
#define WORKERS_STORE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_routes { /* all 0: none */
    uint8_t *by_number;
    size_t n; /* numbers below it may have one */
};

/* The index is a worker's.  0, or -1 when out of memory. */
int store_routes_set(struct store_routes *r, uint64_t number, unsigned index);

/* The index + 1, or 0. */
unsigned store_routes_find(const struct store_routes *r, uint64_t number);

/* If it was that worker: another one may have him by now. */
bool store_routes_end(struct store_routes *r, uint64_t number, unsigned index);

void store_routes_clear(struct store_routes *r);

#endif
