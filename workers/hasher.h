/*
 * The thread that judges passwords and makes what is kept of them, one for a
 * pool (worker 0), with a queue of its own: neither an event loop nor libuv's
 * threads ever wait for scrypt.
 *
 * It runs in SCHED_BATCH, its nice value 10 more than the loop's: what comes in
 * on a loop of a busy machine takes the processor from it at once, and under
 * full load it still gets about a tenth of one, so that a log-in takes a second
 * and not for ever, as in SCHED_IDLE.
 */

#ifndef WORKERS_HASHER_H
#define WORKERS_HASHER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "secret.h"

#define HASHER_QUEUE_MAX 100 /* jobs that wait, the one at work not counted */

#define PASSWORD_MIN 8 /* bytes */
#define PASSWORD_MAX 1024

struct hasher;
struct uv_loop_s;

/*
 * First, where there is a secret, the password is held against it; then, when
 * it was good or there is none, a secret is made of `fresh`, where there is
 * one.  Embedded in what the owner keeps; the texts are cleansed by whoever
 * frees that.
 */
struct hasher_job {
    TAILQ_ENTRY(hasher_job) link;
    void (*done)(struct hasher_job *j);
    char secret[SECRET_SIZE]; /* with a NUL; empty: none     */
    size_t password_len;
    size_t fresh_len; /* 0: none                     */
    enum secret_result result;
    bool weak;
    char made[SECRET_SIZE]; /* of fresh; empty when it failed */
    char password[PASSWORD_MAX];
    char fresh[PASSWORD_MAX];
};

struct hasher *hasher_create(struct uv_loop_s *loop); /* NULL: no memory */

/* done is called on the loop, after return.  -1: the queue is full, there is no
 * thread to be had, or h is NULL. */
int hasher_submit(struct hasher *h, struct hasher_job *j);

/*
 * Waits for the job at work; it and those that were not begun are done with
 * SECRET_FAILED, before return.  The memory goes when the loop has run.
 */
void hasher_close(struct hasher *h);

#endif
