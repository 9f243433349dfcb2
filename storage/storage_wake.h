/*
 * Wakes a loop from other threads, as uv_async does.  That makes the loop
 * spin until the sender has come back from the system call that woke it; on
 * few cores it often has to give way first, and a commit has one such call.
 */

#ifndef STORAGE_WAKE_H
#define STORAGE_WAKE_H

#include <stdatomic.h>
#include <stdbool.h>

#include <uv.h>

/* Embedded; data of the handle is its owner's. */
struct wake {
    uv_poll_t poll; /* the first member */
    int fd;
    atomic_bool sent;
    void (*woken)(struct wake *w);
};

/* 0, or -1 when the system cannot; then there is nothing to close. */
int wake_open(struct wake *w, uv_loop_t *loop, void (*woken)(struct wake *w));

/* Of any thread: woken is called on the loop, once or more often, after it. */
void wake_send(struct wake *w);

/* When nobody sends any more; closed is called in a later turn of the loop. */
void wake_close(struct wake *w, uv_close_cb closed);

#endif
