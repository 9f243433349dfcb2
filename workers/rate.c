/*
 * The buckets of rate.h, in millionths of a request: rate in thousandths a
 * second times milliseconds.
 */

#include "rate.h"

#include <stdlib.h>
#include <string.h>

#include "map.h"

#define COST      1000000u /* of one request */
#define SWEEP_MIN 1024u

struct bucket {
    struct map_entry entry;
    uint64_t tokens; /* at the time at_ms */
    uint64_t at_ms;
    uint64_t full_ms; /* when it may be forgotten */
    uint8_t len;
    char user[];
};

struct rate {
    struct map buckets;
    size_t sweep_at; /* buckets */
};

static const void *
bucket_key(const struct map_entry *e, size_t *len)
{
    const struct bucket *b = map_container(e, struct bucket, entry);

    *len = b->len;
    return b->user;
}

struct rate *
rate_create(void)
{
    struct rate *r = calloc(1, sizeof(*r));

    if (r != NULL) {
        map_init(&r->buckets, bucket_key);
        r->sweep_at = SWEEP_MIN;
    }
    return r;
}

/* Frees the buckets that are full at now_ms; all with UINT64_MAX. */
static void
sweep(struct rate *r, uint64_t now_ms)
{
    struct map_entry *e;
    size_t pos = 0;

    while ((e = map_next(&r->buckets, &pos)) != NULL) {
        struct bucket *b = map_container(e, struct bucket, entry);

        if (b->full_ms <= now_ms) {
            map_remove(&r->buckets, e);
            free(b);
        }
    }
    r->sweep_at =
        r->buckets.count < SWEEP_MIN / 2 ? SWEEP_MIN : r->buckets.count * 2;
}

void
rate_free(struct rate *r)
{
    if (r == NULL) {
        return;
    }
    sweep(r, UINT64_MAX);
    map_clear(&r->buckets);
    free(r);
}

static struct bucket *
bucket_create(struct rate *r, struct str user, uint64_t tokens, uint64_t now_ms)
{
    struct bucket *b;

    if (r->buckets.count >= r->sweep_at) {
        sweep(r, now_ms);
    }
    b = calloc(1, sizeof(*b) + user.len);
    if (b == NULL) {
        return NULL;
    }
    b->tokens = tokens;
    b->at_ms = now_ms;
    b->len = (uint8_t) user.len;
    memcpy(b->user, user.data, user.len);
    if (map_insert(&r->buckets, &b->entry) != 0) {
        free(b);
        return NULL;
    }
    return b;
}

static void
refill(struct bucket *b, uint32_t per_second, uint64_t capacity,
       uint64_t now_ms)
{
    uint64_t elapsed = now_ms - b->at_ms;

    /* no overflow: whoever waited that long has a full bucket */
    if (elapsed > capacity / per_second) {
        b->tokens = capacity;
    } else {
        b->tokens += elapsed * per_second;
    }
    if (b->tokens > capacity) {
        b->tokens = capacity;
    }
    b->at_ms = now_ms;
}

unsigned
rate_take(struct rate *r, struct str user, uint32_t per_second, uint32_t burst,
          uint64_t now_ms)
{
    uint64_t capacity = (uint64_t) (burst == 0 ? 1 : burst) * COST;
    struct map_entry *e;
    struct bucket *b;
    uint64_t missing;

    if (per_second == 0) {
        return 0;
    }
    e = map_find(&r->buckets, user.data, user.len);
    b = e != NULL ? map_container(e, struct bucket, entry)
                  : bucket_create(r, user, capacity, now_ms);
    if (b == NULL) {
        return 0;
    }

    refill(b, per_second, capacity, now_ms);
    if (b->tokens >= COST) {
        b->tokens -= COST;
        b->full_ms = now_ms + (capacity - b->tokens) / per_second + 1;
        return 0;
    }
    missing = COST - b->tokens;
    return (unsigned) ((missing + (uint64_t) per_second * 1000 - 1)
                       / ((uint64_t) per_second * 1000));
}
