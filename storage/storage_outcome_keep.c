/*
 * The house-keeping of outcomes: filters of what the store already has are
 * built at the start, days and slots that are over are deleted.
 */

#include "storage_outcome.h"

#include <stdlib.h>

#include "storage_filter.h"
#include "storage_marker.h"

#define OUTCOME_DROP_MAX 512 /* keys deleted in one batch */

/* Builds the filter of one period. */
struct outcome_build {
    struct read_job job;
    enum key_kind kind;
    uint32_t period;
    struct filter *filter;
};

/* Lists keys to delete, oldest first; gives back the disk when none is. */
struct outcome_drop {
    struct read_job job;
    uint64_t epoch;
    uint32_t day, slot; /* the oldest to keep */
    bool deleted;       /* some before        */
    struct engine_batch *batch;
    unsigned n;
};

static void outcome_build(struct embedded *e);
static int outcome_build_run(struct read_job *job, const struct reader *r);
static void outcome_build_clients(struct outcome_build *s,
                                  const struct reader *r,
                                  struct engine_iter *i);
static void outcome_build_done(struct embedded *e, struct read_job *job);
static void outcome_drop_old(struct embedded *e);
static int outcome_drop_run(struct read_job *job, const struct reader *r);
static int outcome_drop_kind(struct outcome_drop *d, const struct reader *r,
                             enum key_kind kind, uint32_t before);
static void outcome_drop_done(struct embedded *e, struct read_job *job);


void
outcome_resume(struct embedded *e)
{
    outcome_build(e);
    outcome_drop_old(e);
}


void
outcome_tick(struct embedded *e)
{
    uint32_t oldest_day = filter_window_oldest(e->days);
    uint32_t oldest_slot = filter_window_oldest(e->slots);

    filter_window_advance(e->days, outcome_period(KEY_DAY_S));
    filter_window_advance(e->slots, outcome_period(KEY_SLOT_S));

    if (filter_window_oldest(e->days) != oldest_day
        || filter_window_oldest(e->slots) != oldest_slot) {
        outcome_drop_old(e);
    }

    outcome_build(e);
}


void
outcome_dropped(struct embedded *e)
{
    e->outcomes_dropping = false;
    outcome_drop_old(e);
}


/* One period after the other, so that only one reader is held up. */
static void
outcome_build(struct embedded *e)
{
    struct outcome_build *s;
    struct filter_window *w = e->slots;
    enum key_kind kind = KEY_REQUEST;
    uint32_t period;

    if (e->outcomes_building || e->state != EMBEDDED_OPEN) {
        return;
    }

    for (;;) {
        for (period = filter_window_newest(w);
             period >= filter_window_oldest(w); period--) {
            if (!filter_window_is_known(w, period)) {
                goto found;
            }
        }

        if (w == e->days) {
            return;
        }

        w = e->days;
        kind = KEY_CLIENT;
    }

found:

    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return;
    }

    s->job.run = outcome_build_run;
    s->job.done = outcome_build_done;
    s->kind = kind;
    s->period = period;
    e->outcomes_building = true;
    readers_submit(e->readers, &s->job);
}


static int
outcome_build_run(struct read_job *job, const struct reader *r)
{
    struct outcome_build *s = (struct outcome_build *) job;
    struct engine_iter *i;
    struct key prefix;
    int rc;

    s->filter = filter_create(0);
    i = r->ops->iter_open(r->engine);

    if (s->filter == NULL || i == NULL) {
        if (i != NULL) {
            r->ops->iter_close(i);
        }

        return -1;
    }

    key_prefix_period(&prefix, s->kind, s->period);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && !readers_hurry(r->pool)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (s->kind == KEY_CLIENT) {
            outcome_build_clients(s, r, i);

        } else {
            filter_add(s->filter, filter_hash(r->ops->iter_key(i)));
        }
    }

    rc = readers_hurry(r->pool) ? -1 : r->ops->iter_error(i);
    r->ops->iter_close(i);
    return rc;
}


