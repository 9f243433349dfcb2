/*
 * Who watches whose presence, by user numbers: a list of watchers for each one
 * who is watched.  Nobody says when a watcher has gone for good (his worker may
 * have died, his farewell have met a broken store), so all lists are looked
 * through a little at a time, and who was not here twice running is forgotten.
 */

#ifndef STORAGE_WATCHERS_H
#define STORAGE_WATCHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "map.h"

#define WATCHERS_SLICE 65536 /* watchers looked at in one watchers_tick() */

struct watcher {
    uint64_t number : 63;
    uint64_t missed : 1; /* he was not here when he was looked for last */
};

struct watched;
TAILQ_HEAD(watched_list, watched);

struct watchers {
    struct map lists;
    struct watched_list order; /* the next to be looked through is first */
};

void watchers_init(struct watchers *all);
void watchers_clear(struct watchers *all);

/* He watches the user of that number; -1: out of memory, he does not. */
int watchers_add(struct watchers *all, uint64_t number, uint64_t watcher);
void watchers_remove(struct watchers *all, uint64_t number, uint64_t watcher);

bool watchers_has(struct watchers *all, uint64_t number, uint64_t watcher);

/* All of a user, good until something changes; how many in *n. */
const struct watcher *watchers_of(struct watchers *all, uint64_t number,
                                  uint32_t *n);

/*
 * Looks on; here tells whether a watcher has a connection.  Between two calls
 * must be more time than from a watcher's request until he counts as here.
 */
void watchers_tick(struct watchers *all,
                   bool (*here)(uint64_t watcher, const void *data),
                   const void *data);

#endif
