/*
 * The clients of crowd.h.
 */

#include "crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"

/* so many connections leave from one loopback address; several processes at
 * a time do not share any */
#define CROWD_PER_SOURCE  8000
#define CROWD_SOURCE      0x7f000101u
#define CROWD_SOURCE_BITS 5
#define CROWD_PID_MASK    0x3ffffu

#define CROWD_BACKOFF_NS 50000000u
#define CROWD_STUCK_NS   3000000000u
#define CROWD_TURN_NS    10000000u

/* what an idle server may use in a fifth of a second */
#define CROWD_IDLE_NS 20000000u
#define CROWD_QUIET_S 300

#define CROWD_REFUSALS_TOLD 3

static void crowd_on_opened(struct conn *conn, struct str head, void *data);
static void crowd_on_message(struct conn *conn, struct str text, void *data);
static void crowd_on_closed(struct conn *conn, const char *why, void *data);

static const struct conn_events crowd_events = {
    crowd_on_opened,
    crowd_on_message,
    crowd_on_closed,
    NULL,
};


int
crowd_open(struct crowd *w, const struct options *o, size_t n)
{
    if (loop_open(&w->loop) != 0) {
        return -1;
    }

    w->loop.events = &crowd_events;
    w->loop.data = w;
    w->o = o;
    w->n = n;
    w->source = CROWD_SOURCE
                + (((uint32_t) getpid() & CROWD_PID_MASK) << CROWD_SOURCE_BITS);
    w->clients = calloc(n, sizeof(*w->clients));
    w->queue = calloc(n, sizeof(*w->queue));

    if (w->clients == NULL || w->queue == NULL) {
        fprintf(stderr, "load: out of memory\n");
        crowd_close(w);
        return -1;
    }

    for (size_t i = 0; i < n; i++) {
        w->clients[i].after = -1;
    }

    return 0;
}


void
crowd_close(struct crowd *w)
{
    if (w->clients != NULL) {
        crowd_disconnect(w, 0, w->n);
    }

    loop_close(&w->loop);
    free(w->clients);
    free(w->queue);
    w->clients = NULL;
    w->queue = NULL;
}


void
crowd_name(const struct crowd *w, size_t i, char name[64])
{
    snprintf(name, 64, "%s%zu", w->o->prefix, i);
}


static void
crowd_enqueue(struct crowd *w, size_t i)
{
    w->queue[(w->queue_first + w->queue_len) % w->n] = (uint32_t) i;
    w->queue_len++;
}


static int
crowd_start(struct crowd *w, size_t i)
{
    struct client *c = &w->clients[i];
    struct address a = {.host = w->o->host,
                        .publish = c->publish,
                        .key = w->o->key.data == NULL ? NULL : &w->o->key,
                        .after = c->after};
    char name[64], topic[64];
    struct buf request;
    int status;

    crowd_name(w, i, name);
    snprintf(topic, sizeof(topic), "%s%u", w->o->prefix, c->topic);
    a.user = name;
    a.topic = topic;
    c->stream = (struct stream){0};

    buf_init(&request);
    w->o->dialect->request(&request, &a);
    status = conn_open(&w->loop, &c->conn, &w->o->to,
                       w->source + (uint32_t) (i / CROWD_PER_SOURCE),
                       buf_str(&request));
    buf_clear(&request);

    if (status != 0) {
        fprintf(stderr, "load: connection %zu: %s\n", i, strerror(errno));
    } else {
        w->n_opening++;
    }

    return status;
}


int
crowd_open_queued(struct crowd *w)
{
    while (w->queue_len > 0 && w->n_opening < w->o->in_flight
           && w->loop.now_ns >= w->not_before_ns) {
        uint32_t i = w->queue[w->queue_first];

        w->queue_first = (w->queue_first + 1) % w->n;
        w->queue_len--;

        if (crowd_start(w, i) != 0) {
            return -1;
        }
    }

    return 0;
}


void
crowd_return(struct crowd *w, size_t i)
{
    w->clients[i].after = (int64_t) w->clients[i].inbox_id;
    crowd_enqueue(w, i);
}


/* ejabberd now and then loses the first stanza of a connection. */
static void
crowd_reopen_stuck(struct crowd *w, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        struct client *c = &w->clients[i];

        if (!c->ready && c->conn.state != CONN_CLOSED) {
            conn_close(&w->loop, &c->conn);
            w->n_opening--;
            crowd_enqueue(w, i);
        }
    }
}


/* How far the first is who is missing. */
static void
crowd_tell_late(const struct crowd *w, size_t first, size_t n, size_t missing,
                double seconds)
{
    size_t i = first;

    while (i + 1 < first + n && w->clients[i].ready) {
        i++;
    }

    fprintf(stderr,
            "load: %zu of %zu not connected in %.0f s; client %zu: state %d, "
            "step %u of its login\n",
            missing, n, seconds, i, (int) w->clients[i].conn.state,
            w->clients[i].stream.step);
}


int
crowd_connect(struct crowd *w, size_t first, size_t n, double seconds)
{
    uint64_t end = clock_ns() + (uint64_t) (seconds * 1e9);
    uint64_t refused = w->n_refused;
    uint64_t stuck = clock_ns() + CROWD_STUCK_NS;
    size_t wanted = w->n_ready + n, was_ready = w->n_ready;

    for (size_t i = first; i < first + n; i++) {
        crowd_enqueue(w, i);
    }

    while (w->n_ready < wanted) {
        if (w->loop.now_ns > end) {
            crowd_tell_late(w, first, n, wanted - w->n_ready, seconds);
            return -1;
        }

        if (w->n_refused > refused && !w->retry) {
            return -1;
        }

        if (w->n_ready != was_ready) {
            was_ready = w->n_ready;
            stuck = w->loop.now_ns + CROWD_STUCK_NS;

        } else if (w->loop.now_ns > stuck && w->o->dialect->login != NULL) {
            crowd_reopen_stuck(w, first, n);
            stuck = w->loop.now_ns + CROWD_STUCK_NS;
        }

        if (crowd_open_queued(w) != 0) {
            return -1;
        }

        loop_turn(&w->loop, clock_ns() + CROWD_TURN_NS);
    }

    return 0;
}