/* Of a day with damage nothing is certain: each send asks the disk, and those
 * of the user it hits are refused. */
static void
outcome_build_clients(struct outcome_build *s, const struct reader *r,
                      struct engine_iter *i)
{
    struct record_clients c = {
        {NULL, 0},
        r->ops->iter_value(i), 0
    };
    struct key_parts parts;
    struct str id, outcome;
    struct key key;
    int rc = -1;

    if (key_parse(r->ops->iter_key(i), &parts) == 0) {
        c.name = parts.name;

        while ((rc = record_next_client(&c, &id, &outcome)) == 1) {
            key_client(&key, s->period, parts.second, id);
            filter_add(s->filter, filter_hash(key_str(&key)));
        }
    }

    if (rc != 0) {
        filter_fill(s->filter);
    }
}


static void
outcome_build_done(struct embedded *e, struct read_job *job)
{
    struct outcome_build *s = (struct outcome_build *) job;

    e->outcomes_building = false;

    if (job->status == 0) {
        filter_window_known(s->kind == KEY_CLIENT ? e->days : e->slots,
                            s->period, s->filter);
        outcome_build(e);

    } else {
        /* The next tick tries again. */
        filter_free(s->filter);
    }

    free(s);
}


static void
outcome_drop_old(struct embedded *e)
{
    struct outcome_drop *d;

    if (e->outcomes_dropping || e->state != EMBEDDED_OPEN) {
        return;
    }

    d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return;
    }

    d->batch = e->ops->batch_create();
    if (d->batch == NULL) {
        free(d);
        return;
    }

    d->job.run = outcome_drop_run;
    d->job.done = outcome_drop_done;
    d->epoch = e->epoch;
    d->deleted = e->outcomes_deleted;
    d->day = filter_window_oldest(e->days);
    d->slot = filter_window_oldest(e->slots);
    e->outcomes_dropping = true;
    readers_submit(e->readers, &d->job);
}


static int
outcome_drop_run(struct read_job *job, const struct reader *r)
{
    struct outcome_drop *d = (struct outcome_drop *) job;

    return outcome_drop_kind(d, r, KEY_CLIENT, d->day)
           | outcome_drop_kind(d, r, KEY_REQUEST, d->slot);
}


static int
outcome_drop_kind(struct outcome_drop *d, const struct reader *r,
                  enum key_kind kind, uint32_t before)
{
    struct engine_iter *i;
    struct key_parts parts;
    struct key from, to;
    unsigned n = 0;
    int rc;

    i = r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    key_prefix(&from, kind);

    for (r->ops->iter_seek(i, key_str(&from));
         r->ops->iter_valid(i) && n < OUTCOME_DROP_MAX; r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0 || parts.kind != kind
            || parts.first >= before) {
            break;
        }

        r->ops->batch_delete(d->batch, r->ops->iter_key(i));
        n++;
    }

    rc = r->ops->iter_error(i);
    r->ops->iter_close(i);
    d->n += n;

    if (rc == 0 && n == 0 && d->deleted) {
        key_prefix_period(&to, kind, before);
        r->ops->compact(r->engine, key_str(&from), key_str(&to));
    }

    return rc;
}


static void
outcome_drop_done(struct embedded *e, struct read_job *job)
{
    struct outcome_drop *d = (struct outcome_drop *) job;

    if (job->status == 0 && d->n != 0 && d->epoch == e->epoch
        && e->state == EMBEDDED_OPEN) {
        e->outcomes_deleted = true;
        e->dropped = d->batch;
        marker_flush(e);

    } else {
        e->ops->batch_free(d->batch);

        /* of an older epoch: another job may be under way already */
        if (d->epoch == e->epoch) {
            e->outcomes_dropping = false;
        }

        if (job->status == 0) {
            e->outcomes_deleted = false;
        }
    }

    free(d);
}
