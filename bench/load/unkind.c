/*
 * Clients that a server has to keep from spoiling it for the others: one who
 * reads nothing, and one who reads all of a big inbox again and again.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "crowd.h"
#include "report.h"

#define UNKIND_CONNECT_S 30
#define UNKIND_TURN_NS   10000000u

struct deaf {
    struct crowd crowd; /* client 0 reads nothing */
    const struct options *o;
    uint64_t next, acked;
    struct buf text, to;
};


static void
deaf_send(struct deaf *d, struct client *c)
{
    struct text text = {
        .run = d->o->run, .seq = ++d->next, .len = d->o->text_len};

    text.to = buf_str(&d->to);
    buf_reset(&d->text, d->text.cap);
    d->o->dialect->send(&d->text, &text);
    conn_send(&d->crowd.loop, &c->conn, buf_str(&d->text));
}


static void
deaf_note(struct client *c, const struct note *n, void *data)
{
    struct deaf *d = data;

    if (n->kind == NOTE_ACK) {
        d->acked++;
        deaf_send(d, c);
    }
}


static void
deaf_measure(struct deaf *d, struct report *r)
{
    struct client *first = &d->crowd.clients[0];
    char name[64];

    /* its socket's buffers fill up, and then the server's */
    epoll_ctl(d->crowd.loop.epoll, EPOLL_CTL_DEL, first->conn.fd, NULL);
    crowd_name(&d->crowd, 0, name);
    d->o->dialect->put_user(&d->to, name);

    for (size_t i = 1; i < d->crowd.n; i++) {
        for (unsigned k = 0; k < d->o->window; k++) {
            deaf_send(d, &d->crowd.clients[i]);
        }
    }

    crowd_rest(&d->crowd, d->o->seconds);
    report_add(r, "messages_per_s", (double) d->acked / d->o->seconds);
}


int
deaf_run(const struct options *o, struct report *r)
{
    struct deaf *d = calloc(1, sizeof(*d));
    int status = -1;

    if (d == NULL) {
        return -1;
    }

    d->o = o;

    if (crowd_open(&d->crowd, o, o->n + 1) == 0) {
        d->crowd.note = deaf_note;
        d->crowd.data = d;

        if (crowd_connect(&d->crowd, 0, o->n + 1, UNKIND_CONNECT_S) == 0) {
            deaf_measure(d, r);
            status = 0;
        }

        crowd_close(&d->crowd);
    }

    buf_clear(&d->text);
    buf_clear(&d->to);
    free(d);
    return status;
}


struct resync {
    struct crowd crowd;
    uint64_t events;
};


static void
resync_note(struct client *c, const struct note *n, void *data)
{
    struct resync *s = data;

    (void) c;
    s->events += n->kind != NOTE_READY;
}


static int
resync_measure(struct resync *s, const struct options *o, struct report *r)
{
    uint64_t end = clock_ns() + (uint64_t) (o->seconds * 1e9), rounds = 0;

    while (clock_ns() < end && broken_count() == 0) {
        for (size_t i = 0; i < s->crowd.n; i++) {
            struct client *c = &s->crowd.clients[i];

            if (c->ready && c->inbox_id < c->newest) {
                continue;
            }

            rounds += c->ready;
            crowd_disconnect(&s->crowd, i, 1);
            c->after = 0;

            if (crowd_connect(&s->crowd, i, 1, UNKIND_CONNECT_S) != 0) {
                return -1;
            }
        }

        loop_turn(&s->crowd.loop, clock_ns() + UNKIND_TURN_NS);
    }

    report_add(r, "inboxes_read", (double) rounds);
    report_add(r, "events_per_s", (double) s->events / o->seconds);
    return 0;
}


int
resync_run(const struct options *o, struct report *r)
{
    struct resync *s = calloc(1, sizeof(*s));
    int status = -1;

    if (s == NULL) {
        return -1;
    }

    if (crowd_open(&s->crowd, o, o->n) == 0) {
        s->crowd.note = resync_note;
        s->crowd.data = s;
        status = resync_measure(s, o, r);
        crowd_close(&s->crowd);
    }

    free(s);
    return status;
}
