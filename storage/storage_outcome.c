/* See storage_outcome.h. */

#include "storage_outcome.h"

#include <stdlib.h>

#include "log.h"
#include "storage_filter.h"
#include "storage_gather.h"
#include "storage_load.h"
#include "storage_text.h"

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

static enum step outcome_look(struct embedded *e, struct request *r,
                              const struct user *u);
static uint32_t outcome_periods(const struct filter_window *w,
                                const struct request *r, const struct user *u,
                                uint32_t periods[OUTCOME_DAYS]);
static void outcome_period_key(struct key *k, const struct request *r,
                               const struct user *u, uint32_t period);
static int outcome_look_run(struct read_job *job, const struct reader *r);
static int outcome_look_clients(struct outcome_look *l, const struct reader *r,
                                struct engine_iter *i, uint32_t day);
static int outcome_look_client(struct outcome_look *l, const struct reader *r,
                               struct record_clients *c);
static int outcome_look_request(struct outcome_look *l, const struct reader *r,
                                struct engine_iter *i, uint32_t slot);
static int outcome_look_json(struct outcome_look *l, const struct reader *r,
                             struct str value);
static int outcome_send_json(struct outcome_look *l, const struct reader *r,
                             const struct record_outcome *o);
static int outcome_message_json(struct outcome_look *l, const struct reader *r,
                                const struct record_outcome *o);
static int outcome_message_revision(const struct reader *r,
                                    struct engine_iter *i,
                                    const struct record_outcome *o,
                                    struct buf *b);
static void outcome_look_done(struct embedded *e, struct read_job *job);


static const void *
outcome_key(const struct map_entry *entry, size_t *len)
{
    const struct request *r =
        map_container(entry, struct request, outcome_entry);

    *len = r->outcome_key.len;
    return r->outcome_key.data;
}


