/*
 * A filter is a list of blocked Bloom layers: all bits of a hash lie in one
 * cache line, so to ask a layer costs one miss.  When the newest layer has
 * its share of hashes, one four times its size is put on top: few layers to
 * ask, however many hashes come.
 */

#include "storage_filter.h"

#include <stdlib.h>
#include <string.h>

#include "map.h"

#define FILTER_BLOCK_BITS    512
#define FILTER_BLOCK_WORDS   (FILTER_BLOCK_BITS / 64)
#define FILTER_BITS_PER_HASH 32
#define FILTER_PROBES        10
#define FILTER_FIRST_BLOCKS  512                /* 32 KiB */
#define FILTER_LAST_BLOCKS   ((size_t) 1 << 22) /* 256 MiB */
#define FILTER_GROWTH        4

/* A key's bytes before what is hashed: the kind and the period. */
#define FILTER_KEY_SKIP 5

struct filter_layer {
    struct filter_layer *next; /* older and smaller ones */
    size_t n_blocks;           /* power of two           */
    size_t room;               /* hashes still to take   */
    uint64_t words[];
};

struct filter {
    struct filter_layer *layers; /* adds go to the first            */
    size_t expected;
    bool full; /* memory ran out: maybe to everything */
};

struct filter_period {
    struct filter *seen; /* what came through the window; NULL: nothing  */
    struct filter *kept; /* what the store had, of filter_window_known() */
    bool known;
    bool lost; /* a hash could not be noted: stays maybe for good */
};

struct filter_window {
    uint32_t n_periods;
    uint32_t newest;
    struct filter_period periods[]; /* period p at p % n_periods */
};

static struct filter_layer *filter_layer_create(size_t n_blocks);
static size_t filter_block(const struct filter_layer *l, uint64_t hash);
static void filter_mask(uint64_t mask[FILTER_BLOCK_WORDS], uint64_t hash);
static int filter_grow(struct filter *f);
static bool filter_window_has(const struct filter_window *w, uint32_t period);
static void filter_period_clear(struct filter_period *p, bool known);


uint64_t
filter_hash(struct str key)
{
    size_t skip = key.len < FILTER_KEY_SKIP ? key.len : FILTER_KEY_SKIP;

    return map_hash(key.data + skip, key.len - skip);
}


struct filter *
filter_create(size_t expected)
{
    struct filter *f = calloc(1, sizeof(*f));

    if (f != NULL) {
        f->expected = expected;
    }

    return f;
}


void
filter_free(struct filter *f)
{
    if (f == NULL) {
        return;
    }

    while (f->layers != NULL) {
        struct filter_layer *l = f->layers;

        f->layers = l->next;
        free(l);
    }

    free(f);
}


void
filter_add(struct filter *f, uint64_t hash)
{
    if (f->full) {
        return;
    }

    if ((f->layers == NULL || f->layers->room == 0) && filter_grow(f) != 0) {
        f->full = true;
        return;
    }

    struct filter_layer *l = f->layers;
    uint64_t *block = l->words + filter_block(l, hash);
    uint64_t mask[FILTER_BLOCK_WORDS];

    filter_mask(mask, hash);

    for (unsigned i = 0; i < FILTER_BLOCK_WORDS; i++) {
        block[i] |= mask[i];
    }

    l->room--;
}


void
filter_fill(struct filter *f)
{
    f->full = true;
}


bool
filter_maybe(const struct filter *f, uint64_t hash)
{
    uint64_t mask[FILTER_BLOCK_WORDS];

    if (f->full) {
        return true;
    }

    filter_mask(mask, hash);

    for (const struct filter_layer *l = f->layers; l != NULL; l = l->next) {
        const uint64_t *block = l->words + filter_block(l, hash);
        uint64_t missing = 0;

        for (unsigned i = 0; i < FILTER_BLOCK_WORDS; i++) {
            missing |= mask[i] & ~block[i];
        }

        if (missing == 0) {
            return true;
        }
    }

    return false;
}


size_t
filter_memory(const struct filter *f)
{
    size_t bytes = sizeof(*f);

    for (const struct filter_layer *l = f->layers; l != NULL; l = l->next) {
        bytes += sizeof(*l) + l->n_blocks * FILTER_BLOCK_BITS / 8;
    }

    return bytes;
}


struct filter_window *
filter_window_create(uint32_t n_periods, uint32_t newest)
{
    struct filter_window *w;

    w = calloc(1, sizeof(*w) + n_periods * sizeof(w->periods[0]));

    if (w != NULL) {
        w->n_periods = n_periods;
        w->newest = newest;
    }

    return w;
}


