/* See storage_outcome.h. */

#include "storage_outcome.h"

#include <stdlib.h>

#include "log.h"
#include "storage_filter.h"
#include "storage_load.h"
#include "storage_marker.h"

#define OUTCOME_DROP_MAX 512 /* keys deleted in one batch */

/* Of request.outcome_state. */
enum outcome_state {
    OUTCOME_UNKNOWN,
    OUTCOME_LOOKING, /* a reader looks for it, or the first is under way */
    OUTCOME_NEW,
    OUTCOME_REPEAT,
    OUTCOME_FAILED,
};

/* Looks for an outcome in each period that may have it. */
struct outcome_look {
    struct read_job job;
    struct request *request;
    uint64_t epoch;
    uint64_t user; /* 0: a request id */
    uint32_t periods[OUTCOME_DAYS];
    uint32_t n_periods;
    uint8_t id_len;
    char id[STORAGE_ID_MAX];
    bool found;
    struct buf json;
};

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

static void outcome_period_key(struct key *k, const struct request *r,
                               const struct user *u, uint32_t period);
static int outcome_look_run(struct read_job *job, const struct reader *r);
static int outcome_look_json(struct outcome_look *l, const struct reader *r,
                             struct str value);
static int outcome_send_json(struct outcome_look *l, const struct reader *r,
                             const struct record_outcome *o);
static void outcome_look_done(struct embedded *e, struct read_job *job);
static void outcome_build(struct embedded *e);
static int outcome_build_run(struct read_job *job, const struct reader *r);
static void outcome_build_done(struct embedded *e, struct read_job *job);
static void outcome_drop_old(struct embedded *e);
static int outcome_drop_run(struct read_job *job, const struct reader *r);
static int outcome_drop_kind(struct outcome_drop *d, const struct reader *r,
                             enum key_kind kind, uint32_t before);
static void outcome_drop_done(struct embedded *e, struct read_job *job);


static const void *
outcome_key(const struct map_entry *entry, size_t *len)
{
    const struct request *r =
        map_container(entry, struct request, outcome_entry);

    *len = r->outcome_key.len;
    return r->outcome_key.data;
}


static uint32_t
outcome_period(uint32_t period_s)
{
    return (uint32_t) (embedded_now() / 1000 / period_s);
}


static uint32_t
outcome_max(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}


int
outcome_open(struct embedded *e, const struct commit_start *start)
{
    map_init(&e->outcomes, outcome_key);

    e->days = filter_window_create(
        OUTCOME_DAYS,
        outcome_max(outcome_period(KEY_DAY_S), start->newest_day));
    e->slots = filter_window_create(
        OUTCOME_SLOTS,
        outcome_max(outcome_period(KEY_SLOT_S), start->newest_slot));

    if (e->days == NULL || e->slots == NULL) {
        return -1;
    }

    outcome_resume(e);
    return 0;
}


void
outcome_close(struct embedded *e)
{
    map_clear(&e->outcomes);
    filter_window_free(e->days);
    filter_window_free(e->slots);
}


void
outcome_resume(struct embedded *e)
{
    outcome_build(e);
    outcome_drop_old(e);
}


