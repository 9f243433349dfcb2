/* See storage_reader.h. */

#include "storage_reader.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "storage_wake.h"

#define READERS_THREADS 3
#define READERS_QUEUE   (1u << 18)

struct readers {
    const struct engine_ops *ops;
    struct wake *ended_wake;

    /* Held for reading by a job that runs, for writing by a change. */
    uv_rwlock_t engine_lock;
    struct engine *engine;

    uv_mutex_t lock; /* of all below */
    uv_cond_t wake;
    struct read_job *todo, **todo_last;
    struct read_job *ended, **ended_last;
    size_t n_todo;
    bool stop;
    unsigned n_threads;
    uv_thread_t threads[READERS_THREADS];
    atomic_bool hurry;
};

static void reader_thread(void *data);
static void reader_ended(struct readers *p, struct read_job *j);
static void reader_run(struct readers *p, struct read_job *j);


struct readers *
readers_create(const struct engine_ops *ops, struct wake *wake)
{
    struct readers *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }

    p->ops = ops;
    p->ended_wake = wake;
    p->todo_last = &p->todo;
    p->ended_last = &p->ended;

    if (uv_rwlock_init(&p->engine_lock) != 0) {
        free(p);
        return NULL;
    }

    if (uv_mutex_init(&p->lock) != 0) {
        uv_rwlock_destroy(&p->engine_lock);
        free(p);
        return NULL;
    }

    if (uv_cond_init(&p->wake) != 0) {
        uv_mutex_destroy(&p->lock);
        uv_rwlock_destroy(&p->engine_lock);
        free(p);
        return NULL;
    }

    while (p->n_threads < READERS_THREADS
           && uv_thread_create(&p->threads[p->n_threads], reader_thread, p)
                  == 0) {
        p->n_threads++;
    }

    if (p->n_threads == 0) {
        readers_free(p);
        return NULL;
    }

    return p;
}


void
readers_stop(struct readers *p)
{
    unsigned i;
    struct read_job *j;

    atomic_store(&p->hurry, true);

    uv_mutex_lock(&p->lock);
    p->stop = true;
    uv_cond_broadcast(&p->wake);
    uv_mutex_unlock(&p->lock);

    for (i = 0; i < p->n_threads; i++) {
        uv_thread_join(&p->threads[i]);
    }

    p->n_threads = 0;

    for (j = p->todo; j != NULL; j = j->next) {
        j->status = -1;
    }

    *p->ended_last = p->todo;
    p->todo = NULL;
    p->todo_last = &p->todo;
}


void
readers_free(struct readers *p)
{
    if (p == NULL) {
        return;
    }

    readers_stop(p);
    uv_cond_destroy(&p->wake);
    uv_mutex_destroy(&p->lock);
    uv_rwlock_destroy(&p->engine_lock);
    free(p);
}


void
readers_submit(struct readers *p, struct read_job *j)
{
    j->next = NULL;
    j->status = -1;

    uv_mutex_lock(&p->lock);

    if (p->n_todo < READERS_QUEUE && !p->stop) {
        *p->todo_last = j;
        p->todo_last = &j->next;
        p->n_todo++;
        uv_cond_signal(&p->wake);

    } else {
        reader_ended(p, j);
    }

    uv_mutex_unlock(&p->lock);
}


struct read_job *
readers_take(struct readers *p)
{
    struct read_job *list;

    uv_mutex_lock(&p->lock);
    list = p->ended;
    p->ended = NULL;
    p->ended_last = &p->ended;
    uv_mutex_unlock(&p->lock);

    return list;
}


void
readers_set_engine(struct readers *p, struct engine *engine)
{
    atomic_store(&p->hurry, true);
    uv_rwlock_wrlock(&p->engine_lock);
    p->engine = engine;
    atomic_store(&p->hurry, false);
    uv_rwlock_wrunlock(&p->engine_lock);
}


bool
readers_hurry(const struct readers *p)
{
    return atomic_load_explicit(&p->hurry, memory_order_relaxed);
}


static void
reader_thread(void *data)
{
    struct readers *p = data;
    struct read_job *j;

    uv_mutex_lock(&p->lock);

    for (;;) {
        while (p->todo == NULL && !p->stop) {
            uv_cond_wait(&p->wake, &p->lock);
        }

        if (p->stop) {
            break;
        }

        j = p->todo;
        p->todo = j->next;
        p->n_todo--;

        if (p->todo == NULL) {
            p->todo_last = &p->todo;
        }

        uv_mutex_unlock(&p->lock);
        reader_run(p, j);
        uv_mutex_lock(&p->lock);

        reader_ended(p, j);
    }

    uv_mutex_unlock(&p->lock);
}


static void
reader_ended(struct readers *p, struct read_job *j)
{
    bool first = p->ended == NULL;

    j->next = NULL;
    *p->ended_last = j;
    p->ended_last = &j->next;

    if (first) {
        wake_send(p->ended_wake);
    }
}


static void
reader_run(struct readers *p, struct read_job *j)
{
    struct reader r = {p->ops, NULL, p};

    uv_rwlock_rdlock(&p->engine_lock);
    r.engine = p->engine;
    j->status = r.engine == NULL ? -1 : j->run(j, &r);
    uv_rwlock_rdunlock(&p->engine_lock);
}
