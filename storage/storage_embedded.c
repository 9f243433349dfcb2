/*
 * The turn of the embedded storage: operations come in, what they decided is
 * collected, committed and, once durable, said in that same order.  See
 * storage_embedded.h.
 */

#include "storage_embedded.h"

#include <stdlib.h>

#include "log.h"
#include "storage_ending.h"
#include "storage_erase.h"
#include "storage_format.h"
#include "storage_gather.h"
#include "storage_index.h"
#include "storage_marker.h"
#include "storage_message.h"
#include "storage_outcome.h"
#include "storage_presence.h"
#include "storage_state.h"
#include "storage_watch.h"

#define TICK_MS     1000
#define STALL_TICKS 60
#define WATCH_TICKS 8 /* longer than a subscription waits for its commit */

static void *embedded_open(struct uv_loop_s *loop, const char *path,
                           const struct storage_handlers *handlers,
                           const char **error, const struct engine_ops *ops);
static int embedded_open_parts(struct embedded *e, const char *path,
                               const char **error);
static int embedded_open_handles(struct embedded *e);
static void embedded_open_failed(struct embedded *e);
static void embedded_free(struct embedded *e);
static void embedded_close(void *b, void (*closed)(void *data), void *data);
static void embedded_close_if_done(struct embedded *e);
static void embedded_close_handles(struct embedded *e);
static void on_handle_closed(uv_handle_t *handle);
static void on_wake(struct wake *wake);
static void on_check(uv_check_t *check);
static void on_tick(uv_timer_t *timer);
static void embedded_read_done(struct embedded *e);
static void embedded_committed(struct embedded *e,
                               const struct committer_news *news);
static void embedded_hand_over(struct embedded *e);
static void embedded_turn(struct embedded *e);
static struct commit *embedded_collected(struct embedded *e);
static void embedded_submit(void *b, const struct storage_op *op,
                            storage_done *done, void *data);


static void *
embedded_open_leveldb(struct uv_loop_s *loop, const char *path,
                      const struct storage_handlers *handlers,
                      const char **error)
{
    return embedded_open(loop, path, handlers, error, &engine_leveldb);
}


static void *
embedded_open_memory(struct uv_loop_s *loop, const char *path,
                     const struct storage_handlers *handlers,
                     const char **error)
{
    return embedded_open(loop, path, handlers, error, &engine_memory);
}


static void
embedded_stats(const void *b, struct storage_stats *out)
{
    const struct embedded *e = b;

    *out = e->stats;
    out->commit_stall_us =
        e->stall_us[0] > e->stall_us[1] ? e->stall_us[0] : e->stall_us[1];
    out->cache_bytes = e->cached;
    out->waiting = e->collecting->n_results;

    if (e->committing != NULL) {
        out->waiting += e->committing->n_results;
    }
}


static uint64_t
embedded_sequence(const void *b)
{
    const struct embedded *e = b;

    return e->published;
}


static bool
embedded_online(void *b, uint64_t number)
{
    return presence_here(b, number);
}


/* What is above a smaller bound goes with the next operations. */
static void
embedded_cache(void *b, uint64_t bytes)
{
    struct embedded *e = b;

    e->cache_max = bytes > SIZE_MAX ? SIZE_MAX : (size_t) bytes;
}


const struct storage_backend storage_backend_leveldb = {
    .scheme = "leveldb",
    .open = embedded_open_leveldb,
    .submit = embedded_submit,
    .close = embedded_close,
    .stats = embedded_stats,
    .sequence = embedded_sequence,
    .online = embedded_online,
    .cache = embedded_cache,
};

const struct storage_backend storage_backend_memory = {
    .scheme = "memory",
    .open = embedded_open_memory,
    .submit = embedded_submit,
    .close = embedded_close,
    .stats = embedded_stats,
    .sequence = embedded_sequence,
    .online = embedded_online,
    .cache = embedded_cache,
};


