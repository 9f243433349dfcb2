/*
 * The user's side: SUBSCRIBE, UNSUBSCRIBE, READ_INBOX, ACK.
 */

#include <stdlib.h>

#include "log.h"
#include "storage_channel.h"
#include "storage_load.h"
#include "storage_marker.h"

#define INBOX_CHUNK     64 /* entries whose messages are read together */
#define INBOX_LIMIT     50
#define ACK_PAGE        1000 /* inbox entries looked at by one job      */
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

/* The newest message of each channel in a range of an inbox. */
struct ack_look {
    struct read_job job;
    struct user *user; /* referred to */
    uint64_t epoch;
    uint64_t number;
    uint64_t after;
    uint64_t upto;
    uint32_t n;
    struct {
        uint64_t channel;
        uint64_t message_id;
    } newest[ACK_PAGE];
};

static int subscribe_room(struct embedded *e, uint64_t number);
static int inbox_read_run(struct read_job *job, const struct reader *r);
static int inbox_read_refs(struct inbox_read *l, const struct reader *r,
                           struct engine_iter *i, uint32_t n);
static int inbox_read_tails(struct inbox_read *l, const struct reader *r,
                            struct engine_iter *i, uint32_t from);
static int inbox_read_tail(struct inbox_read *l, struct inbox_ref *ref,
                           struct str value);
static bool inbox_read_cut(struct inbox_read *l, uint32_t from, size_t *bytes);
static void inbox_read_done(struct embedded *e, struct read_job *job);
static struct device *ack_device(struct embedded *e, struct user *u,
                                 struct str id);
static void ack_look(struct embedded *e, struct user *u, uint64_t after,
                     uint64_t upto);
static int ack_look_run(struct read_job *job, const struct reader *r);
static void ack_look_note(struct ack_look *l, const struct record_inbox *to);
static void ack_look_done(struct embedded *e, struct read_job *job);
static void ack_deliver(struct embedded *e, const struct ack_look *l,
                        uint32_t i);
static enum step deliver_step(struct embedded *e, struct request *r);


