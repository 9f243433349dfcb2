/*
 * The run directory of a pool: its lock, its pid file, its sockets.  The lock
 * is the parent's alone and goes with it, however it ends.
 */

#ifndef WORKERS_RUNDIR_H
#define WORKERS_RUNDIR_H

#include <limits.h>

/* A socket's path has at most 107 bytes: /worker-63.sock.4194304 fits. */
#define RUNDIR_PATH_MAX 84

struct rundir {
    char path[PATH_MAX]; /* absolute */
    int lock;            /* descriptor */
};

/*
 * Makes the directory if it is not there.  0, or -1 after log_error (to
 * stderr, when no log is open yet) saying why.
 */
int rundir_open(struct rundir *r, const char *path);

/* Takes the lock.  0, or -1 after saying who has it. */
int rundir_lock(struct rundir *r);

/* Writes chatd.pid; a failure is logged and left at that. */
void rundir_write_pid(const struct rundir *r);

/* Removes the sockets an earlier pool or this one has left. */
void rundir_clean_sockets(const struct rundir *r);

/* Removes the pid file, frees the lock. */
void rundir_close(struct rundir *r);

#endif
