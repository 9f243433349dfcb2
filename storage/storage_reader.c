/* See storage_reader.h. */

#include "storage_reader.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <uv.h>

#include "storage_wake.h"

#define READERS_QUEUE (1u << 18)

/* Threads for what messages wait for, and for the rest. */
#define READERS_URGENT 3
#define READERS_OTHER  4

/* A job that gives way rests as long as it ran, but no longer than that. */
#define READERS_REST_MAX_NS 20000000u

/* Brief jobs that a thread takes at a time: a wake costs more than they do. */
#define READERS_TAKE 16

/* In the order given. */
struct read_queue {
    struct readers *pool;
    uv_cond_t wake;
    struct read_job *todo, **last;
    unsigned n_threads, n_named;
    uv_thread_t threads[READERS_OTHER];
};

struct readers {
    const struct engine_ops *ops;
    struct wake *ended_wake;

    /* Held for reading by a job that runs, for writing by a change. */
    uv_rwlock_t engine_lock;
    struct engine *engine;

    uv_mutex_t lock; /* of all below */
    struct read_queue urgent, other;
    struct read_job *ended, **ended_last;
    size_t n_todo;
    bool stop;
    atomic_bool hurry;
};

static int queue_init(struct read_queue *q, struct readers *p);
static unsigned queue_start(struct read_queue *q, unsigned n);
static void queue_join(struct read_queue *q);
static void queue_fail(struct read_queue *q);
static void reader_thread(void *data);
static struct read_job *reader_take(struct read_queue *q);
static void reader_ended(struct readers *p, struct read_job *list,
                         struct read_job **last);
static struct read_job **reader_run(struct readers *p, struct read_job *list);
static void reader_rest(const struct readers *p, uint64_t ns);


struct readers *
readers_create(const struct engine_ops *ops, struct wake *wake)
{
    struct readers *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }

    p->ops = ops;
    p->ended_wake = wake;
    p->ended_last = &p->ended;

    if (uv_rwlock_init(&p->engine_lock) != 0) {
        free(p);
        return NULL;
    }

    if (uv_mutex_init(&p->lock) != 0) {
        goto no_lock;
    }

    if (queue_init(&p->urgent, p) != 0) {
        goto no_urgent;
    }

    if (queue_init(&p->other, p) != 0) {
        goto no_other;
    }

    if (queue_start(&p->urgent, READERS_URGENT) == 0
        || queue_start(&p->other, READERS_OTHER) == 0) {
        readers_free(p);
        return NULL;
    }

    return p;

no_other:
    uv_cond_destroy(&p->urgent.wake);
no_urgent:
    uv_mutex_destroy(&p->lock);
no_lock:
    uv_rwlock_destroy(&p->engine_lock);
    free(p);
    return NULL;
}


static int
queue_init(struct read_queue *q, struct readers *p)
{
    q->pool = p;
    q->last = &q->todo;
    return uv_cond_init(&q->wake);
}


/* How many of the n threads could be had. */
static unsigned
queue_start(struct read_queue *q, unsigned n)
{
    while (q->n_threads < n
           && uv_thread_create(&q->threads[q->n_threads], reader_thread, q)
                  == 0) {
        q->n_threads++;
    }

    return q->n_threads;
}


void
readers_stop(struct readers *p)
{
    atomic_store(&p->hurry, true);

    uv_mutex_lock(&p->lock);
    p->stop = true;
    uv_cond_broadcast(&p->urgent.wake);
    uv_cond_broadcast(&p->other.wake);
    uv_mutex_unlock(&p->lock);

    /* what still runs adds to what has ended: first all of it has to end */
    queue_join(&p->urgent);
    queue_join(&p->other);
    queue_fail(&p->urgent);
    queue_fail(&p->other);
}


static void
queue_join(struct read_queue *q)
{
    unsigned i;

    for (i = 0; i < q->n_threads; i++) {
        uv_thread_join(&q->threads[i]);
    }

    q->n_threads = 0;
}


/* Jobs that nobody has begun. */
static void
queue_fail(struct read_queue *q)
{
    struct read_job *j;

    for (j = q->todo; j != NULL; j = j->next) {
        j->status = -1;
    }

    if (q->todo != NULL) {
        *q->pool->ended_last = q->todo;
        q->pool->ended_last = q->last;
        q->todo = NULL;
        q->last = &q->todo;
    }
}


void
readers_free(struct readers *p)
{
    if (p == NULL) {
        return;
    }

    readers_stop(p);
    uv_cond_destroy(&p->urgent.wake);
    uv_cond_destroy(&p->other.wake);
    uv_mutex_destroy(&p->lock);
    uv_rwlock_destroy(&p->engine_lock);
    free(p);
}


void
readers_submit(struct readers *p, struct read_job *j)
{
    struct read_queue *q = j->brief || j->urgent ? &p->urgent : &p->other;

    j->next = NULL;
    j->status = -1;

    uv_mutex_lock(&p->lock);

    if (p->n_todo < READERS_QUEUE && !p->stop) {
        *q->last = j;
        q->last = &j->next;
        p->n_todo++;

        /* Behind the first: who takes that one wakes another for the rest. */
        if (q->todo == j || !j->brief) {
            uv_cond_signal(&q->wake);
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
    struct read_queue *q = data;
    struct readers *p = q->pool;
    struct read_job *j, **last;
    char name[16];

    uv_mutex_lock(&p->lock);

    /* LevelDB's own thread has the name of whoever needed it first: it shows
     * as the second of one name */
    snprintf(name, sizeof(name), "chatd-%s-%u",
             q == &p->other ? "pages" : "loads", ++q->n_named);
    prctl(PR_SET_NAME, name);

    for (;;) {
        while (q->todo == NULL && !p->stop) {
            uv_cond_wait(&q->wake, &p->lock);
        }

        if (p->stop) {
            break;
        }

        j = reader_take(q);

        if (q->todo != NULL) {
            uv_cond_signal(&q->wake);
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
reader_take(struct read_queue *q)
{
    struct read_job *first = q->todo, **last = &q->todo;
    unsigned n = 0;

    do {
        last = &(*last)->next;
        n++;
    } while (first->brief && *last != NULL && (*last)->brief
             && n < READERS_TAKE);

    q->todo = *last;
    *last = NULL;
    q->pool->n_todo -= n;

    if (q->todo == NULL) {
        q->last = &q->todo;
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
    uint64_t begun = uv_hrtime();
    bool gives_way = list->gives_way;

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

    if (gives_way) {
        reader_rest(p, uv_hrtime() - begun);
    }

    return last;
}


static void
reader_rest(const struct readers *p, uint64_t ns)
{
    struct timespec t = {.tv_nsec = ns < READERS_REST_MAX_NS
                                        ? (long) ns
                                        : (long) READERS_REST_MAX_NS};

    if (!readers_hurry(p)) {
        (void) nanosleep(&t, NULL);
    }
}
