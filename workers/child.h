/*
 * The parent's view of one role: a process that is started, watched, and
 * started again when it ends.  Embedded in the parent's pool; lives as long
 * as the pool.
 */

#ifndef WORKERS_CHILD_H
#define WORKERS_CHILD_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "control.h"
#include "role.h"

enum child_state {
    CHILD_DOWN, /* not started, or waiting to be started again    */
    CHILD_RUNNING,
    CHILD_ENDING, /* its process is gone, its handles close         */
};

struct child {
    enum role_type type;
    unsigned index;
    const struct child_pool *pool;
    enum child_state state;
    bool stopping; /* is not started again */

    uv_process_t process;
    struct control control;
    uv_timer_t again;
    int n_handles; /* of the process, not yet closed */

    unsigned starts;
    uint64_t started_ms;
    unsigned delay_ms; /* before the next start */
    unsigned links;    /* a worker's open nginx links */
};

/* What all children of a parent share. */
struct child_pool {
    uv_loop_t *loop;

    /* Fills in what exec needs: file, args, env.  What it points to stays
     * until the next call. */
    void (*prepare)(const struct child *c, uv_process_options_t *o, void *data);

    void (*started)(struct child *c, void *data);
    void (*line)(struct child *c, char *line, void *data);

    /* The process has ended and all of it is closed. */
    void (*ended)(struct child *c, void *data);
    void *data;
};

void child_init(struct child *c, const struct child_pool *pool,
                enum role_type type, unsigned index);

/* "worker 1", "store": for logs and titles. */
const char *child_name(const struct child *c, char *to, size_t size);

void child_start(struct child *c);

/* Closes its socket, which asks it to end.  ended follows; for one that is
 * down, at once. */
void child_stop(struct child *c);
void child_kill(struct child *c);

/* After ended, when stopping: the rest of its handles. */
void child_close(struct child *c);

#endif
