/*
 * One end of the socket between the parent and a role: short lines of text,
 * both ways.  Embedded by child.c (the parent's end) and role.c (the role's);
 * the end of the socket is the end of the role.
 *
 *   to the role      settings GENERATION HASH PRESENCE_TIMEOUT CACHE
 *                                               they changed
 *                    reopen                      the log file
 *                    notice LEVEL TEXT           for nginx's error log
 *   to the parent    links N                     open nginx links
 *                    settings                    please read them again
 *                    notice LEVEL TEXT           pass it to worker 0
 */

#ifndef WORKERS_CONTROL_H
#define WORKERS_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#define CONTROL_LINE_MAX 4096

struct control {
    uv_pipe_t pipe;
    void (*line)(char *line, void *data); /* without its newline */
    void (*end)(void *data);              /* once; the pipe is still open */
    void (*closed)(void *data);
    void *data;
    char in[CONTROL_LINE_MAX];
    size_t in_len;
    bool too_long; /* the line being read is dropped */
};

/* Prepares c->pipe, to be opened by uv_pipe_open or uv_spawn. */
void control_init(struct control *c, uv_loop_t *loop);

/* Starts to read; line, end and data must be set.  0, or -1 (logged). */
int control_start(struct control *c);

/* Sends one line, newline added.  Best effort: dropped when the other side
 * has not read for long, or there is no memory. */
void control_send(struct control *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* closed (may be NULL) comes in a later turn of the loop. */
void control_close(struct control *c);

#endif
