/* See storage_commit.h. */

#include "storage_commit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <uv.h>

#include "log.h"
#include "storage_format.h"
#include "storage_key.h"
#include "storage_reader.h"
#include "storage_record.h"
#include "storage_wake.h"

struct committer {
    const struct engine_ops *ops;
    char *path;
    struct readers *readers;
    struct wake *ended;

    struct engine *engine; /* the thread's; NULL while it cannot be opened */
    bool broken;           /* the thread's */

    uv_thread_t thread;
    uv_mutex_t lock; /* of all below */
    uv_cond_t wake;
    struct commit *commit;
    struct engine_batch *behind;
    bool reopen;
    unsigned reopen_delay_ms;
    bool stop;
    struct committer_news news;
};

static int commit_start_read(const struct engine_ops *ops, struct engine *e,
                             struct commit_start *s, const char **error);
static int commit_last(const struct engine_ops *ops, struct engine_iter *i,
                       enum key_kind kind, struct key_parts *last);
static void committer_signal(struct committer *t);
static void committer_thread(void *data);
static void committer_thread_write(struct committer *t);
static void committer_thread_behind(struct committer *t);
static void committer_thread_reopen(struct committer *t);
static int committer_open_engine(struct committer *t,
                                 struct commit_start *start,
                                 const char **error);


struct commit *
commit_create(const struct engine_ops *ops)
{
    struct commit *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }

    c->outputs_last = &c->outputs;
    c->batch = ops->batch_create();
    if (c->batch == NULL) {
        free(c);
        return NULL;
    }

    return c;
}


void
commit_free(struct commit *c, const struct engine_ops *ops)
{
    if (c == NULL) {
        return;
    }

    ops->batch_free(c->batch);
    arena_clear(&c->arena);
    free(c);
}


void
commit_clear(struct commit *c, const struct engine_ops *ops)
{
    if (c->writes) {
        ops->batch_clear(c->batch);
    }

    arena_reset(&c->arena);
    c->sequence = 0;
    c->writes = false;
    c->n_results = 0;
    c->n_messages = 0;
    c->gathered = NULL;
    c->outputs = NULL;
    c->outputs_last = &c->outputs;
}


struct committer *
committer_open(const struct engine_ops *ops, const char *path,
               struct readers *readers, struct wake *wake,
               struct commit_start *start, const char **error)
{
    struct committer *t = calloc(1, sizeof(*t));

    *error = "out of memory";

    if (t == NULL) {
        return NULL;
    }

    t->ops = ops;
    t->readers = readers;
    t->ended = wake;
    t->path = strdup(path);

    if (t->path == NULL || committer_open_engine(t, start, error) != 0) {
        goto fail;
    }

    if (uv_mutex_init(&t->lock) != 0) {
        goto fail;
    }

    if (uv_cond_init(&t->wake) != 0) {
        uv_mutex_destroy(&t->lock);
        goto fail;
    }

    if (uv_thread_create(&t->thread, committer_thread, t) != 0) {
        *error = "cannot start a thread";
        uv_cond_destroy(&t->wake);
        uv_mutex_destroy(&t->lock);
        goto fail;
    }

    return t;

fail:

    if (t->engine != NULL) {
        readers_set_engine(readers, NULL);
        ops->close(t->engine);
    }

    free(t->path);
    free(t);
    return NULL;
}


void
committer_close(struct committer *t)
{
    if (t == NULL) {
        return;
    }

    uv_mutex_lock(&t->lock);
    t->stop = true;
    committer_signal(t);
    uv_thread_join(&t->thread);

    readers_set_engine(t->readers, NULL);

    if (t->engine != NULL) {
        t->ops->close(t->engine);
    }

    uv_cond_destroy(&t->wake);
    uv_mutex_destroy(&t->lock);
    free(t->path);
    free(t);
}


void
committer_write(struct committer *t, struct commit *c)
{
    uv_mutex_lock(&t->lock);
    t->commit = c;
    committer_signal(t);
}


void
committer_write_behind(struct committer *t, struct engine_batch *batch)
{
    uv_mutex_lock(&t->lock);
    t->behind = batch;
    committer_signal(t);
}


void
committer_reopen(struct committer *t, unsigned delay_ms)
{
    uv_mutex_lock(&t->lock);
    t->reopen = true;
    t->reopen_delay_ms = delay_ms;
    committer_signal(t);
}


/* Unlocks first: a thread that wakes up to a held lock sleeps again. */
static void
committer_signal(struct committer *t)
{
    uv_mutex_unlock(&t->lock);
    uv_cond_signal(&t->wake);
}


void
committer_poll(struct committer *t, struct committer_news *news)
{
    uv_mutex_lock(&t->lock);
    *news = t->news;
    memset(&t->news, 0, sizeof(t->news));
    uv_mutex_unlock(&t->lock);
}