enum step
subscribe_step(struct embedded *e, struct request *r)
{
    struct user *u;
    bool connect = (r->op.flags & STORAGE_CONNECT) != 0;

    if (user_await(e, r, r->op.user, &u) == STEP_WAIT) {
        return STEP_WAIT;
    }

    if (u == NULL) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
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
    struct inbox_read *l;
    struct user *u;

    if (user_await(e, r, r->op.user, &u) == STEP_WAIT) {
        return STEP_WAIT;
    }

    if (u == NULL) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    r->result.inbox_id = u->published;

    if (r->op.after >= u->published) {
        return request_answer(
            e, r, r->op.after > u->published ? STORAGE_AHEAD : STORAGE_OK);
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    l->job.run = inbox_read_run;
    l->job.done = inbox_read_done;
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

    l->refs = calloc(l->limit, sizeof(*l->refs));
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


/* Inbox ids are gapless: the next n have to be there. */
static int
inbox_read_refs(struct inbox_read *l, const struct reader *r,
                struct engine_iter *i, uint32_t n)
{
    struct key key;
    struct inbox_ref *ref;

    key_inbox(&key, l->user, l->after + l->n + 1);

    for (r->ops->iter_seek(i, key_str(&key)); n > 0;
         n--, r->ops->iter_next(i)) {
        ref = &l->refs[l->n];
        ref->inbox_id = l->after + l->n + 1;
        key_inbox(&key, l->user, ref->inbox_id);

        if (!r->ops->iter_valid(i)
            || !str_eq(r->ops->iter_key(i), key_str(&key))
            || record_get_inbox(r->ops->iter_value(i), &ref->to) != 0) {
            log_error("store: inbox entry %llu of user %llu is damaged",
                      (unsigned long long) ref->inbox_id,
                      (unsigned long long) l->user);
            return -1;
        }

        l->n++;
    }

    return 0;
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
    struct inbox_ref *sorted[INBOX_CHUNK], *ref;
    struct key key;
    uint32_t k, n = l->n - from;
    bool stands = false;

    for (k = 0; k < n; k++) {
        sorted[k] = &l->refs[from + k];
    }

    qsort(sorted, n, sizeof(sorted[0]), inbox_compare);

    for (k = 0; k < n; k++) {
        ref = sorted[k];

        if (ref->to.method == STORAGE_EVENT_CHANNEL_UPDATED) {
            key_event(&key, ref->to.channel, ref->to.id);

        } else {
            key_message(&key, ref->to.channel, ref->to.id);
        }

        if (!stands || !r->ops->iter_valid(i)
            || !str_eq(r->ops->iter_key(i), key_str(&key))) {
            r->ops->iter_seek(i, key_str(&key));
        }

        if (!r->ops->iter_valid(i)
            || !str_eq(r->ops->iter_key(i), key_str(&key))
            || inbox_read_tail(l, ref, r->ops->iter_value(i)) != 0) {
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


static int
inbox_read_tail(struct inbox_read *l, struct inbox_ref *ref, struct str value)
{
    struct record_message message;
    struct str tail;

    ref->at = l->text.len;

    if (ref->to.method == STORAGE_EVENT_CHANNEL_UPDATED) {
        if (record_get_event(value, &tail) != 0) {
            return -1;
        }

        buf_put_str(&l->text, tail);

    } else {
        if (record_get_message(value, &message) != 0) {
            return -1;
        }

        buf_put_lit(&l->text, ",\"message\":");
        buf_put_str(&l->text, message.json);
        buf_put_lit(&l->text, "}}");
    }

    ref->len = l->text.len - ref->at;
    return buf_failed(&l->text) ? -1 : 0;
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


enum step
ack_step(struct embedded *e, struct request *r)
{
    struct user *u;
    struct device *d;
    uint64_t after;

    if (user_await(e, r, r->op.user, &u) == STEP_WAIT) {
        return STEP_WAIT;
    }

    if (u == NULL) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    if (r->op.inbox_id > u->published) {
        return request_answer(e, r, STORAGE_BEYOND);
    }

    if (r->op.inbox_id == 0) {
        return request_answer_json(e, r, STR("{}"));
    }

    d = ack_device(e, u, r->op.device);
    if (d == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    if (r->op.inbox_id > d->inbox_id) {
        d->inbox_id = r->op.inbox_id;
        d->at = embedded_now();
        d->dirty = true;
        marker_dirty_user(e, u);
    }

    if (r->op.inbox_id > u->acked) {
        after = u->acked;
        u->acked = r->op.inbox_id;
        ack_look(e, u, after, u->acked);
    }

    return request_answer_json(e, r, STR("{}"));
}


/* Where there is no room the one longest silent goes. */
static struct device *
ack_device(struct embedded *e, struct user *u, struct str id)
{
    struct device *d, *oldest = NULL;
    uint32_t i;

    for (i = 0; i < u->n_devices; i++) {
        d = &u->devices[i];

        if (str_eq((struct str){d->id, d->id_len}, id)) {
            return d;
        }

        if (oldest == NULL || d->at < oldest->at) {
            oldest = d;
        }
    }

    if (u->devices == NULL) {
        u->devices = calloc(STATE_DEVICES_MAX, sizeof(*u->devices));
        if (u->devices == NULL) {
            return NULL;
        }

        e->cached += STATE_DEVICES_MAX * sizeof(*u->devices);
    }

    if (u->n_devices < STATE_DEVICES_MAX) {
        d = &u->devices[u->n_devices++];

    } else {
        struct key key;

        d = oldest;
        key_device(&key, u->number, (struct str){d->id, d->id_len});
        embedded_delete(e, &key);
    }

    memset(d, 0, sizeof(*d));
    d->id_len = (uint8_t) id.len;
    memcpy(d->id, id.data, id.len);
    return d;
}


static void
ack_look(struct embedded *e, struct user *u, uint64_t after, uint64_t upto)
{
    struct ack_look *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        return;
    }

    l->job.run = ack_look_run;
    l->job.done = ack_look_done;
    l->user = u;
    l->epoch = e->epoch;
    l->number = u->number;
    l->after = after;
    l->upto = upto;
    user_ref(e, u);
    readers_submit(e->readers, &l->job);
}


/* Goes back from the newest entries, a page at a time. */
static int
ack_look_run(struct read_job *job, const struct reader *r)
{
    struct ack_look *l = (struct ack_look *) job;
    struct engine_iter *i;
    struct record_inbox to;
    struct key key, prefix;
    uint32_t n;
    int rc;

    i = r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    key_prefix_number(&prefix, KEY_INBOX, l->number);
    key_inbox(&key, l->number, l->upto + 1);
    r->ops->iter_seek_before(i, key_str(&key));

    for (n = 0; n < ACK_PAGE && l->upto > l->after && r->ops->iter_valid(i)
                && key_has_prefix(r->ops->iter_key(i), &prefix);
         n++, l->upto--, r->ops->iter_prev(i)) {
        if (record_get_inbox(r->ops->iter_value(i), &to) == 0
            && to.method == STORAGE_EVENT_MESSAGE_NEW) {
            ack_look_note(l, &to);
        }
    }

    rc = r->ops->iter_error(i);
    r->ops->iter_close(i);
    return n == 0 ? -1 : rc;
}


static void
ack_look_note(struct ack_look *l, const struct record_inbox *to)
{
    uint32_t i;

    for (i = 0; i < l->n; i++) {
        if (l->newest[i].channel == to->channel) {
            return;
        }
    }

    l->newest[l->n].channel = to->channel;
    l->newest[l->n++].message_id = to->id;
}


static void
ack_look_done(struct embedded *e, struct read_job *job)
{
    struct ack_look *l = (struct ack_look *) job;
    uint32_t i;

    if (l->epoch == e->epoch) {
        for (i = 0; job->status == 0 && i < l->n; i++) {
            ack_deliver(e, l, i);
        }

        if (job->status == 0 && l->upto > l->after) {
            ack_look(e, l->user, l->after, l->upto);
        }

        user_unref(e, l->user);
    }

    free(l);
}


static void
ack_deliver(struct embedded *e, const struct ack_look *l, uint32_t i)
{
    struct storage_op op = {0};
    struct channel *ch = channel_by_number(e, l->newest[i].channel);
    struct request *r = ch == NULL ? NULL : request_create(e, &op, NULL, NULL);

    if (r == NULL) {
        return;
    }

    r->step = deliver_step;
    r->user_number = l->number;
    r->message_id = l->newest[i].message_id;
    request_enqueue(e, r, ch);
}


static enum step
deliver_step(struct embedded *e, struct request *r)
{
    struct channel *ch = r->channel;
    uint32_t i;

    for (i = 0; ch->state == OBJECT_READY && i < ch->n_members; i++) {
        if (ch->members[i].user->number == r->user_number) {
            marker_advance(e, ch, &ch->members[i], 0, r->message_id);
            break;
        }
    }

    return request_answer(e, r, STORAGE_OK);
}
