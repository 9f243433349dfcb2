/*
 * The user's side: SUBSCRIBE, UNSUBSCRIBE, READ_INBOX.
 */

#include <stdlib.h>

#include "log.h"
#include "storage_channel.h"
#include "storage_contact.h"

#define INBOX_CHUNK     64 /* entries whose messages are read together */
#define INBOX_LIMIT     50
#define SUBSCRIBED_STEP 4096 /* bytes of the table of subscribed users  */

/* An entry while its page is read: where its tail stands in the text. */
struct inbox_ref {
    uint64_t inbox_id;
    struct record_inbox to;
    size_t at;
    size_t len;
};

struct inbox_read {
    struct read_job job;
    struct request *request;
    uint64_t user;
    uint64_t after;
    uint64_t upto; /* what was published at the start */
    uint32_t limit;
    uint32_t bytes;
    uint32_t n;
    struct inbox_ref *refs;
    struct buf text;
};

static int subscribe_room(struct embedded *e, uint64_t number);
static int inbox_read_run(struct read_job *job, const struct reader *r);
static int inbox_read_refs(struct inbox_read *l, const struct reader *r,
                           struct engine_iter *i, uint32_t n);
static int inbox_read_run_of(struct inbox_read *l, const struct reader *r,
                             struct engine_iter *i, uint64_t wanted,
                             uint32_t n);
static int inbox_read_tails(struct inbox_read *l, const struct reader *r,
                            struct engine_iter *i, uint32_t from);
static bool inbox_refers_to_event(const struct inbox_ref *ref);
static int inbox_read_tail(struct inbox_read *l, const struct reader *r,
                           struct engine_iter *i, struct inbox_ref *ref);
static int inbox_read_message(struct inbox_read *l, const struct reader *r,
                              struct engine_iter *i,
                              const struct inbox_ref *ref);
static bool inbox_read_cut(struct inbox_read *l, uint32_t from, size_t *bytes);
static void inbox_read_done(struct embedded *e, struct read_job *job);


enum step
subscribe_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    bool connect = (r->op.flags & STORAGE_CONNECT) != 0;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (u->state == OBJECT_ABSENT && !connect) {
        return request_answer(e, r, STORAGE_NO_USER);
    }

    if (subscribe_room(e, u->state == OBJECT_ABSENT ? e->next_user : u->number)
        != 0) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    if (connect && !u->connected) {
        if (user_make(e, u, true) != 0) {
            return request_poison(e, r);
        }

        request_pin(e, r, u, NULL);
    }

    r->result.number = u->number;
    r->result.inbox_id = u->newest;
    return request_answer(e, r, STORAGE_OK);
}


static int
subscribe_room(struct embedded *e, uint64_t number)
{
    size_t n = number / 8 / SUBSCRIBED_STEP * SUBSCRIBED_STEP + SUBSCRIBED_STEP;
    uint8_t *p;

    if (number / 8 < e->n_subscribed) {
        return 0;
    }

    p = realloc(e->subscribed, n);
    if (p == NULL) {
        return -1;
    }

    memset(p + e->n_subscribed, 0, n - e->n_subscribed);
    e->subscribed = p;
    e->n_subscribed = n;
    return 0;
}


enum step
unsubscribe_step(struct embedded *e, struct request *r)
{
    r->result.number = r->op.number;
    return request_answer(e, r, STORAGE_OK);
}


enum step
read_inbox_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct inbox_read *l;
    struct user *u;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    r->result.inbox_id = u->published;

    if (r->op.after > u->published) {
        return request_answer(e, r, STORAGE_AHEAD);
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = inbox_read_run;
    l->job.done = inbox_read_done;
    l->job.gives_way = r->op.number != 0;
    l->request = r;
    l->user = u->number;
    l->after = r->op.after;
    l->upto = u->published;
    l->limit = r->op.limit == 0 ? INBOX_LIMIT : r->op.limit;
    l->bytes = r->op.bytes == 0 ? STORAGE_PAGE_BYTES : r->op.bytes;

    if (l->limit > STORAGE_INBOX_LIMIT) {
        l->limit = STORAGE_INBOX_LIMIT;
    }

    if (l->limit > l->upto - l->after) {
        l->limit = (uint32_t) (l->upto - l->after);
    }

    readers_submit(e->readers, &l->job);
    return request_detach(e, r);
}


