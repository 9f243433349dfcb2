/*
 * The clients of a run: connects them, knows their sessions, and checks on
 * each that inbox ids come gapless and in order.
 */

#ifndef LOAD_CROWD_H
#define LOAD_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conn.h"
#include "dialect.h"
#include "load.h"

struct client {
    struct conn conn;
    bool ready;
    bool publish;   /* nchan                          */
    uint32_t topic; /* nchan                          */
    struct stream stream;
    int64_t after;     /* -1: live only                  */
    uint64_t newest;   /* inbox id that session.ready told */
    uint64_t inbox_id; /* of the newest event or result  */
};

struct crowd {
    struct loop loop;
    const struct options *o;
    struct client *clients;
    size_t n;
    size_t n_ready;
    uint32_t source; /* the first address to connect from */
    bool retry;      /* lost and refused connections are opened again */
    bool restless;   /* crowd_quiet has waited in vain */

    uint32_t *queue; /* clients to connect; a ring of n */
    size_t queue_first, queue_len, n_opening;
    uint64_t not_before_ns; /* after one was refused nobody tries for a while */
    uint64_t n_refused;

    /* everything that a client is told, session.ready included */
    void (*note)(struct client *c, const struct note *n, void *data);
    void *data;
};

/* 0, or -1 with a line on stderr. */
int crowd_open(struct crowd *w, const struct options *o, size_t n);
void crowd_close(struct crowd *w);

/* Connects clients first ... first + n - 1; 0 once all are ready, -1 when
 * the time is over or one was refused and retry is off. */
int crowd_connect(struct crowd *w, size_t first, size_t n, double seconds);

/* One that is not connected comes back with its cursor; it is ready some
 * turns later.  crowd_open_queued between turns sees to that. */
void crowd_return(struct crowd *w, size_t i);
int crowd_open_queued(struct crowd *w);

/* Turns the loop until *value is at least wanted: 0, or -1 after seconds. */
int crowd_wait(struct crowd *w, const size_t *value, size_t wanted,
               double seconds);

/* Turns the loop for that long, and until the servers use no CPU any more:
 * five minutes at most, or (-N) not at all. */
void crowd_rest(struct crowd *w, double seconds);
void crowd_quiet(struct crowd *w);

void crowd_disconnect(struct crowd *w, size_t first, size_t n);

/* The user name of client i. */
void crowd_name(const struct crowd *w, size_t i, char name[64]);

static inline size_t
crowd_index(const struct crowd *w, const struct client *c)
{
    return (size_t) (c - w->clients);
}

#endif
