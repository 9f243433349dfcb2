/*
 * How long the turns of a worker's loop are: the time that whoever comes next
 * may have to wait.
 */

#ifndef WORKERS_TURN_H
#define WORKERS_TURN_H

#include <stdint.h>

#include <uv.h>

/* Embedded; data of the handle is its own. */
struct turn {
    uv_prepare_t prepare;
    uint64_t at_ns;
    uint64_t idle_ns; /* up to then */
    uint64_t minute_ms;
    uint64_t longest_us[2]; /* of this minute and the one before */
};

/* 0, or -1: libuv cannot. */
int turn_init(struct turn *t, uv_loop_t *loop);
void turn_close(struct turn *t);

/* Of the last minute or two. */
uint64_t turn_longest_us(const struct turn *t);

#endif