static int
inbox_read_run(struct read_job *job, const struct reader *r)
{
    struct inbox_read *l = (struct inbox_read *) job;
    struct engine_iter *i;
    size_t bytes = 0;
    uint32_t from, n;
    int rc = 0;

    l->refs = calloc(l->limit + 1, sizeof(*l->refs));
    i = l->refs == NULL ? NULL : r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    while (rc == 0 && l->n < l->limit) {
        from = l->n;
        n = l->limit - from;
        rc = inbox_read_refs(l, r, i, n < INBOX_CHUNK ? n : INBOX_CHUNK);

        if (rc == 0) {
            rc = inbox_read_tails(l, r, i, from);
        }

        if (rc == 0 && inbox_read_cut(l, from, &bytes)) {
            break;
        }
    }

    r->ops->iter_close(i);
    return rc;
}


/* Inbox ids are gapless: the next n have to be there, in runs. */
static int
inbox_read_refs(struct inbox_read *l, const struct reader *r,
                struct engine_iter *i, uint32_t n)
{
    uint64_t wanted = l->after + l->n + 1;
    struct key key;
    int taken;

    key_inbox(&key, l->user, wanted);

    for (r->ops->iter_seek(i, key_str(&key)); n > 0; r->ops->iter_next(i)) {
        wanted = l->after + l->n + 1;
        taken = inbox_read_run_of(l, r, i, wanted, n);

        if (taken < 0) {
            log_error("store: inbox entry %llu of user %llu is damaged",
                      (unsigned long long) wanted,
                      (unsigned long long) l->user);
            return -1;
        }

        n -= (uint32_t) taken;
    }

    return 0;
}


/* Up to n entries of the run at i, from the wanted one on; -1: not in it. */
static int
inbox_read_run_of(struct inbox_read *l, const struct reader *r,
                  struct engine_iter *i, uint64_t wanted, uint32_t n)
{
    struct record_inbox_run run;
    struct inbox_ref *ref;
    struct str value;
    uint32_t k;

    if (!r->ops->iter_valid(i)) {
        return -1;
    }

    value = r->ops->iter_value(i);

    if (record_get_inbox_run(r->ops->iter_key(i), value, l->user, &run) != 0
        || wanted < run.first || wanted > run.last) {
        return -1;
    }

    if (n > run.last - wanted + 1) {
        n = (uint32_t) (run.last - wanted + 1);
    }

    for (k = 0; k < n; k++) {
        ref = &l->refs[l->n];
        ref->inbox_id = wanted + k;

        if (record_get_inbox(value, (uint32_t) (ref->inbox_id - run.first),
                             &ref->to)
            != 0) {
            return -1;
        }

        l->n++;
    }

    return (int) n;
}


static int
inbox_compare(const void *a, const void *b)
{
    const struct inbox_ref *x = *(struct inbox_ref *const *) a;
    const struct inbox_ref *y = *(struct inbox_ref *const *) b;

    if (x->to.method != y->to.method) {
        return x->to.method < y->to.method ? -1 : 1;
    }

    if (x->to.channel != y->to.channel) {
        return x->to.channel < y->to.channel ? -1 : 1;
    }

    return (x->to.id > y->to.id) - (x->to.id < y->to.id);
}


/* In the order of the log: one seek for each run of a channel. */
static int
inbox_read_tails(struct inbox_read *l, const struct reader *r,
                 struct engine_iter *i, uint32_t from)
{
    struct inbox_ref *sorted[INBOX_CHUNK] = {NULL}, *ref;
    struct key key;
    uint32_t k, n = l->n - from;
    bool stands = false;

    for (k = 0; k < n; k++) {
        sorted[k] = &l->refs[from + k];
    }

    qsort(sorted, n, sizeof(struct inbox_ref *), inbox_compare);

