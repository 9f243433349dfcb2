/* See hasher.h. */

#define _GNU_SOURCE

#include "hasher.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <uv.h>

#include "log.h"

#define NICE 10 /* more than the loop has */

TAILQ_HEAD(job_list, hasher_job);

struct hasher {
    uv_async_t async;
    pthread_t thread;
    bool started;
    bool stopping;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;
    struct job_list queue;
    struct job_list ended;
    unsigned n_queued;
};

static void
run(struct hasher_job *j)
{
    struct str secret = {j->secret, strlen(j->secret)};
    struct str password = {j->password, j->password_len};
    struct str fresh = {j->fresh, j->fresh_len};

    j->result = SECRET_GOOD;
    j->weak = false;
    j->made[0] = '\0';
    if (secret.len != 0) {
        j->result = secret_check(secret, password, &j->weak);
    }
    if (j->result == SECRET_GOOD && fresh.len != 0
        && secret_make(j->made, fresh) != 0) {
        j->made[0] = '\0';
        j->result = SECRET_FAILED;
    }
}

static void
lower_priority(void)
{
    struct sched_param none = {.sched_priority = 0};
    id_t self = (id_t) syscall(SYS_gettid);

    /* of this thread alone: on Linux a thread has a nice value of its own.
       Below the loop's, whatever that is; beyond 19 the kernel takes 19. */
    if (sched_setscheduler(0, SCHED_BATCH, &none) != 0
        || setpriority(PRIO_PROCESS, self,
                       getpriority(PRIO_PROCESS, self) + NICE)
               != 0) {
        log_warn("passwords are judged at normal priority");
    }
}

static void *
thread_main(void *data)
{
    struct hasher *h = data;
    struct hasher_job *j;

    prctl(PR_SET_NAME, "chatd-hasher");
    lower_priority();
    pthread_mutex_lock(&h->mutex);
    for (;;) {
        while ((j = TAILQ_FIRST(&h->queue)) == NULL && !h->stopping) {
            pthread_cond_wait(&h->wake, &h->mutex);
        }
        if (h->stopping) {
            break;
        }
        TAILQ_REMOVE(&h->queue, j, link);
        h->n_queued--;
        pthread_mutex_unlock(&h->mutex);
        run(j);
        pthread_mutex_lock(&h->mutex);
        TAILQ_INSERT_TAIL(&h->ended, j, link);
        uv_async_send(&h->async);
    }
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

static struct hasher_job *
take(struct hasher *h, struct job_list *list)
{
    struct hasher_job *j;

    pthread_mutex_lock(&h->mutex);
    j = TAILQ_FIRST(list);
    if (j != NULL) {
        TAILQ_REMOVE(list, j, link);
    }
    pthread_mutex_unlock(&h->mutex);
    return j;
}

static void
on_async(uv_async_t *async)
{
    struct hasher *h = async->data;
    struct hasher_job *j;

    while ((j = take(h, &h->ended)) != NULL) {
        j->done(j);
    }
}

struct hasher *
hasher_create(struct uv_loop_s *loop)
{
    struct hasher *h = calloc(1, sizeof(*h));

    if (h == NULL) {
        return NULL;
    }
    if (uv_async_init(loop, &h->async, on_async) != 0) {
        free(h);
        return NULL;
    }
    h->async.data = h;
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->wake, NULL);
    TAILQ_INIT(&h->queue);
    TAILQ_INIT(&h->ended);
    return h;
}

/* With the first job: most pools and all workers but one never need it. */
static int
start(struct hasher *h)
{
    sigset_t all, old;
    int rc;

    /* signals are the loop's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&h->thread, NULL, thread_main, h);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) {
        log_error("no thread for passwords: %s", strerror(rc));
        return -1;
    }
    h->started = true;
    return 0;
}

int
hasher_submit(struct hasher *h, struct hasher_job *j)
{
    bool full;

    if (h == NULL || h->stopping || (!h->started && start(h) != 0)) {
        return -1;
    }
    pthread_mutex_lock(&h->mutex);
    full = h->n_queued == HASHER_QUEUE_MAX;
    if (!full) {
        TAILQ_INSERT_TAIL(&h->queue, j, link);
        h->n_queued++;
        pthread_cond_signal(&h->wake);
    }
    pthread_mutex_unlock(&h->mutex);
    return full ? -1 : 0;
}

static void
on_closed(uv_handle_t *handle)
{
    struct hasher *h = handle->data;

    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->mutex);
    free(h);
}

static void
fail_all(struct hasher *h, struct job_list *list)
{
    struct hasher_job *j;

    while ((j = take(h, list)) != NULL) {
        j->result = SECRET_FAILED;
        j->done(j);
    }
}

void
hasher_close(struct hasher *h)
{
    if (h == NULL) {
        return;
    }
    pthread_mutex_lock(&h->mutex);
    h->stopping = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->mutex);
    if (h->started) {
        pthread_join(h->thread, NULL);
    }
    fail_all(h, &h->ended);
    fail_all(h, &h->queue);
    uv_close((uv_handle_t *) &h->async, on_closed);
}