int
crowd_wait(struct crowd *w, const size_t *value, size_t wanted, double seconds)
{
    uint64_t end = clock_ns() + (uint64_t) (seconds * 1e9);

    while (*value < wanted) {
        if (clock_ns() > end) {
            return -1;
        }

        loop_turn(&w->loop, clock_ns() + CROWD_TURN_NS);
    }

    return 0;
}


void
crowd_rest(struct crowd *w, double seconds)
{
    uint64_t end = clock_ns() + (uint64_t) (seconds * 1e9);

    while (clock_ns() < end) {
        loop_turn(&w->loop, end);
    }
}


void
crowd_quiet(struct crowd *w)
{
    uint64_t before, after = processes_cpu_ns(&w->o->servers);

    for (int i = 0; i < 5 * CROWD_QUIET_S && !w->o->beside; i++) {
        before = after;
        crowd_rest(w, 0.2);
        after = processes_cpu_ns(&w->o->servers);

        if (after - before <= CROWD_IDLE_NS) {
            return;
        }
    }

    w->restless = !w->o->beside;
}


void
crowd_disconnect(struct crowd *w, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++) {
        struct client *c = &w->clients[i];

        conn_close(&w->loop, &c->conn);

        if (c->ready) {
            c->ready = false;
            w->n_ready--;
        }
    }
}


static void
crowd_ready(struct crowd *w, struct client *c)
{
    c->ready = true;
    w->n_ready++;
    w->n_opening--;
}


/* A step on the way from the upgrade to ready. */
static void
crowd_login(struct crowd *w, struct client *c, struct str message)
{
    size_t i = crowd_index(w, c);
    struct buf out;
    char name[64];
    int status;

    crowd_name(w, i, name);
    buf_init(&out);
    status = w->o->dialect->login(&out, name, &c->stream, message);

    if (out.len > 0) {
        conn_send(&w->loop, &c->conn, buf_str(&out));
    }

    buf_clear(&out);

    if (status > 0) {
        crowd_ready(w, c);
    } else if (status < 0) {
        broken("client %zu is refused: %.*s", i,
               (int) (message.len < 200 ? message.len : 200), message.data);
    }
}


static void
crowd_on_opened(struct conn *conn, struct str head, void *data)
{
    (void) head;

    struct crowd *w = data;

    if (w->o->dialect->login != NULL) {
        crowd_login(w, (struct client *) conn, (struct str){NULL, 0});
    } else if (!w->o->dialect->sequenced) {
        crowd_ready(w, (struct client *) conn);
    }
}


/* session.ready is the first message; what comes then is its sequence. */
static bool
crowd_check(struct crowd *w, struct client *c, const struct note *n)
{
    size_t i = crowd_index(w, c);

    if (!c->ready) {
        if (n->kind != NOTE_READY) {
            broken("client %zu: the first message is not session.ready", i);
            return false;
        }

        c->newest = n->inbox_id;
        c->inbox_id = c->after < 0 ? n->inbox_id : (uint64_t) c->after;
        crowd_ready(w, c);
        return true;
    }

    if (n->inbox_id == 0) {
        return true;
    }

    if (n->inbox_id != c->inbox_id + 1) {
        broken("client %zu: inbox id %llu after %llu", i,
               (unsigned long long) n->inbox_id,
               (unsigned long long) c->inbox_id);
    }

    c->inbox_id = n->inbox_id;
    return true;
}


/* A server that waits too long for it ends the stream. */
static void
crowd_answer(struct crowd *w, struct client *c)
{
    struct buf out;

    buf_init(&out);
    w->o->dialect->answer(&out, &c->stream);
    conn_send(&w->loop, &c->conn, buf_str(&out));
    buf_clear(&out);
}


static void
crowd_on_message(struct conn *conn, struct str text, void *data)
{
    struct crowd *w = data;
    struct client *c = (struct client *) conn;
    struct note n;

    if (w->o->dialect->login != NULL && !c->ready) {
        crowd_login(w, c, text);
        return;
    }

    w->o->dialect->read(&c->stream, text, &n);

    if (n.kind == NOTE_ERROR) {
        broken("client %zu: %.*s", crowd_index(w, c),
               (int) (text.len < 200 ? text.len : 200), text.data);
        return;
    }

    if (w->o->dialect->sequenced && !crowd_check(w, c, &n)) {
        return;
    }

    if (n.kind == NOTE_ASKED) {
        crowd_answer(w, c);
        return;
    }

    if (w->note != NULL) {
        w->note(c, &n, w->data);
    }
}


static void
crowd_on_closed(struct conn *conn, const char *why, void *data)
{
    struct crowd *w = data;
    struct client *c = (struct client *) conn;

    bool was_ready = c->ready;

    w->n_refused++;

    if (was_ready) {
        c->ready = false;
        w->n_ready--;
    } else {
        w->n_opening--;
    }

    if (w->retry) {
        w->not_before_ns = clock_ns() + CROWD_BACKOFF_NS;
        crowd_enqueue(w, crowd_index(w, c));

    } else if (was_ready) {
        broken("client %zu: %s", crowd_index(w, c), why);

    } else if (w->n_refused <= CROWD_REFUSALS_TOLD) {
        fprintf(stderr, "load: client %zu: %s\n", crowd_index(w, c), why);
    }
}