    for (k = 0; k < n; k++) {
        ref = sorted[k];

        if (inbox_refers_to_event(ref)) {
            key_event(&key, ref->to.channel, ref->to.id);

        } else if (ref->to.method == STORAGE_EVENT_CONTACT_UPDATED) {
            key_user(&key, ref->to.channel);

        } else {
            key_message(&key, ref->to.channel, ref->to.id);
        }

        if (!stands || !r->ops->iter_valid(i)
            || !str_eq(r->ops->iter_key(i), key_str(&key))) {
            r->ops->iter_seek(i, key_str(&key));
        }

        if (!r->ops->iter_valid(i)
            || !str_eq(r->ops->iter_key(i), key_str(&key))
            || inbox_read_tail(l, r, i, ref) != 0) {
            log_error("store: what inbox entry %llu of user %llu refers to "
                      "is damaged",
                      (unsigned long long) ref->inbox_id,
                      (unsigned long long) l->user);
            return -1;
        }

        r->ops->iter_next(i);
        stands = true;
    }

    return 0;
}


static bool
inbox_refers_to_event(const struct inbox_ref *ref)
{
    return ref->to.method == STORAGE_EVENT_CHANNEL_UPDATED
           || ref->to.method == STORAGE_EVENT_MESSAGE_REACTED;
}


static int
inbox_read_tail(struct inbox_read *l, const struct reader *r,
                struct engine_iter *i, struct inbox_ref *ref)
{
    struct record_user user;
    struct str tail;

    ref->at = l->text.len;

    if (inbox_refers_to_event(ref)) {
        if (record_get_event(r->ops->iter_value(i), &tail) != 0) {
            return -1;
        }

        buf_put_str(&l->text, tail);

    } else if (ref->to.method == STORAGE_EVENT_CONTACT_UPDATED) {
        if (record_get_user(r->ops->iter_value(i), &user) != 0) {
            return -1;
        }

        contact_tail(&l->text, user.name, (unsigned) ref->to.id);

    } else {
        buf_put_lit(&l->text, ",\"message\":");

        if (inbox_read_message(l, r, i, ref) != 0) {
            return -1;
        }

        buf_put_lit(&l->text, "}}");
    }

    ref->len = l->text.len - ref->at;
    return buf_failed(&l->text) ? -1 : 0;
}


/* As it was told; one that was deleted since tells only that. */
static int
inbox_read_message(struct inbox_read *l, const struct reader *r,
                   struct engine_iter *i, const struct inbox_ref *ref)
{
    struct record_message message;
    struct str json;
    struct key key;

    if (record_get_message(r->ops->iter_value(i), &message) != 0) {
        return -1;
    }

    json = message.json;

    if (!message.deleted && message.rev != 0) {
        key_revision(&key, ref->to.channel, ref->to.id, ref->to.rev);
        r->ops->iter_seek(i, key_str(&key));

        if (!r->ops->iter_valid(i)
            || !str_eq(r->ops->iter_key(i), key_str(&key))
            || record_get_revision(r->ops->iter_value(i), &json) != 0) {
            return -1;
        }
    }

    buf_put_str(&l->text, json);
    return 0;
}


/* Ends the page before the entry that would make it too long. */
static bool
inbox_read_cut(struct inbox_read *l, uint32_t from, size_t *bytes)
{
    uint32_t k;

    for (k = from; k < l->n; k++) {
        *bytes += l->refs[k].len;

        if (*bytes > l->bytes && k > 0) {
            l->n = k;
            return true;
        }
    }

    return *bytes >= l->bytes;
}


static void
inbox_read_done(struct embedded *e, struct read_job *job)
{
    struct inbox_read *l = (struct inbox_read *) job;
    struct storage_result result = {0};
    struct storage_entry *entries = NULL;
    uint32_t k;

    result.status = STORAGE_UNAVAILABLE;

    if (job->status == 0) {
        entries = malloc((l->n + 1) * sizeof(*entries));
    }

    if (entries != NULL) {
        for (k = 0; k < l->n; k++) {
            entries[k].inbox_id = l->refs[k].inbox_id;
            entries[k].method = l->refs[k].to.method;
            entries[k].tail =
                (struct str){l->text.data + l->refs[k].at, l->refs[k].len};
        }

        result.status = STORAGE_OK;
        result.entries = entries;
        result.n_entries = l->n;
        result.inbox_id = l->upto;
        result.more = l->after + l->n < l->upto;
    }

    request_finish(e, l->request, &result);

    free(entries);
    free(l->refs);
    buf_clear(&l->text);
    free(l);
}
