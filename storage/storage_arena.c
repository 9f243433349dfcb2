/* See storage_arena.h. */

#include "storage_arena.h"

#include <stdalign.h>
#include <stdlib.h>

#define ARENA_CHUNK 65536

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    size_t used;
    alignas(max_align_t) char data[];
};


void *
arena_alloc(struct arena *a, size_t n)
{
    struct arena_chunk *c = a->chunks;

    n = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

    if (c == NULL || c->size - c->used < n) {
        size_t size = n > ARENA_CHUNK ? n : ARENA_CHUNK;

        c = malloc(sizeof(*c) + size);
        if (c == NULL) {
            return NULL;
        }

        c->next = a->chunks;
        c->size = size;
        c->used = 0;
        a->chunks = c;
    }

    c->used += n;
    return c->data + c->used - n;
}


struct str
arena_copy(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.len + 1);

    if (p == NULL) {
        return (struct str){NULL, 0};
    }

    if (s.len != 0) {
        memcpy(p, s.data, s.len);
    }

    return (struct str){p, s.len};
}


void
arena_reset(struct arena *a)
{
    struct arena_chunk *keep = NULL;

    while (a->chunks != NULL) {
        struct arena_chunk *c = a->chunks;

        a->chunks = c->next;

        if (keep == NULL && c->size == ARENA_CHUNK) {
            keep = c;

        } else {
            free(c);
        }
    }

    if (keep != NULL) {
        keep->next = NULL;
        keep->used = 0;
        a->chunks = keep;
    }
}


void
arena_clear(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *c = a->chunks;

        a->chunks = c->next;
        free(c);
    }
}