uint32_t
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
outcome_drop(struct embedded *e)
{
    map_clear(&e->outcomes);
    map_init(&e->outcomes, outcome_key);
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

    if (!r->outcome_owner || e->closing) {
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
outcome_check(struct embedded *e, struct request *r, const struct user *u)
{
    bool client = r->op.client_id.len != 0;

    if (r->outcome_key.len == 0 || r->outcome_state == OUTCOME_NEW
        || (r->outcome_state == OUTCOME_UNKNOWN && client
            && u->state != OBJECT_READY)) {
        return STEP_GO;
    }

    if (r->outcome_state == OUTCOME_REPEAT) {
        r->result.duplicate = true;
        return request_answer_json(e, r, buf_str(&r->outcome));
    }

    if (r->outcome_state == OUTCOME_FAILED) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    return outcome_look(e, r, u);
}


enum step
outcome_enter(struct embedded *e, struct request *r, struct user **u)
{
    enum step step = user_await(e, r, r->op.user, u);

    return step == STEP_GO ? outcome_check(e, r, *u) : step;
}


/* Asks the filters, and a reader only where they do not say no. */
static enum step
outcome_look(struct embedded *e, struct request *r, const struct user *u)
{
    bool client = r->op.client_id.len != 0;
    struct filter_window *w = client ? e->days : e->slots;
    struct str id = client ? r->op.client_id : r->op.request_id;
    struct outcome_look *l;
    uint32_t periods[OUTCOME_DAYS], n;

    n = outcome_periods(w, r, u, periods);

    if (n == 0) {
        r->outcome_state = OUTCOME_NEW;
        return STEP_GO;
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = outcome_look_run;
    l->job.done = outcome_look_done;
    l->job.urgent = true;
    l->request = r;
    l->epoch = e->epoch;
    l->user = client ? u->number : 0;
    l->n_periods = n;
    memcpy(l->periods, periods, n * sizeof(periods[0]));
    l->id_len = (uint8_t) id.len;
    memcpy(l->id, id.data, id.len);

    r->outcome_state = OUTCOME_LOOKING;
    readers_submit(e->readers, &l->job);
    return STEP_WAIT;
}


static uint32_t
outcome_periods(const struct filter_window *w, const struct request *r,
                const struct user *u, uint32_t periods[OUTCOME_DAYS])
{
    uint32_t period = filter_window_newest(w), n = 0;
    struct key key;
    uint64_t hash;

    outcome_period_key(&key, r, u, period);
    hash = filter_hash(key_str(&key));

    for (; n < OUTCOME_DAYS && period >= filter_window_oldest(w); period--) {
        if (filter_window_maybe(w, period, hash)) {
            periods[n++] = period;
        }
    }

    return n;
}


void
outcome_put(struct embedded *e, struct request *r, struct user *u,
            const struct record_outcome *o)
{
    bool client = r->op.client_id.len != 0;
    struct filter_window *w = client ? e->days : e->slots;
    uint32_t period = filter_window_newest(w);
    struct key key;

    if (r->outcome_key.len == 0) {
        return;
    }

    outcome_period_key(&key, r, u, period);
    filter_window_add(w, period, filter_hash(key_str(&key)));

    if (client) {
        gather_outcome(e, u, period, r->op.client_id, o);
        return;
    }

    (void) embedded_record(e);
    record_put_outcome(&e->record, o);
    embedded_put(e, &key, &e->record);
}


void
outcome_put_json(struct embedded *e, struct request *r, struct user *u,
                 struct str json)
{
    struct record_outcome o = {.kind = RECORD_OUTCOME_JSON, .json = json};

    outcome_put(e, r, u, &o);
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
    struct engine_iter *i;
    uint32_t n;
    int rc = 0;

    i = r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    for (n = 0; n < l->n_periods && rc == 0 && !l->found; n++) {
        rc = l->user != 0 ? outcome_look_clients(l, r, i, l->periods[n])
                          : outcome_look_request(l, r, i, l->periods[n]);
    }

    r->ops->iter_close(i);
    return rc;
}


/*
 * Newest first, for most repeats come soon.  A user's whole day is only read
 * when the filter was wrong, which it seldom is.
 */
static int
outcome_look_clients(struct outcome_look *l, const struct reader *r,
                     struct engine_iter *i, uint32_t day)
{
    struct record_clients c;
    struct key_parts parts;
    struct key prefix, end;
    int rc;

    key_prefix_clients(&prefix, day, l->user);
    key_prefix_end(&end, &prefix);

    for (r->ops->iter_seek_before(i, key_str(&end));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_prev(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0) {
            return -1;
        }

        c = (struct record_clients){parts.name, r->ops->iter_value(i), 0};
        rc = outcome_look_client(l, r, &c);

        if (rc != 0 || l->found) {
            return rc;
        }
    }

    return r->ops->iter_error(i);
}


static int
outcome_look_client(struct outcome_look *l, const struct reader *r,
                    struct record_clients *c)
{
    struct str id, outcome;
    int rc;

    while ((rc = record_next_client(c, &id, &outcome)) == 1) {
        if (str_eq(id, (struct str){l->id, l->id_len})) {
            l->found = true;
            return outcome_look_json(l, r, outcome);
        }
    }

    if (rc != 0) {
        log_error("store: the client_ids of user %llu are damaged",
                  (unsigned long long) l->user);
    }

    return rc;
}


static int
outcome_look_request(struct outcome_look *l, const struct reader *r,
                     struct engine_iter *i, uint32_t slot)
{
    struct key key;

    key_request(&key, slot, (struct str){l->id, l->id_len});
    r->ops->iter_seek(i, key_str(&key));

    if (!r->ops->iter_valid(i) || !str_eq(r->ops->iter_key(i), key_str(&key))) {
        return r->ops->iter_error(i);
    }

    l->found = true;
    return outcome_look_json(l, r, r->ops->iter_value(i));
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

    case RECORD_OUTCOME_MESSAGE:
        return outcome_message_json(l, r, &o);
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


/* The text is the message's to keep: once deleted, it is in no outcome. */
static int
outcome_message_json(struct outcome_look *l, const struct reader *r,
                     const struct record_outcome *o)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct record_message message;
    struct key key;
    int rc = -1;

    if (i == NULL) {
        return -1;
    }

    key_message(&key, o->channel, o->message_id);
    r->ops->iter_seek(i, key_str(&key));

    if (r->ops->iter_valid(i) && str_eq(r->ops->iter_key(i), key_str(&key))
        && record_get_message(r->ops->iter_value(i), &message) == 0) {
        buf_put_lit(&l->json, "{\"message\":");

        if (o->rev == 0 || message.deleted) {
            text_put_shown(&l->json, &message);
            rc = 0;

        } else {
            rc = outcome_message_revision(r, i, o, &l->json);
        }

        buf_put_char(&l->json, '}');
    }

    r->ops->iter_close(i);
    return buf_failed(&l->json) ? -1 : rc;
}


static int
outcome_message_revision(const struct reader *r, struct engine_iter *i,
                         const struct record_outcome *o, struct buf *b)
{
    struct str json;
    struct key key;

    key_revision(&key, o->channel, o->message_id, o->rev);
    r->ops->iter_seek(i, key_str(&key));

    if (!r->ops->iter_valid(i) || !str_eq(r->ops->iter_key(i), key_str(&key))
        || record_get_revision(r->ops->iter_value(i), &json) != 0) {
        return -1;
    }

    buf_put_str(b, json);
    return 0;
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
