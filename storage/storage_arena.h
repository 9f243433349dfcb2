/*
 * Memory of one batch of work: many small pieces, given back all at once.
 */

#ifndef STORAGE_ARENA_H
#define STORAGE_ARENA_H

#include <stddef.h>

#include "str.h"

struct arena_chunk;

/* A zeroed struct is a good empty arena. */
struct arena {
    struct arena_chunk *chunks;
};

/* Aligned for any type, not cleared; NULL: out of memory. */
void *arena_alloc(struct arena *a, size_t n);

/* A copy of s; .data is NULL when out of memory. */
struct str arena_copy(struct arena *a, struct str s);

/* Forgets all pieces; one chunk is kept for the next batch. */
void arena_reset(struct arena *a);
void arena_clear(struct arena *a);

#endif