static void *
embedded_open(struct uv_loop_s *loop, const char *path,
              const struct storage_handlers *handlers, const char **error,
              const struct engine_ops *ops)
{
    struct embedded *e = calloc(1, sizeof(*e));

    *error = "out of memory";

    if (e == NULL) {
        return NULL;
    }

    e->loop = loop;
    e->ops = ops;
    e->handlers = *handlers;
    e->runnable.last = &e->runnable.first;
    e->open_last = &e->open;
    e->reopen_delay_ms = EMBEDDED_REOPEN_DELAY_MS;
    e->cache_max = STORAGE_CACHE_BYTES;
    state_init(e);
    messages_init(e);
    erase_due(e);
    e->ending_due = true;
    presence_open(e);

    if (embedded_open_handles(e) != 0) {
        free(e);
        return NULL;
    }

    if (embedded_open_parts(e, path, error) != 0) {
        embedded_open_failed(e);
        return NULL;
    }

    return e;
}


static int
embedded_open_handles(struct embedded *e)
{
    /* The only one of them that can fail. */
    if (wake_open(&e->wake, e->loop, on_wake) != 0) {
        return -1;
    }

    (void) uv_check_init(e->loop, &e->check);
    (void) uv_idle_init(e->loop, &e->idle);
    (void) uv_timer_init(e->loop, &e->tick);
    (void) uv_timer_init(e->loop, &e->receipt_timer);
    (void) uv_timer_init(e->loop, &e->ending_timer);

    e->wake.poll.data = e;
    e->check.data = e;
    e->idle.data = e;
    e->tick.data = e;
    e->receipt_timer.data = e;
    e->ending_timer.data = e;
    e->n_handles = 6;

    (void) uv_check_start(&e->check, on_check);
    (void) uv_timer_start(&e->tick, on_tick, TICK_MS, TICK_MS);
    return 0;
}


static int
embedded_open_parts(struct embedded *e, const char *path, const char **error)
{
    struct commit_start start;

    e->collecting = commit_create(e->ops);
    e->spare = commit_create(e->ops);
    e->readers = readers_create(e->ops, &e->wake);

    if (e->collecting == NULL || e->spare == NULL || e->readers == NULL) {
        return -1;
    }

    e->committer =
        committer_open(e->ops, path, e->readers, &e->wake, &start, error);
    if (e->committer == NULL) {
        return -1;
    }

    embedded_start(e, &start);
    e->published = e->sequence;

    return outcome_open(e, &start);
}


static void
embedded_open_failed(struct embedded *e)
{
    e->state = EMBEDDED_CLOSING;

    if (e->readers != NULL) {
        readers_stop(e->readers);
        embedded_read_done(e);
    }

    committer_close(e->committer);
    e->committer = NULL;

    /* The loop frees the rest when it has closed the handles. */
    embedded_close_handles(e);
}


void
embedded_start(struct embedded *e, const struct commit_start *start)
{
    e->write_format = start->write_format;
    e->sequence = start->sequence;
    e->next_user = start->next_user;
    e->next_channel = start->next_channel;
    e->index_due = start->index_users;
    e->index_after = 0;
}


static void
embedded_free(struct embedded *e)
{
    readers_free(e->readers);
    outcome_close(e);
    marker_drop(e);
    erase_close(e);
    messages_clear(e);
    presence_close(e);
    state_clear(e);
    commit_free(e->collecting, e->ops);
    commit_free(e->spare, e->ops);

    if (e->behind != NULL) {
        e->ops->batch_free(e->behind);
    }

    if (e->dropped != NULL) {
        e->ops->batch_free(e->dropped);
    }

    buf_clear(&e->record);
    buf_clear(&e->text);
    free(e->subscribed);
    free(e->targets);
    free(e);
}


/*
 * What is sequenced is committed, what is behind is written, then the threads
 * end.  Requests that still wait for anything are failed at once.
 */
