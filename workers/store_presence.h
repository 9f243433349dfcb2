/*
 * The store role's presence with other machines: between the storage, which
 * knows this machine's users and who may see whom, and Redis.
 */

#ifndef WORKERS_STORE_PRESENCE_H
#define WORKERS_STORE_PRESENCE_H

#include <stdint.h>

#include <uv.h>

#include "storage.h"

struct presence_redis;
struct role_config;

struct store_presence {
    struct presence_redis *redis; /* NULL: there are no other machines */
    struct storage *storage;      /* NULL: not open, or no longer      */
};

/* Before the storage is opened: adds to its handlers.  0, or -1 (logged). */
int store_presence_open(struct store_presence *p, uv_loop_t *loop,
                        const struct role_config *config,
                        struct storage_handlers *handlers);

/* The storage has answered its PRESENCE_START. */
void store_presence_ready(struct store_presence *p);

void store_presence_set_timeout(struct store_presence *p, unsigned s);

/* Fills its counters in the values of a STATS. */
void store_presence_stats(const struct store_presence *p, uint64_t *values);

/* Before the storage is closed, or instead. */
void store_presence_close(struct store_presence *p);

#endif