void
outcome_drop(struct embedded *e)
{
    map_clear(&e->outcomes);
    map_init(&e->outcomes, outcome_key);
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
outcome_begin(struct embedded *e, struct request *r)
{
    struct map_entry *entry;
    struct request *first;

    if (r->outcome_key.len == 0) {
        return;
    }

    entry = map_find(&e->outcomes, r->outcome_key.data, r->outcome_key.len);

    if (entry == NULL) {
        if (map_insert(&e->outcomes, &r->outcome_entry) != 0) {
            r->outcome_state = OUTCOME_FAILED;
            return;
        }

        r->outcome_owner = true;
        r->outcome_state = OUTCOME_UNKNOWN;
        return;
    }

    first = map_container(entry, struct request, outcome_entry);
    r->outcome_state = OUTCOME_LOOKING;
    request_wait(&first->repeats, r);
}


void
outcome_end(struct embedded *e, struct request *r)
{
    struct request *repeat;

    if (!r->outcome_owner) {
        return;
    }

    map_remove(&e->outcomes, &r->outcome_entry);
    r->outcome_owner = false;

    /* The first of them becomes what the others wait for. */
    while ((repeat = request_next(&r->repeats)) != NULL) {
        outcome_begin(e, repeat);

        if (repeat->outcome_state != OUTCOME_LOOKING) {
            request_wake(e, repeat);
        }
    }
}


bool
outcome_waits(const struct request *r)
{
    return r->outcome_state == OUTCOME_LOOKING;
}


enum step
outcome_check(struct embedded *e, struct request *r, const struct user *u,
              bool *answered)
{
    struct filter_window *w;
    struct outcome_look *l;
    struct key key;
    uint64_t hash;
    uint32_t period, newest;
    bool client = r->op.client_id.len != 0;
    struct str id = client ? r->op.client_id : r->op.request_id;

    *answered = false;

    if (r->outcome_key.len == 0 || r->outcome_state == OUTCOME_NEW
        || (r->outcome_state == OUTCOME_UNKNOWN && client
            && u->state != OBJECT_READY)) {
        return STEP_DONE;
    }

    if (r->outcome_state == OUTCOME_REPEAT) {
        *answered = true;
        r->result.duplicate = true;
        return request_answer_json(e, r, buf_str(&r->outcome));
    }

    if (r->outcome_state == OUTCOME_FAILED) {
        *answered = true;
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    w = client ? e->days : e->slots;
    period = filter_window_oldest(w);
    newest = filter_window_newest(w);
    outcome_period_key(&key, r, u, period);
    hash = filter_hash(key_str(&key));
    l = NULL;

    for (; period <= newest; period++) {
        if (!filter_window_maybe(w, period, hash)) {
            continue;
        }

        if (l == NULL && (l = calloc(1, sizeof(*l))) == NULL) {
            *answered = true;
            return request_answer(e, r, STORAGE_EXHAUSTED);
        }

        if (l->n_periods < OUTCOME_DAYS) {
            l->periods[l->n_periods++] = period;
        }
    }

    if (l == NULL) {
        r->outcome_state = OUTCOME_NEW;
        return STEP_DONE;
    }

    l->job.run = outcome_look_run;
    l->job.done = outcome_look_done;
    l->request = r;
    l->epoch = e->epoch;
    l->user = client ? u->number : 0;
    l->id_len = (uint8_t) id.len;
    memcpy(l->id, id.data, id.len);

    r->outcome_state = OUTCOME_LOOKING;
    readers_submit(e->readers, &l->job);
    return STEP_WAIT;
}


void
outcome_put(struct embedded *e, struct request *r, const struct user *u,
            const struct record_outcome *o)
{
    bool client = r->op.client_id.len != 0;
    struct filter_window *w = client ? e->days : e->slots;
    struct key key;

    if (r->outcome_key.len == 0) {
        return;
    }

    outcome_period_key(&key, r, u, filter_window_newest(w));
    filter_window_add(w, filter_window_newest(w), filter_hash(key_str(&key)));

    (void) embedded_record(e);
    record_put_outcome(&e->record, o);
    embedded_put(e, &key, &e->record);
}


void
outcome_put_json(struct embedded *e, struct request *r, const struct user *u,
                 struct str json)
{
    struct record_outcome o = {.kind = RECORD_OUTCOME_JSON, .json = json};

    outcome_put(e, r, u, &o);
}


void
outcome_dropped(struct embedded *e)
{
    e->outcomes_dropping = false;
    outcome_drop_old(e);
}


static void
outcome_period_key(struct key *k, const struct request *r, const struct user *u,
                   uint32_t period)
{
    if (r->op.client_id.len != 0) {
        key_client(k, period, u->number, r->op.client_id);

    } else {
        key_request(k, period, r->op.request_id);
    }
}


static int
outcome_look_run(struct read_job *job, const struct reader *r)
{
    struct outcome_look *l = (struct outcome_look *) job;
    struct str id = {l->id, l->id_len};
    struct buf value = {0};
    struct key key;
    uint32_t n;
    int rc = 0;

    for (n = 0; n < l->n_periods && rc == 0; n++) {
        if (l->user != 0) {
            key_client(&key, l->periods[n], l->user, id);

        } else {
            key_request(&key, l->periods[n], id);
        }

        rc = r->ops->get(r->engine, key_str(&key), &value);

        if (rc == 1) {
            l->found = true;
            rc = outcome_look_json(l, r, buf_str(&value));
            break;
        }
    }

    buf_clear(&value);
    return rc;
}


static int
outcome_look_json(struct outcome_look *l, const struct reader *r,
                  struct str value)
{
    struct record_outcome o;

    if (record_get_outcome(value, &o) != 0) {
        log_error("store: an outcome's record is damaged");
        return -1;
    }

    switch (o.kind) {
    case RECORD_OUTCOME_EMPTY:
        buf_put_lit(&l->json, "{}");
        break;

    case RECORD_OUTCOME_SEND:
        return outcome_send_json(l, r, &o);

    case RECORD_OUTCOME_JSON:
        buf_put_str(&l->json, o.json);
        break;
    }

    return buf_failed(&l->json) ? -1 : 0;
}


static int
outcome_send_json(struct outcome_look *l, const struct reader *r,
                  const struct record_outcome *o)
{
    struct record_channel channel;
    struct buf value = {0};
    struct key key;
    int rc;

    key_channel(&key, o->channel);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc == 1 && record_get_channel(buf_str(&value), &channel) == 0) {
        buf_put_lit(&l->json, "{\"channel\":\"");
        buf_put_str(&l->json, channel.id);
        buf_put_lit(&l->json, "\",\"message_id\":");
        buf_put_u64(&l->json, o->message_id);
        buf_put_lit(&l->json, ",\"inbox_id\":");
        buf_put_u64(&l->json, o->inbox_id);
        buf_put_lit(&l->json, ",\"sent_at\":");
        buf_put_u64(&l->json, o->sent_at);
        buf_put_lit(&l->json, ",\"duplicate\":true}");
        rc = buf_failed(&l->json) ? -1 : 0;

    } else {
        rc = -1;
    }

    buf_clear(&value);
    return rc;
}


static void
outcome_look_done(struct embedded *e, struct read_job *job)
{
    struct outcome_look *l = (struct outcome_look *) job;
    struct request *r = l->request;

    if (l->epoch == e->epoch) {
        if (job->status != 0) {
            r->outcome_state = OUTCOME_FAILED;

        } else if (l->found) {
            r->outcome_state = OUTCOME_REPEAT;
            r->outcome = l->json;
            buf_init(&l->json);

        } else {
            r->outcome_state = OUTCOME_NEW;
        }

        request_wake(e, r);
    }

    buf_clear(&l->json);
    free(l);
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
        filter_add(s->filter, filter_hash(r->ops->iter_key(i)));
    }

    rc = readers_hurry(r->pool) ? -1 : r->ops->iter_error(i);
    r->ops->iter_close(i);
    return rc;
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
        e->outcomes_dropping = false;

        if (job->status == 0) {
            e->outcomes_deleted = false;
        }
    }

    free(d);
}