static void
embedded_close(void *b, void (*closed)(void *data), void *data)
{
    struct embedded *e = b;
    struct request *r, *next;

    if (e->state == EMBEDDED_OPEN) {
        e->state = EMBEDDED_CLOSING;
    }

    e->epoch++; /* what readers bring now is for nobody */
    e->closing = true;
    e->closed = closed;
    e->closed_data = data;

    for (r = e->open; r != NULL; r = next) {
        next = r->open_next;
        (void) request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    /* From here on nobody is woken any more. */
    e->runnable.first = NULL;
    e->runnable.last = &e->runnable.first;
    e->unpublished.first = NULL;
    e->unpublished.last = &e->unpublished.first;
    (void) uv_idle_start(&e->idle, embedded_on_idle);
}


static void
embedded_close_if_done(struct embedded *e)
{
    if (e->committing != NULL) {
        (void) uv_idle_stop(&e->idle);
        return;
    }

    if (e->collecting->outputs != NULL) {
        return;
    }

    if (e->state != EMBEDDED_BROKEN) {
        marker_flush(e);

        if (e->behind_busy) {
            (void) uv_idle_stop(&e->idle);
            return;
        }
    }

    /* What the last jobs of the readers bring is still answered. */
    readers_stop(e->readers);
    embedded_read_done(e);
    committer_close(e->committer);
    e->committer = NULL;
    embedded_close_handles(e);
}


static void
embedded_close_handles(struct embedded *e)
{
    wake_close(&e->wake, on_handle_closed);
    uv_close((uv_handle_t *) &e->check, on_handle_closed);
    uv_close((uv_handle_t *) &e->idle, on_handle_closed);
    uv_close((uv_handle_t *) &e->tick, on_handle_closed);
    uv_close((uv_handle_t *) &e->receipt_timer, on_handle_closed);
    uv_close((uv_handle_t *) &e->ending_timer, on_handle_closed);
}


static void
on_handle_closed(uv_handle_t *handle)
{
    struct embedded *e = handle->data;
    void (*closed)(void *data) = e->closed;
    void *data = e->closed_data;

    if (--e->n_handles == 0) {
        embedded_free(e);

        if (closed != NULL) {
            closed(data);
        }
    }
}


static void
on_wake(struct wake *wake)
{
    struct embedded *e = wake->poll.data;
    struct committer_news news;

    committer_poll(e->committer, &news);

    if (news.failed) {
        /* it was durable before the write that failed */
        if (news.commit != NULL && news.written) {
            embedded_committed(e, &news);
        }

        embedded_fail(e);

    } else {
        if (news.commit != NULL) {
            embedded_committed(e, &news);
        }

        if (news.behind) {
            marker_flushed(e);
        }
    }

    if (news.reopened != 0) {
        embedded_reopened(e, &news);
    }

    embedded_read_done(e);
    requests_run(e);
}


static void
on_check(uv_check_t *check)
{
    struct embedded *e = check->data;

    embedded_turn(e);
    state_evict(e);
    messages_evict(e);

    if (e->closing) {
        embedded_close_if_done(e);
    }
}


void
embedded_on_idle(uv_idle_t *idle)
{
    (void) idle;
}


static void
on_tick(uv_timer_t *timer)
{
    struct embedded *e = timer->data;

    if (++e->ticks % STALL_TICKS == 0) {
        e->stall_us[1] = e->stall_us[0];
        e->stall_us[0] = 0;
    }

    if (e->state == EMBEDDED_OPEN) {
        outcome_tick(e);
        erase_tick(e);
        index_tick(e);
        ending_tick(e);
        presence_tick(e);

        if (e->ticks % WATCH_TICKS == 0) {
            watch_tick(e);
        }

        marker_flush(e);
    }
}


uint64_t
embedded_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
}


void
embedded_put(struct embedded *e, const struct key *key, const struct buf *value)
{
    /* A value that could not be built must not be taken for a short one: an
     * empty key makes the batch fail. */
    struct str k = buf_failed(value) ? STR("") : key_str(key);

    e->collecting->writes = true;
    e->ops->batch_put(e->collecting->batch, k, buf_str(value));
}


