/* See storage_erase.h. */

#include "storage_erase.h"

#include <stdlib.h>

#include "storage_marker.h"

#define ERASE_MESSAGES  256   /* in one round                              */
#define ERASE_REVISIONS 20000 /* of them all                               */
#define ERASE_RANGES    3     /* of messages; their revisions as many again */
#define ERASE_GAP       1000  /* message ids that a range may skip          */
#define ERASE_EVERY     30    /* ticks from one round to the next           */

/* What comes next; each waits for the compactions of the one before. */
enum erase_stage {
    ERASE_LOOK,    /* list what is to go; compact it    */
    ERASE_REWRITE, /* write it again                    */
    ERASE_COMPACT, /* compact it again                  */
    ERASE_FORGET,  /* take the keys away                */
};

struct erase_item {
    uint64_t channel;
    uint64_t message_id;
    uint32_t rev;
};

struct erase_list {
    unsigned n;
    struct erase_item items[ERASE_MESSAGES];
};

struct erase_job {
    struct read_job job;
    uint64_t epoch;
    enum erase_stage stage;
    struct erase_list *list;
    struct engine_batch *batch;
    bool busy; /* a compaction is not over: nothing was done */
};

static int erase_run(struct read_job *job, const struct reader *r);
static int erase_look(struct erase_list *l, const struct reader *r);
static bool erase_fits(const struct erase_list *l,
                       const struct erase_item *item, unsigned *ranges,
                       uint64_t *revisions);
static bool erase_is_near(const struct erase_item *a,
                          const struct erase_item *b);
static void erase_compact(const struct erase_list *l, const struct reader *r);
static void erase_compact_range(const struct reader *r,
                                const struct erase_item *first,
                                const struct erase_item *last, bool revisions);
static int erase_rewrite(struct erase_job *j, const struct reader *r);
static void erase_forget(struct erase_job *j, const struct reader *r);
static void erase_done(struct embedded *e, struct read_job *job);
static void erase_next(struct embedded *e, struct erase_job *j);
static void erase_rest(struct embedded *e);


void
erase_due(struct embedded *e)
{
    e->erase_due = true;
    e->erase_after = e->sequence + 1;
}


void
erase_tick(struct embedded *e)
{
    struct erase_job *j;

    if (e->erase_wait > 0) {
        e->erase_wait--;
        return;
    }

    if (e->erase_busy || e->closing
        || (e->erase_stage == ERASE_LOOK
            && (!e->erase_due || e->published < e->erase_after))) {
        return;
    }

    j = calloc(1, sizeof(*j));
    if (j == NULL) {
        return;
    }

    if (e->erasing == NULL) {
        e->erasing = calloc(1, sizeof(*e->erasing));
    }

    j->batch = e->ops->batch_create();

    if (e->erasing == NULL || j->batch == NULL) {
        if (j->batch != NULL) {
            e->ops->batch_free(j->batch);
        }

        free(j);
        return;
    }

    j->job.run = erase_run;
    j->job.done = erase_done;
    j->epoch = e->epoch;
    j->stage = e->erase_stage;
    j->list = e->erasing;
    e->erasing = NULL;
    e->erase_busy = true;

    if (j->stage == ERASE_LOOK) {
        e->erase_due = false;
    }

    readers_submit(e->readers, &j->job);
}


static int
erase_run(struct read_job *job, const struct reader *r)
{
    struct erase_job *j = (struct erase_job *) job;

    j->busy = r->ops->compacting(r->engine);

    if (j->busy) {
        return 0;
    }

    switch (j->stage) {
    case ERASE_LOOK:
        if (erase_look(j->list, r) != 0) {
            return -1;
        }

        erase_compact(j->list, r);
        return 0;

    case ERASE_REWRITE:
        return erase_rewrite(j, r);

    case ERASE_COMPACT:
        erase_compact(j->list, r);
        return 0;

    case ERASE_FORGET:
        erase_forget(j, r);
        return 0;
    }

    return -1;
}


static int
erase_look(struct erase_list *l, const struct reader *r)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct erase_item item;
    struct key_parts parts;
    struct key prefix;
    uint64_t revisions = 0;
    unsigned ranges = 0;
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    l->n = 0;
    key_prefix(&prefix, KEY_ERASED);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_u32(r->ops->iter_value(i), &item.rev) != 0) {
            rc = -1;
            break;
        }

        item.channel = parts.first;
        item.message_id = parts.second;

        if (!erase_fits(l, &item, &ranges, &revisions)) {
            break;
        }

        l->items[l->n++] = item;
    }

    if (rc == 0) {
        rc = r->ops->iter_error(i);
    }

    r->ops->iter_close(i);
    return rc;
}


static bool
erase_fits(const struct erase_list *l, const struct erase_item *item,
           unsigned *ranges, uint64_t *revisions)
{
    *revisions += item->rev;

    if (l->n == 0 || !erase_is_near(&l->items[l->n - 1], item)) {
        ++*ranges;
    }

    return l->n == 0
           || (l->n < ERASE_MESSAGES && *ranges <= ERASE_RANGES
               && *revisions <= ERASE_REVISIONS);
}


