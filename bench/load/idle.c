/*
 * A crowd that does nothing but answer pings, held for a time or until
 * whoever started this program has measured what it wanted.
 */

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "crowd.h"
#include "report.h"

#define IDLE_CONNECT_S 600
#define IDLE_TURN_S    0.1


/* Something came from whoever holds the other end, or its end. */
static bool
idle_released(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&in, 1, 0) != 0;
}


int
idle_run(const struct options *o, struct report *r)
{
    struct crowd w = {0};
    uint64_t start;

    if (crowd_open(&w, o, o->n) != 0) {
        return -1;
    }

    for (size_t i = 0; i < o->n; i++) {
        w.clients[i].topic = (uint32_t) i;
    }

    /* who holds many may have asked for more at once than is to be had */
    w.retry = o->hold;
    start = clock_ns();

    if (crowd_connect(&w, 0, o->n, IDLE_CONNECT_S) != 0) {
        crowd_close(&w);
        return -1;
    }

    w.retry = false;
    report_add(r, "connections", o->n);
    report_add(r, "connects_per_s", o->n * 1e9 / (double) (clock_ns() - start));

    if (o->hold) {
        printf("ready %zu\n", w.n_ready);
        fflush(stdout);

        while (!idle_released()) {
            crowd_rest(&w, IDLE_TURN_S);
        }

        printf("left %zu\n", w.n_ready);
        fflush(stdout);
    } else {
        crowd_rest(&w, o->seconds);
    }

    if (w.n_ready != o->n) {
        broken("%zu of %u connections are left", w.n_ready, o->n);
    }

    crowd_close(&w);
    return 0;
}