void
embedded_delete(struct embedded *e, const struct key *key)
{
    e->collecting->writes = true;
    e->ops->batch_delete(e->collecting->batch, key_str(key));
}


struct buf *
embedded_record(struct embedded *e)
{
    buf_reset(&e->record, EMBEDDED_SCRATCH);
    return &e->record;
}


struct buf *
embedded_text(struct embedded *e)
{
    buf_reset(&e->text, EMBEDDED_SCRATCH);
    return &e->text;
}


static void
embedded_read_done(struct embedded *e)
{
    struct read_job *j, *next;

    for (j = readers_take(e->readers); j != NULL; j = next) {
        next = j->next;
        j->done(e, j);
    }
}


static void
embedded_committed(struct embedded *e, const struct committer_news *news)
{
    struct commit *c = news->commit;

    e->committing = NULL;
    e->write_format = false;
    e->reopen_delay_ms = EMBEDDED_REOPEN_DELAY_MS;
    e->stats.commits++;
    e->stats.commit_messages += c->n_messages;

    if (news->write_us > e->stall_us[0]) {
        e->stall_us[0] = news->write_us;
    }

    /* The disk goes on while we speak: what is collected so far may only be
     * published behind this one, which the order here ensures. */
    if (!news->failed) {
        embedded_hand_over(e);
    }

    embedded_publish(e, c);
}


static void
embedded_hand_over(struct embedded *e)
{
    struct commit *c = e->collecting;
    struct buf *value;
    struct key key;

    if (!c->writes || e->state == EMBEDDED_BROKEN) {
        return;
    }

    /* Only when the one before is still to be published is there no spare. */
    if (e->spare == NULL && (e->spare = commit_create(e->ops)) == NULL) {
        return;
    }

    gather_write(e);
    c->sequence = ++e->sequence;

    key_sequence(&key);
    value = embedded_record(e);
    record_put_u64(value, c->sequence);
    embedded_put(e, &key, value);

    if (e->write_format) {
        key_format(&key);
        value = embedded_record(e);
        record_put_u32(value, STORAGE_FORMAT);
        embedded_put(e, &key, value);

        if (!e->index_due) {
            index_put(e);
        }
    }

    e->collecting = e->spare;
    e->spare = NULL;
    e->committing = c;
    (void) uv_idle_stop(&e->idle);
    committer_write(e->committer, c);
}


static struct commit *
embedded_collected(struct embedded *e)
{
    struct commit *c = e->collecting;

    if (e->spare == NULL && (e->spare = commit_create(e->ops)) == NULL) {
        return NULL;
    }

    e->collecting = e->spare;
    e->spare = NULL;
    return c;
}


static void
embedded_turn(struct embedded *e)
{
    struct commit *c;

    requests_run(e);

    if (e->committing != NULL) {
        return;
    }

    embedded_hand_over(e);

    if (e->committing == NULL && e->collecting->outputs != NULL
        && !e->collecting->writes) {
        c = embedded_collected(e);
        if (c != NULL) {
            embedded_publish(e, c);
        }
    }

    if (e->committing == NULL && e->collecting->outputs == NULL
        && !e->closing) {
        (void) uv_idle_stop(&e->idle);
    }
}


static void
embedded_submit(void *b, const struct storage_op *op, storage_done *done,
                void *data)
{
    struct embedded *e = b;
    struct request *r;
    struct storage_result result = {0};
    struct storage_op none = {0};

    r = request_create(e, op, done, data);

    if (r != NULL) {
        request_submit(e, r);
        return;
    }

    /* A smaller piece may be had; else nobody can be called later. */
    r = request_create(e, &none, done, data);

    if (r != NULL) {
        (void) request_answer(e, r, STORAGE_EXHAUSTED);
        return;
    }

    result.status = STORAGE_EXHAUSTED;
    done(&result, data);
}
