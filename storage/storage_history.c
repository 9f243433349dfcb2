/*
 * HISTORY and GET_MESSAGE: copies of stored bytes, up to what was published
 * when the operation had its turn.
 */

#include <stdlib.h>

#include "log.h"
#include "storage_channel.h"
#include "storage_text.h"

#define HISTORY_LIMIT 50

/*
 * A window lo ... hi of ids that have been read, which grows downwards,
 * upwards, or to both sides in turn, until it has `limit` of them or enough
 * bytes.  It is empty at first: lo is hi + 1.
 */
struct history {
    struct read_job job;
    struct request *request;
    uint64_t channel;
    uint64_t newest; /* published at the start */
    uint64_t lo, hi;
    uint64_t floor, ceiling; /* it does not grow beyond */
    uint32_t limit;
    bool one;         /* GET_MESSAGE */
    struct buf below; /* texts found downwards, the newest first */
    struct buf above; /* texts found upwards                     */
    struct buf result;
    uint32_t n_below;
    size_t ends[STORAGE_HISTORY_LIMIT]; /* of the texts in below */
};

static void history_range(struct history *h, const struct storage_op *op);
static int history_run(struct read_job *job, const struct reader *r);
static int history_put(struct history *h, const struct reader *r,
                       struct engine_iter *i, uint64_t id, bool down);
static void history_join(struct history *h, bool more);
static void history_done(struct embedded *e, struct read_job *job);
static enum step history_start(struct embedded *e, struct request *r, bool one);


enum step
history_step(struct embedded *e, struct request *r)
{
    return history_start(e, r, false);
}


enum step
get_message_step(struct embedded *e, struct request *r)
{
    return history_start(e, r, true);
}


static enum step
history_start(struct embedded *e, struct request *r, bool one)
{
    enum step step;
    struct history *h;
    struct user *u;
    struct member *m;

    step = channel_enter(e, r, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    if (one
        && (r->op.message_id == 0
            || r->op.message_id > r->channel->published)) {
        return request_answer(e, r, STORAGE_NO_MESSAGE);
    }

    h = calloc(1, sizeof(*h));
    if (h == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    h->job.run = history_run;
    h->job.done = history_done;
    h->request = r;
    h->channel = r->channel->number;
    h->newest = r->channel->published;
    h->one = one;
    history_range(h, &r->op);

    readers_submit(e->readers, &h->job);
    return request_detach(e, r);
}


static void
history_range(struct history *h, const struct storage_op *op)
{
    h->floor = 1;
    h->ceiling = h->newest;
    h->limit = op->limit == 0 ? HISTORY_LIMIT : op->limit;

    if (h->limit > STORAGE_HISTORY_LIMIT) {
        h->limit = STORAGE_HISTORY_LIMIT;
    }

    if (h->one) {
        h->limit = 1;
        h->lo = op->message_id + 1;

    } else if (op->around != 0) {
        h->lo = op->around + 1;

    } else if (op->after != 0 || (op->flags & STORAGE_AFTER) != 0) {
        h->lo = op->after + 1;
        h->floor = h->lo;

    } else {
        h->lo = op->before != 0 ? op->before : h->newest + 1;
        h->ceiling = h->lo - 1;
    }

    if (h->lo > h->newest + 1) {
        h->lo = h->newest + 1;
    }

    if (h->ceiling > h->newest) {
        h->ceiling = h->newest;
    }

    h->hi = h->lo - 1;
}


static int
history_run(struct read_job *job, const struct reader *r)
{
    struct history *h = (struct history *) job;
    struct engine_iter *down, *up;
    uint32_t n;
    int rc = 0;
    bool below = true;

    down = r->ops->iter_open(r->engine);
    up = down == NULL ? NULL : r->ops->iter_open(r->engine);

    for (n = 0; up != NULL && rc == 0 && n < h->limit; n++) {
        bool can_below = h->lo > h->floor, can_above = h->hi < h->ceiling;

        if (!can_below && !can_above) {
            break;
        }

        if (can_below && (below || !can_above)) {
            rc = history_put(h, r, down, h->lo - 1, true);

        } else {
            rc = history_put(h, r, up, h->hi + 1, false);
        }

        below = !below;
    }

    if (up == NULL || rc < 0) {
        rc = -1;

    } else {
        history_join(h, h->lo > h->floor || h->hi < h->ceiling);
        rc = buf_failed(&h->result) ? -1 : 0;
    }

    if (up != NULL) {
        r->ops->iter_close(up);
    }

    if (down != NULL) {
        r->ops->iter_close(down);
    }

    return rc;
}


/* 0; 1 when the page is full without it; -1. */
static int
history_put(struct history *h, const struct reader *r, struct engine_iter *i,
            uint64_t id, bool down)
{
    struct buf *b = down ? &h->below : &h->above;
    size_t before = b->len, others = h->below.len + h->above.len;
    struct record_message message;
    struct key key;

    key_message(&key, h->channel, id);

    /* The iterator of each side stands on the last one it gave. */
    if (b->len == 0) {
        r->ops->iter_seek(i, key_str(&key));

    } else if (down) {
        r->ops->iter_prev(i);

    } else {
        r->ops->iter_next(i);
    }

    if (!r->ops->iter_valid(i) || !str_eq(r->ops->iter_key(i), key_str(&key))
        || record_get_message(r->ops->iter_value(i), &message) != 0) {
        log_error("store: message %llu of channel %llu is damaged",
                  (unsigned long long) id, (unsigned long long) h->channel);
        return -1;
    }

    if (!down) {
        buf_put_char(b, ',');
    }

    text_put_shown(b, &message);

    if (buf_failed(b)) {
        return -1;
    }

    if (h->below.len + h->above.len > STORAGE_PAGE_BYTES && others != 0) {
        b->len = before;
        return 1;
    }

    if (down) {
        h->ends[h->n_below++] = b->len;
        h->lo--;

    } else {
        h->hi++;
    }

    return 0;
}


static void
history_join(struct history *h, bool more)
{
    struct buf *b = &h->result;
    struct str above = buf_str(&h->above);
    size_t from;
    uint32_t n;

    if (h->one) {
        buf_put_lit(b, "{\"message\":");
        buf_put_str(b, buf_str(&h->below));
        buf_put_char(b, '}');
        return;
    }

    buf_put_lit(b, "{\"messages\":[");

    for (n = h->n_below; n > 0; n--) {
        from = n > 1 ? h->ends[n - 2] : 0;
        buf_put(b, h->below.data + from, h->ends[n - 1] - from);

        if (n > 1) {
            buf_put_char(b, ',');
        }
    }

    if (above.len != 0) {
        bool first = h->n_below == 0;

        buf_put(b, above.data + first, above.len - first);
    }

    if (more) {
        buf_put_lit(b, "],\"more\":true}");

    } else {
        buf_put_lit(b, "],\"more\":false}");
    }
}


static void
history_done(struct embedded *e, struct read_job *job)
{
    struct history *h = (struct history *) job;
    struct storage_result result = {0};

    result.status = STORAGE_UNAVAILABLE;

    if (job->status == 0) {
        result.status = STORAGE_OK;
        result.json = buf_str(&h->result);
    }

    request_finish(e, h->request, &result);

    buf_clear(&h->below);
    buf_clear(&h->above);
    buf_clear(&h->result);
    free(h);
}
