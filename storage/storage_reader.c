/* See storage_reader.h. */

#include "storage_reader.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#include "storage_wake.h"

#define READERS_THREADS 3
#define READERS_QUEUE   (1u << 18)

/* Short jobs that a thread takes at a time: a wake costs more than they do. */
#define READERS_TAKE 16

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
static struct read_job *reader_take(struct readers *p);
static void reader_ended(struct readers *p, struct read_job *list,
                         struct read_job **last);
static struct read_job **reader_run(struct readers *p, struct read_job *list);


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

        /* Behind the first: who takes that one wakes another for the rest. */
        if (p->todo == j || !j->brief) {
            uv_cond_signal(&p->wake);
        }

    } else {
        j->next = NULL;
        reader_ended(p, j, &j->next);
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


struct engine_iter *
reader_iter(const struct reader *r)
{
    if (*r->iter == NULL) {
        *r->iter = r->ops->iter_open(r->engine);
    }

    return *r->iter;
}


static void
reader_thread(void *data)
{
    struct readers *p = data;
    struct read_job *j, **last;

    uv_mutex_lock(&p->lock);

    for (;;) {
        while (p->todo == NULL && !p->stop) {
            uv_cond_wait(&p->wake, &p->lock);
        }

        if (p->stop) {
            break;
        }

        j = reader_take(p);

        if (p->todo != NULL) {
            uv_cond_signal(&p->wake);
        }

        uv_mutex_unlock(&p->lock);
        last = reader_run(p, j);
        uv_mutex_lock(&p->lock);

        reader_ended(p, j, last);
    }

    uv_mutex_unlock(&p->lock);
}


/* One job that may take long, or a few that do not, as a list. */
static struct read_job *
reader_take(struct readers *p)
{
    struct read_job *first = p->todo, **last = &p->todo;
    unsigned n = 0;

    do {
        last = &(*last)->next;
        n++;
    } while (first->brief && *last != NULL && (*last)->brief
             && n < READERS_TAKE);

    p->todo = *last;
    *last = NULL;
    p->n_todo -= n;

    if (p->todo == NULL) {
        p->todo_last = &p->todo;
    }

    return first;
}


/* last: where the list ends. */
static void
reader_ended(struct readers *p, struct read_job *list, struct read_job **last)
{
    bool first = p->ended == NULL;

    *p->ended_last = list;
    p->ended_last = last;

    if (first) {
        wake_send(p->ended_wake);
    }
}


/* Returns where the list ends. */
static struct read_job **
reader_run(struct readers *p, struct read_job *list)
{
    struct engine_iter *iter = NULL;
    struct reader r = {p->ops, NULL, p, &iter};
    struct read_job *j, **last = &list->next;

    uv_rwlock_rdlock(&p->engine_lock);
    r.engine = p->engine;

    for (j = list; j != NULL; j = j->next) {
        j->status = r.engine == NULL ? -1 : j->run(j, &r);
        last = &j->next;

        /* What has met an error may go on telling it. */
        if (iter != NULL && (j->status != 0 || j->next == NULL)) {
            r.ops->iter_close(iter);
            iter = NULL;
        }
    }

    uv_rwlock_rdunlock(&p->engine_lock);
    return last;
}