static bool
erase_is_near(const struct erase_item *a, const struct erase_item *b)
{
    return a->channel == b->channel
           && b->message_id - a->message_id <= ERASE_GAP;
}


static void
erase_compact(const struct erase_list *l, const struct reader *r)
{
    unsigned first = 0, n;
    bool revisions = false;

    for (n = 0; n < l->n; n++) {
        revisions |= l->items[n].rev != 0;

        if (n + 1 == l->n || !erase_is_near(&l->items[n], &l->items[n + 1])) {
            erase_compact_range(r, &l->items[first], &l->items[n], revisions);
            first = n + 1;
            revisions = false;
        }
    }
}


static void
erase_compact_range(const struct reader *r, const struct erase_item *first,
                    const struct erase_item *last, bool revisions)
{
    struct key from, to;

    key_message(&from, first->channel, first->message_id);
    key_message(&to, last->channel, last->message_id + 1);
    r->ops->compact(r->engine, key_str(&from), key_str(&to));

    if (revisions) {
        key_revision(&from, first->channel, first->message_id, 0);
        key_revision(&to, last->channel, last->message_id + 1, 0);
        r->ops->compact(r->engine, key_str(&from), key_str(&to));
    }
}


/* A deleted message never changes again, so it may be written at any time. */
static int
erase_rewrite(struct erase_job *j, const struct reader *r)
{
    const struct erase_item *item;
    struct buf value = {0};
    struct key key;
    unsigned n;
    uint32_t rev;

    for (n = 0; n < j->list->n; n++) {
        item = &j->list->items[n];
        key_message(&key, item->channel, item->message_id);
        buf_reset(&value, value.cap);

        if (r->ops->get(r->engine, key_str(&key), &value) != 1) {
            buf_clear(&value);
            return -1;
        }

        r->ops->batch_put(j->batch, key_str(&key), buf_str(&value));

        for (rev = 0; item->rev != 0 && rev <= item->rev; rev++) {
            key_revision(&key, item->channel, item->message_id, rev);
            r->ops->batch_delete(j->batch, key_str(&key));
        }
    }

    buf_clear(&value);
    return 0;
}


static void
erase_forget(struct erase_job *j, const struct reader *r)
{
    struct key key;
    unsigned n;

    for (n = 0; n < j->list->n; n++) {
        key_erased(&key, j->list->items[n].channel,
                   j->list->items[n].message_id);
        r->ops->batch_delete(j->batch, key_str(&key));
    }
}


static void
erase_done(struct embedded *e, struct read_job *job)
{
    struct erase_job *j = (struct erase_job *) job;

    if (j->epoch != e->epoch || e->state != EMBEDDED_OPEN) {
        e->ops->batch_free(j->batch);
        free(j->list);
        free(j);
        return;
    }

    e->erasing = j->list;
    e->erase_busy = false;

    if (job->status != 0 || (j->stage == ERASE_LOOK && j->busy)) {
        e->erase_due = true;
    }

    if (job->status != 0 || (j->list->n == 0 && !j->busy)) {
        erase_rest(e);

    } else if (!j->busy) {
        erase_next(e, j);
    }

    if (j->batch != NULL) {
        e->ops->batch_free(j->batch);
    }

    free(j);
}


/* What was busy is asked again by the next tick. */
static void
erase_next(struct embedded *e, struct erase_job *j)
{
    if (j->stage == ERASE_REWRITE || j->stage == ERASE_FORGET) {
        e->erased = j->batch;
        j->batch = NULL;
        e->erase_busy = true;
        marker_flush(e);

    } else {
        e->erase_stage++;
    }
}


void
erase_written(struct embedded *e)
{
    e->ops->batch_free(e->erased);
    e->erased = NULL;
    e->erased_busy = false;
    e->erase_busy = false;

    if (e->erase_stage == ERASE_FORGET) {
        e->erase_due = true; /* there may be more */
        erase_rest(e);

    } else {
        e->erase_stage++;
    }
}


/* Until the next round. */
static void
erase_rest(struct embedded *e)
{
    free(e->erasing);
    e->erasing = NULL;
    e->erase_stage = ERASE_LOOK;
    e->erase_wait = e->erase_due ? ERASE_EVERY : 0;
}


void
erase_drop(struct embedded *e)
{
    erase_close(e);
    e->erased_busy = false;
    e->erase_busy = false;
    e->erase_due = true;
    e->erase_after = 0;
    e->erase_wait = ERASE_EVERY;
    e->erase_stage = ERASE_LOOK;
}


void
erase_close(struct embedded *e)
{
    free(e->erasing);
    e->erasing = NULL;

    if (e->erased != NULL) {
        e->ops->batch_free(e->erased);
        e->erased = NULL;
    }
}
