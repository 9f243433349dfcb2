/*
 * ACK: a device has everything up to an inbox id.  Its cursor is written
 * behind; the channels whose messages it covers are told from the inbox.
 */

#include <stdlib.h>

#include "storage_channel.h"
#include "storage_device.h"
#include "storage_marker.h"

#define ACK_PAGE 1000 /* inbox entries looked at by one job */

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

static void ack_look(struct embedded *e, struct user *u, uint64_t after,
                     uint64_t upto);
static int ack_look_run(struct read_job *job, const struct reader *r);
static uint32_t ack_look_at(struct ack_look *l, struct str key,
                            struct str value, uint32_t max);
static void ack_look_note(struct ack_look *l, const struct record_inbox *to);
static void ack_look_done(struct embedded *e, struct read_job *job);
static void ack_deliver(struct embedded *e, const struct ack_look *l,
                        uint32_t i);
static enum step deliver_step(struct embedded *e, struct request *r);


enum step
ack_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct device *d;
    uint64_t after;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    if (r->op.inbox_id > u->published) {
        return request_answer(e, r, STORAGE_BEYOND);
    }

    if (r->op.inbox_id == 0) {
        return request_answer_json(e, r, STR("{}"));
    }

    d = device_make(e, u, r->op.device);
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
    struct key key;
    uint32_t n = 0, taken;
    int rc;

    i = r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    key_inbox(&key, l->number, l->upto);

    for (r->ops->iter_seek(i, key_str(&key));
         n < ACK_PAGE && l->upto > l->after && r->ops->iter_valid(i);
         r->ops->iter_prev(i)) {
        taken = ack_look_at(l, r->ops->iter_key(i), r->ops->iter_value(i),
                            ACK_PAGE - n);
        if (taken == 0) {
            break;
        }

        n += taken;
    }

    rc = r->ops->iter_error(i);
    r->ops->iter_close(i);
    return n == 0 ? -1 : rc;
}


/* At most max entries of one run; how many they were. */
static uint32_t
ack_look_at(struct ack_look *l, struct str key, struct str value, uint32_t max)
{
    struct record_inbox_run run;
    struct record_inbox to;
    uint32_t n;

    if (record_get_inbox_run(key, value, l->number, &run) != 0
        || l->upto > run.last) {
        return 0;
    }

    for (n = 0; n < max && l->upto > l->after && l->upto >= run.first;
         n++, l->upto--) {
        if (record_get_inbox(value, (uint32_t) (l->upto - run.first), &to) == 0
            && to.method == STORAGE_EVENT_MESSAGE_NEW) {
            ack_look_note(l, &to);
        }
    }

    return n;
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