static void
committer_thread(void *data)
{
    struct committer *t = data;

    prctl(PR_SET_NAME, "chatd-commit");
    uv_mutex_lock(&t->lock);

    for (;;) {
        /* of the two the one behind is the older, or has nothing that the
         * commit has: see marker_flush */
        if (t->behind != NULL) {
            committer_thread_behind(t);

        } else if (t->commit != NULL) {
            committer_thread_write(t);

        } else if (t->stop) {
            break;

        } else if (t->reopen) {
            committer_thread_reopen(t);

        } else {
            uv_cond_wait(&t->wake, &t->lock);
            continue;
        }

        uv_mutex_unlock(&t->lock);
        wake_send(t->ended);
        uv_mutex_lock(&t->lock);
    }

    uv_mutex_unlock(&t->lock);
}


static void
committer_thread_write(struct committer *t)
{
    struct commit *c = t->commit;
    uint64_t started;
    int rc = -1;

    uv_mutex_unlock(&t->lock);

    started = uv_hrtime();

    if (!t->broken) {
        rc = t->ops->write(t->engine, c->batch, true);
        t->broken = rc != 0;
    }

    uv_mutex_lock(&t->lock);

    t->commit = NULL;
    t->news.commit = c;
    t->news.written = rc == 0;
    t->news.failed |= rc != 0;
    t->news.write_us = (uv_hrtime() - started) / 1000;
}


static void
committer_thread_behind(struct committer *t)
{
    struct engine_batch *batch = t->behind;
    int rc = -1;

    uv_mutex_unlock(&t->lock);

    if (!t->broken) {
        rc = t->ops->write(t->engine, batch, false);
        t->broken = rc != 0;
    }

    uv_mutex_lock(&t->lock);

    t->behind = NULL;
    t->news.behind = true;
    t->news.failed |= rc != 0;
}


static void
committer_thread_reopen(struct committer *t)
{
    struct commit_start start;
    const char *error = NULL;
    uint64_t until = uv_hrtime() + t->reopen_delay_ms * 1000000ull;
    int rc;

    while (!t->stop && uv_hrtime() < until) {
        uv_cond_timedwait(&t->wake, &t->lock, until - uv_hrtime());
    }

    t->reopen = false;

    if (t->stop) {
        return;
    }

    uv_mutex_unlock(&t->lock);

    readers_set_engine(t->readers, NULL);

    if (t->engine != NULL) {
        t->ops->close(t->engine);
        t->engine = NULL;
    }

    rc = committer_open_engine(t, &start, &error);

    if (rc != 0) {
        log_warn("store %s: cannot be opened again: %s", t->path, error);
    }

    uv_mutex_lock(&t->lock);

    t->broken = rc != 0;
    t->news.reopened = rc == 0 ? 1 : -1;

    if (rc == 0) {
        t->news.start = start;
    }
}


static int
committer_open_engine(struct committer *t, struct commit_start *start,
                      const char **error)
{
    t->engine = t->ops->open(t->path, false, error);
    if (t->engine == NULL) {
        return -1;
    }

    if (commit_start_read(t->ops, t->engine, start, error) != 0) {
        t->ops->close(t->engine);
        t->engine = NULL;
        return -1;
    }

    readers_set_engine(t->readers, t->engine);
    return 0;
}


static int
commit_start_read(const struct engine_ops *ops, struct engine *e,
                  struct commit_start *s, const char **error)
{
    struct engine_iter *i;
    struct key_parts user = {0}, channel = {0}, day = {0}, slot = {0};
    struct key key;
    struct buf value = {0};
    int rc;

    memset(s, 0, sizeof(*s));

    rc = storage_format_check(ops, e, error);
    if (rc < 0) {
        return -1;
    }

    s->write_format = rc != 0;
    s->index_users = rc != 1;
    *error = "cannot be read: the log says why; restore it from a backup";

    key_sequence(&key);
    rc = ops->get(e, key_str(&key), &value);

    if (rc == 1 && record_get_u64(buf_str(&value), &s->sequence) != 0) {
        rc = -1;
    }

    buf_clear(&value);

    if (rc < 0) {
        return -1;
    }

    if (s->index_users) {
        key_indexed(&key);
        rc = ops->get(e, key_str(&key), &value);
        buf_clear(&value);
        s->index_users = rc == 0;

        if (rc < 0) {
            return -1;
        }
    }

    i = ops->iter_open(e);
    if (i == NULL) {
        return -1;
    }

    rc = commit_last(ops, i, KEY_USER, &user)
         | commit_last(ops, i, KEY_CHANNEL, &channel)
         | commit_last(ops, i, KEY_CLIENT, &day)
         | commit_last(ops, i, KEY_REQUEST, &slot);

    ops->iter_close(i);

    s->next_user = user.first + 1;
    s->next_channel = channel.first + 1;
    s->newest_day = (uint32_t) day.first;
    s->newest_slot = (uint32_t) slot.first;

    return rc == 0 ? 0 : -1;
}


static int
commit_last(const struct engine_ops *ops, struct engine_iter *i,
            enum key_kind kind, struct key_parts *last)
{
    struct key prefix, end;

    key_prefix(&prefix, kind);
    key_prefix_end(&end, &prefix);
    ops->iter_seek_before(i, key_str(&end));

    if (ops->iter_valid(i) && key_has_prefix(ops->iter_key(i), &prefix)) {
        return key_parse(ops->iter_key(i), last);
    }

    return ops->iter_error(i);
}