void
filter_window_free(struct filter_window *w)
{
    if (w == NULL) {
        return;
    }

    for (uint32_t i = 0; i < w->n_periods; i++) {
        filter_period_clear(&w->periods[i], false);
    }

    free(w);
}


void
filter_window_advance(struct filter_window *w, uint32_t newest)
{
    if (newest <= w->newest) {
        return;
    }

    uint32_t n = newest - w->newest;

    for (uint32_t i = 0; i < n && i < w->n_periods; i++) {
        filter_period_clear(&w->periods[(newest - i) % w->n_periods], true);
    }

    w->newest = newest;
}


uint32_t
filter_window_oldest(const struct filter_window *w)
{
    return w->newest < w->n_periods ? 0 : w->newest - w->n_periods + 1;
}


uint32_t
filter_window_newest(const struct filter_window *w)
{
    return w->newest;
}


void
filter_window_add(struct filter_window *w, uint32_t period, uint64_t hash)
{
    struct filter_period *p = &w->periods[period % w->n_periods];

    if (!filter_window_has(w, period)) {
        return;
    }

    if (p->seen == NULL && !p->lost) {
        p->seen = filter_create(0);
        p->lost = p->seen == NULL;
    }

    if (!p->lost) {
        filter_add(p->seen, hash);
    }
}


bool
filter_window_maybe(const struct filter_window *w, uint32_t period,
                    uint64_t hash)
{
    const struct filter_period *p = &w->periods[period % w->n_periods];

    if (!filter_window_has(w, period) || !p->known || p->lost) {
        return true;
    }

    return (p->seen != NULL && filter_maybe(p->seen, hash))
           || (p->kept != NULL && filter_maybe(p->kept, hash));
}


void
filter_window_known(struct filter_window *w, uint32_t period, struct filter *f)
{
    struct filter_period *p = &w->periods[period % w->n_periods];

    if (!filter_window_has(w, period) || p->known) {
        filter_free(f);
        return;
    }

    p->kept = f;
    p->known = true;
}


bool
filter_window_is_known(const struct filter_window *w, uint32_t period)
{
    return filter_window_has(w, period)
           && w->periods[period % w->n_periods].known;
}


size_t
filter_window_memory(const struct filter_window *w)
{
    size_t bytes = sizeof(*w) + w->n_periods * sizeof(w->periods[0]);

    for (uint32_t i = 0; i < w->n_periods; i++) {
        const struct filter_period *p = &w->periods[i];

        bytes += p->seen != NULL ? filter_memory(p->seen) : 0;
        bytes += p->kept != NULL ? filter_memory(p->kept) : 0;
    }

    return bytes;
}


static struct filter_layer *
filter_layer_create(size_t n_blocks)
{
    struct filter_layer *l;

    l = calloc(1, sizeof(*l)
                      + n_blocks * FILTER_BLOCK_WORDS * sizeof(l->words[0]));

    if (l != NULL) {
        l->n_blocks = n_blocks;
        l->room = n_blocks * FILTER_BLOCK_BITS / FILTER_BITS_PER_HASH;
    }

    return l;
}


/* Where in words the block of a hash begins. */
static size_t
filter_block(const struct filter_layer *l, uint64_t hash)
{
    return (hash & (l->n_blocks - 1)) * FILTER_BLOCK_WORDS;
}


/* The bits of a hash inside its block; the low bits of it chose the block. */
static void
filter_mask(uint64_t mask[FILTER_BLOCK_WORDS], uint64_t hash)
{
    uint64_t step = hash >> 32;

    memset(mask, 0, FILTER_BLOCK_WORDS * sizeof(mask[0]));

    for (unsigned i = 0; i < FILTER_PROBES; i++) {
        step = step * 0x9e3779b97f4a7c15u + hash;
        mask[step >> 61] |= (uint64_t) 1 << (step >> 55 & 63);
    }
}


static int
filter_grow(struct filter *f)
{
    size_t want = f->expected / (FILTER_BLOCK_BITS / FILTER_BITS_PER_HASH);
    size_t n_blocks = FILTER_FIRST_BLOCKS;

    if (f->layers != NULL) {
        want = f->layers->n_blocks * FILTER_GROWTH;
    }

    while (n_blocks < want && n_blocks < FILTER_LAST_BLOCKS) {
        n_blocks *= 2;
    }

    struct filter_layer *l = filter_layer_create(n_blocks);

    if (l == NULL) {
        return -1;
    }

    l->next = f->layers;
    f->layers = l;
    return 0;
}


static bool
filter_window_has(const struct filter_window *w, uint32_t period)
{
    return period <= w->newest && period >= filter_window_oldest(w);
}


static void
filter_period_clear(struct filter_period *p, bool known)
{
    filter_free(p->seen);
    filter_free(p->kept);
    memset(p, 0, sizeof(*p));
    p->known = known;
}
