/*
 * The chained hash table of map.h.  A resize keeps the old slots and each
 * later insert moves a few of them, so that no call takes long.  Only inserts
 * resize and move: lookups and removals leave a walk's place valid.
 */

#include "map.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MAP_MIN   8
#define MAP_MOVES 8 /* old slots an insert moves: done before the next resize */

/* A walk's place: 0 at the start, else the next entry and a mark. */
#define WALK_OLD 1 /* the entry is among the old slots */
#define WALK_END 2

static uint64_t map_secret[2];
static pthread_once_t map_once = PTHREAD_ONCE_INIT;

static void
make_secret(void)
{
    if (getrandom(map_secret, sizeof(map_secret), 0)
        == (ssize_t) sizeof(map_secret)) {
        return;
    }

    /* only a kernel without the call gets here: weak, but not constant */
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    map_secret[0] = (uint64_t) now.tv_nsec << 32 ^ (uint64_t) now.tv_sec;
    map_secret[1] = (uint64_t) getpid() << 32 ^ (uint64_t) (uintptr_t) &now;
}

static inline uint64_t
rotate(uint64_t v, int bits)
{
    return v << bits | v >> (64 - bits);
}

static inline void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static inline uint64_t
load_le64(const unsigned char *p, size_t len)
{
    uint64_t v = 0;

    memcpy(&v, p, len);
    return le64toh(v);
}

uint64_t
map_hash(const void *data, size_t len)
{
    const unsigned char *p = data;

    pthread_once(&map_once, make_secret);

    uint64_t v[4] = {
        map_secret[0] ^ 0x736f6d6570736575,
        map_secret[1] ^ 0x646f72616e646f6d,
        map_secret[0] ^ 0x6c7967656e657261,
        map_secret[1] ^ 0x7465646279746573,
    };
    uint64_t last = (uint64_t) len << 56;
    uint64_t word;

    for (; len >= 8; p += 8, len -= 8) {
        word = load_le64(p, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }

    if (len != 0) {
        last |= load_le64(p, len);
    }
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;

    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void
map_init(struct map *m, map_key *key)
{
    memset(m, 0, sizeof(*m));
    m->key = key;
}

void
map_clear(struct map *m)
{
    free(m->slots);
    free(m->old);
    map_init(m, m->key);
}

/* Moves the next few old slots; frees the old array behind the last one. */
static void
move_some(struct map *m)
{
    if (m->old == NULL) {
        return;
    }

    for (int i = 0; i < MAP_MOVES && m->moved <= m->old_mask; i++) {
        struct map_entry *e = m->old[m->moved];

        m->old[m->moved++] = NULL;
        while (e != NULL) {
            struct map_entry *next = e->next;
            struct map_entry **slot = &m->slots[e->hash & m->mask];

            e->next = *slot;
            *slot = e;
            e = next;
        }
    }

    if (m->moved > m->old_mask) {
        free(m->old);
        m->old = NULL;
    }
}

/* The slots the table should have with one entry more. */
static size_t
slots_wanted(const struct map *m)
{
    size_t n = m->mask + 1;

    if (m->slots == NULL) {
        return MAP_MIN;
    }
    if (m->count >= n) {
        return n * 2;
    }
    if (m->count < n / 8 && n > MAP_MIN) {
        return n / 2;
    }
    return n;
}

/* A failed allocation only costs speed, unless there are no slots at all. */
static int
resize(struct map *m, size_t n_slots)
{
    struct map_entry **slots = calloc(n_slots, sizeof(*slots));

    if (slots == NULL) {
        return m->slots == NULL ? -1 : 0;
    }
    m->old = m->slots;
    m->old_mask = m->mask;
    m->moved = 0;
    m->slots = slots;
    m->mask = n_slots - 1;
    return 0;
}

static struct map_entry **
find_link(struct map *m, struct map_entry **slot, uint32_t hash,
          const void *key, size_t len)
{
    for (; *slot != NULL; slot = &(*slot)->next) {
        size_t their_len;

        if ((*slot)->hash != hash) {
            continue;
        }

        const void *theirs = m->key(*slot, &their_len);

        if (their_len == len && (len == 0 || memcmp(theirs, key, len) == 0)) {
            return slot;
        }
    }
    return NULL;
}

struct map_entry *
map_find(struct map *m, const void *key, size_t len)
{
    if (m->count == 0) {
        return NULL;
    }

    uint32_t hash = (uint32_t) map_hash(key, len);
    struct map_entry **at;

    at = find_link(m, &m->slots[hash & m->mask], hash, key, len);
    if (at == NULL && m->old != NULL) {
        at = find_link(m, &m->old[hash & m->old_mask], hash, key, len);
    }
    return at == NULL ? NULL : *at;
}

int
map_insert(struct map *m, struct map_entry *e)
{
    size_t len;
    const void *key = m->key(e, &len);

    move_some(m);
    if (m->old == NULL) {
        size_t n_slots = slots_wanted(m);

        if ((m->slots == NULL || n_slots != m->mask + 1)
            && resize(m, n_slots) != 0) {
            return -1;
        }
    }

    e->hash = (uint32_t) map_hash(key, len);

    struct map_entry **slot = &m->slots[e->hash & m->mask];

    e->next = *slot;
    *slot = e;
    m->count++;
    return 0;
}

static int
unlink_from(struct map_entry **slot, struct map_entry *e)
{
    for (; *slot != NULL; slot = &(*slot)->next) {
        if (*slot == e) {
            *slot = e->next;
            return 1;
        }
    }
    return 0;
}

void
map_remove(struct map *m, struct map_entry *e)
{
    if (m->slots == NULL) {
        return;
    }
    if (!unlink_from(&m->slots[e->hash & m->mask], e)
        && (m->old == NULL
            || !unlink_from(&m->old[e->hash & m->old_mask], e))) {
        return;
    }
    e->next = NULL;
    m->count--;

    if (m->count == 0) {
        map_clear(m);
    }
}

/* The first entry at or behind slot i, among the new slots, then the old. */
static size_t
walk_from(const struct map *m, size_t i, size_t in_old)
{
    if (m->slots == NULL) {
        return WALK_END;
    }
    if (!in_old) {
        for (; i <= m->mask; i++) {
            if (m->slots[i] != NULL) {
                return (size_t) (uintptr_t) m->slots[i];
            }
        }
        i = 0;
    }
    if (m->old != NULL) {
        for (; i <= m->old_mask; i++) {
            if (m->old[i] != NULL) {
                return (size_t) (uintptr_t) m->old[i] | WALK_OLD;
            }
        }
    }
    return WALK_END;
}

struct map_entry *
map_next(struct map *m, size_t *pos)
{
    if (*pos == 0) {
        *pos = walk_from(m, 0, 0);
    }
    if (*pos == WALK_END) {
        return NULL;
    }

    size_t in_old = *pos & WALK_OLD;
    struct map_entry *e = (struct map_entry *) (uintptr_t) (*pos - in_old);

    if (e->next != NULL) {
        *pos = (size_t) (uintptr_t) e->next | in_old;
    } else {
        *pos = walk_from(m, (e->hash & (in_old ? m->old_mask : m->mask)) + 1,
                         in_old);
    }
    return e;
}
