/*
 * What every role process of chatd shares: its title, its signals and the
 * socket to the parent (descriptor 3), whose end is the role's end.  The
 * lines on that socket are private to role.c and parent.c.
 *
 * One role a process, so this is a singleton.  main() calls worker_main or
 * store_main with the config; that makes a loop, calls role_init, runs the
 * loop, and its return value is the exit status.
 */

#ifndef WORKERS_ROLE_H
#define WORKERS_ROLE_H

#include <uv.h>

#include "log.h"
#include "settings.h"

#define ROLE_PARENT_FD 3

/* Exit status of a role that can do nothing until an administrator acts; it
 * has said why with log_error.  The parent tries again, ever more slowly. */
#define ROLE_EXIT_UNUSABLE 3

enum role_type {
    ROLE_WORKER,
    ROLE_STORE,
};

/* Lives as long as the process. */
struct role_config {
    enum role_type type;
    unsigned index;       /* of a worker: 0 ... n_workers - 1               */
    unsigned starts;      /* how often this role was started, this one too  */
    const char *run_dir;  /* absolute                                       */
    const char *log_path; /* NULL: stderr                                   */
    struct settings settings;
};

struct role_handlers {
    /*
     * The parent is gone or asks for an end: close everything, then call
     * role_close and let the loop run out.  Called once.  A role that has
     * not ended ROLE_STOP_S seconds later is killed.
     */
    void (*stop)(void *data);

    /* Generation or hash changed; n_workers and store never do. */
    void (*settings_changed)(const struct settings *s, void *data);

    /* Worker 0: a line of another process for nginx's error log. */
    void (*notice)(enum log_level level, const char *line, void *data);

    void *data;
};

#define ROLE_STOP_S 5

/* Sets signals and starts to listen to the parent.  Handlers are copied;
 * NULL ones are left out.  0, or -1 (logged). */
int role_init(uv_loop_t *loop, const struct role_config *c,
              const struct role_handlers *handlers);

/* Closes what role_init opened, so that the loop can end. */
void role_close(void);

/* A worker's nginx links, each time the number changes. */
void role_report_links(unsigned n);

/* A peer knows a newer generation: the parent should read the settings. */
void role_request_settings(void);

/* Passes a line on to worker 0's notice handler, by way of the parent.  Safe
 * before role_init and as a log_hook (data unused). */
void role_report(enum log_level level, const char *line, void *data);

/*
 * Listens on run_dir/name, replacing what is there at once, never leaving the
 * name without a listener.  0, or -1 (logged; the pipe is closed already).
 */
int role_listen(uv_loop_t *loop, const struct role_config *c, const char *name,
                uv_pipe_t *pipe, uv_connection_cb on_connection);

/* The same for a socket that is its owner's alone. */
int role_listen_private(uv_loop_t *loop, const struct role_config *c,
                        const char *name, uv_pipe_t *pipe,
                        uv_connection_cb on_connection);

#endif
