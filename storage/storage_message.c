/* See storage_message.h. */

#include "storage_message.h"

#include <stdlib.h>

#include "log.h"
#include "storage_load.h"

struct message_load {
    struct read_job job;
    struct message *message;
    uint64_t epoch;
    uint64_t key[2];
    struct buf value;
};

static struct message *message_create(struct embedded *e, const uint64_t *key);
static void message_free(struct embedded *e, struct message *m);
static void message_count(struct embedded *e, struct message *m);
static void message_load(struct embedded *e, struct message *m);
static int message_load_run(struct read_job *job, const struct reader *r);
static void message_load_done(struct embedded *e, struct read_job *job);


static const void *
message_key(const struct map_entry *entry, size_t *len)
{
    const struct message *m = map_container(entry, struct message, entry);

    *len = sizeof(m->key);
    return m->key;
}


void
messages_init(struct embedded *e)
{
    map_init(&e->messages, message_key);
    e->messages_lru.next = &e->messages_lru;
    e->messages_lru.prev = &e->messages_lru;
    e->message_bytes = 0;
    e->unpublished.first = NULL;
    e->unpublished.last = &e->unpublished.first;
}


void
messages_clear(struct embedded *e)
{
    struct lru *l;

    while ((l = e->messages_lru.next) != &e->messages_lru) {
        message_free(e, map_container(l, struct message, lru));
    }

    map_clear(&e->messages);
    messages_init(e);
}


void
messages_evict(struct embedded *e)
{
    struct lru *l, *prev;
    unsigned tries = 64;

    for (l = e->messages_lru.prev; l != &e->messages_lru; l = prev) {
        struct message *m = map_container(l, struct message, lru);

        prev = l->prev;

        if ((e->messages.count <= MESSAGES_MAX
             && e->message_bytes <= MESSAGES_BYTES_MAX)
            || tries-- == 0) {
            break;
        }

        if (m->state != OBJECT_LOADING && m->pins == 0) {
            message_free(e, m);
        }
    }
}


enum step
message_await(struct embedded *e, struct request *r, uint64_t id,
              struct message **out)
{
    uint64_t key[2] = {r->channel->number, id};
    struct map_entry *entry = map_find(&e->messages, key, sizeof(key));
    struct message *m;

    /* What is not published may not be on the disk yet. */
    if (entry == NULL && id > r->channel->published) {
        request_wait(&e->unpublished, r);
        return STEP_WAIT;
    }

    m = entry != NULL ? map_container(entry, struct message, entry)
                      : message_create(e, key);

    if (m == NULL) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    lru_remove(&m->lru);
    lru_push(&e->messages_lru, &m->lru);

    if (m->state == OBJECT_LOADING) {
        request_wait(&m->waiters, r);
        return STEP_WAIT;
    }

    if (m->state == OBJECT_FAILED) {
        /* The next one tries again. */
        message_free(e, m);
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    *out = m;
    return STEP_GO;
}


void
messages_published(struct embedded *e)
{
    request_wake_all(e, &e->unpublished);
}


int
message_put(struct embedded *e, struct message *m,
            const struct record_message *record)
{
    struct buf *value = embedded_record(e);
    struct buf copy = {0};
    struct key key;

    record_put_message(value, record);
    buf_put_str(&copy, buf_str(value));

    if (buf_failed(value) || buf_failed(&copy)) {
        buf_clear(&copy);
        return -1;
    }

    key_message(&key, m->key[0], m->key[1]);
    embedded_put(e, &key, value);

    buf_clear(&m->value);
    m->value = copy;
    message_count(e, m);
    return 0;
}


static struct message *
message_create(struct embedded *e, const uint64_t *key)
{
    struct message *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        return NULL;
    }

    memcpy(m->key, key, sizeof(m->key));

    if (map_insert(&e->messages, &m->entry) != 0) {
        free(m);
        return NULL;
    }

    m->waiters.last = &m->waiters.first;
    lru_push(&e->messages_lru, &m->lru);
    message_count(e, m);
    message_load(e, m);
    return m;
}


static void
message_free(struct embedded *e, struct message *m)
{
    map_remove(&e->messages, &m->entry);
    lru_remove(&m->lru);
    e->message_bytes -= m->bytes;
    buf_clear(&m->value);
    free(m);
}


static void
message_count(struct embedded *e, struct message *m)
{
    size_t bytes = sizeof(*m) + m->value.cap;

    e->message_bytes += bytes - m->bytes;
    m->bytes = bytes;
}


static void
message_load(struct embedded *e, struct message *m)
{
    struct message_load *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        m->state = OBJECT_FAILED;
        return;
    }

    m->state = OBJECT_LOADING;
    l->job.run = message_load_run;
    l->job.brief = true;
    l->job.done = message_load_done;
    l->message = m;
    l->epoch = e->epoch;
    memcpy(l->key, m->key, sizeof(l->key));
    readers_submit(e->readers, &l->job);
}


static int
message_load_run(struct read_job *job, const struct reader *r)
{
    struct message_load *l = (struct message_load *) job;
    struct record_message record;
    struct key key;

    key_message(&key, l->key[0], l->key[1]);

    if (load_copy(r, &key, &l->value) != 1
        || record_get_message(buf_str(&l->value), &record) != 0) {
        log_error("store: message %llu of channel %llu is damaged",
                  (unsigned long long) l->key[1],
                  (unsigned long long) l->key[0]);
        return -1;
    }

    return 0;
}


static void
message_load_done(struct embedded *e, struct read_job *job)
{
    struct message_load *l = (struct message_load *) job;
    struct message *m = l->message;

    if (l->epoch == e->epoch) {
        m->state = job->status == 0 ? OBJECT_READY : OBJECT_FAILED;

        if (job->status == 0) {
            m->value = l->value;
            buf_init(&l->value);
            message_count(e, m);
        }

        request_wake_all(e, &m->waiters);
    }

    buf_clear(&l->value);
    free(l);
}
