/*
 * How long the turns of a worker's loop are: the time that whoever comes next
 * may have to wait; and how much of the processor they take, which tells the
 * loop's own work from others who want the processor, too.  One a process.
 */

#ifndef WORKERS_TURN_H
#define WORKERS_TURN_H

#include <stdint.h>

#include <uv.h>

/* Embedded; data of the handle is its own. */
struct turn {
    uv_prepare_t prepare;
    uv_check_t check;
    uint64_t began_ns; /* 0: not yet */
    uint64_t cpu_ns;   /* of the loop's thread, up to the last turn's end */
    uint64_t minute_ms;
    uint64_t longest_us[2]; /* of this minute and the one before */
    uint64_t longest_cpu_us[2];
};

/* 0, or -1: libuv cannot. */
int turn_init(struct turn *t, uv_loop_t *loop);
void turn_close(struct turn *t);

/* Something was woken up for: whatever reads calls it first.  Also where no
 * turns are measured. */
void turn_began(void);

/* Of the last minute or two. */
uint64_t turn_longest_us(const struct turn *t);
uint64_t turn_longest_cpu_us(const struct turn *t);

#endif
