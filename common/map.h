/*
 * A hash table of entries embedded in the caller's structs, keyed by bytes
 * that lie in them (SipHash with a key random per process, since names come
 * from outside).  Grows and shrinks a little at a time, never in one long
 * stop.  The table owns its slots only; entries are the caller's.
 */

#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_entry {
    struct map_entry *next;
    uint32_t hash;
};

/* Gives the key of an entry: bytes inside the struct that embeds it. */
typedef const void *map_key(const struct map_entry *e, size_t *len);

struct map {
    map_key *key;
    struct map_entry **slots; /* power of two, NULL while empty      */
    struct map_entry **old;   /* being emptied after a resize        */
    size_t mask, old_mask, moved, count;
};

void map_init(struct map *m, map_key *key);
void map_clear(struct map *m); /* frees the slots; entries stay the caller's */

struct map_entry *map_find(struct map *m, const void *key, size_t len);

/* The key must not be there yet.  0, or -1 when out of memory. */
int map_insert(struct map *m, struct map_entry *e);
void map_remove(struct map *m, struct map_entry *e);

/*
 * Walks all entries: start with *pos 0, NULL at the end.  The entry returned
 * last may be removed; no other change in between.
 */
struct map_entry *map_next(struct map *m, size_t *pos);

/* The keyed hash the tables use (SipHash-1-3). */
uint64_t map_hash(const void *data, size_t len);

#define map_container(e, type, member)                                         \
    ((type *) (void *) ((char *) (e) -offsetof(type, member)))

#endif
