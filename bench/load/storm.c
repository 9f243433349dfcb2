/*
 * All clients lose their connection, miss messages, and come back at once
 * with their cursors.  Measured is the time until each has all it missed;
 * the crowd checks that it comes gapless, and here it is counted.  With -B
 * whoever started this kills the server in between: see storm_stop.
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crowd.h"
#include "histogram.h"
#include "report.h"

#define STORM_CONNECT_S 120
#define STORM_SYNC_S    120
#define STORM_SENDERS   16
#define STORM_WINDOW    64

struct storm {
    struct crowd crowd; /* o->n receivers, then the senders */
    const struct options *o;
    bool back; /* the storm is on */
    size_t n_synced;
    uint64_t n_missed; /* messages told to those who are back */
    uint64_t start_ns;
    uint64_t to_send, next;
    size_t done; /* as size_t for crowd_wait */
    struct histogram sync;
    struct buf text, to;
};


/* Message k of the backlog goes to receiver k mod n, by sender k mod S, so
 * that each receiver's come from one sender when S divides n. */
static void
storm_send(struct storm *s, size_t sender)
{
    struct client *c = &s->crowd.clients[s->o->n + sender];
    struct text text = {
        .run = s->o->run, .seq = s->next + 1, .len = s->o->text_len};
    char name[64];

    if (s->next == s->to_send) {
        return;
    }

    crowd_name(&s->crowd, s->next % s->o->n, name);
    buf_reset(&s->to, s->to.cap);
    buf_put_lit(&s->to, "\"to\":\"");
    buf_put(&s->to, name, strlen(name));
    buf_put_char(&s->to, '"');
    text.to = buf_str(&s->to);

    buf_reset(&s->text, s->text.cap);
    s->o->dialect->send(&s->text, &text);
    conn_send(&s->crowd.loop, &c->conn, buf_str(&s->text));
    s->next++;
}


static void
storm_note(struct client *c, const struct note *n, void *data)
{
    struct storm *s = data;
    size_t i = crowd_index(&s->crowd, c);

    if (i >= s->o->n) {
        if (n->kind == NOTE_ACK) {
            s->done++;
            storm_send(s, i - s->o->n);
        }
        return;
    }

    s->n_missed += s->back && n->kind == NOTE_MESSAGE;

    /* a client is in sync once; live messages do not count again */
    if (s->back && c->inbox_id >= c->newest && c->newest != 0) {
        c->newest = 0;
        s->n_synced++;
        histogram_add(&s->sync, clock_ns() - s->start_ns);
    }
}


/*
 * With -B: says how far it is, and turns the loop until a line comes.  By
 * then the server may have been killed, and may be up again.
 */
static int
storm_stop(struct storm *s, const char *how_far)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    char line[16];

    if (!s->o->stops) {
        return 0;
    }

    printf("%s\n", how_far);
    fflush(stdout);

    while (poll(&in, 1, 0) == 0) {
        loop_turn(&s->crowd.loop, clock_ns() + 10000000u);
    }

    if (read(STDIN_FILENO, line, sizeof(line)) <= 0) {
        fprintf(stderr, "load: nobody says go on\n");
        return -1;
    }

    return 0;
}


/* Every receiver loses its connection, and stays away. */
static int
storm_break(struct storm *s)
{
    s->crowd.retry = s->o->stops;

    if (storm_stop(s, "connected") != 0) {
        return -1;
    }

    if (s->o->stops) {
        crowd_rest(&s->crowd, 0.2);
        s->crowd.queue_len = 0;
    }

    crowd_disconnect(&s->crowd, 0, s->o->n);
    return 0;
}


static int
storm_backlog(struct storm *s)
{
    s->to_send = (uint64_t) s->o->backlog * s->o->n;

    if (crowd_connect(&s->crowd, s->o->n, STORM_SENDERS, STORM_CONNECT_S)) {
        return -1;
    }

    for (unsigned i = 0; i < STORM_SENDERS * STORM_WINDOW; i++) {
        storm_send(s, i % STORM_SENDERS);
    }

    if (crowd_wait(&s->crowd, &s->done, s->to_send, STORM_SYNC_S) != 0) {
        fprintf(stderr, "load: %zu of %llu messages sent\n", s->done,
                (unsigned long long) s->to_send);
        return -1;
    }

    crowd_disconnect(&s->crowd, s->o->n, STORM_SENDERS);

    /* with -B the server is no longer the one whose processes are known */
    if (!s->o->stops) {
        crowd_quiet(&s->crowd);
    }

    return 0;
}


static int
storm_return(struct storm *s, struct report *r)
{
    uint64_t cpu = processes_cpu_ns(&s->o->servers);

    if (storm_stop(s, "stored") != 0) {
        return -1;
    }

    for (size_t i = 0; i < s->o->n; i++) {
        s->crowd.clients[i].after = (int64_t) s->crowd.clients[i].inbox_id;
    }

    s->crowd.retry = true;
    s->crowd.n_refused = 0;
    s->back = true;
    s->start_ns = clock_ns();

    if (crowd_connect(&s->crowd, 0, s->o->n, STORM_CONNECT_S) != 0) {
        return -1;
    }

    report_add(r, "all_connected_s", (double) (clock_ns() - s->start_ns) / 1e9);

    if (crowd_wait(&s->crowd, &s->n_synced, s->o->n, STORM_SYNC_S) != 0) {
        broken("%zu of %u clients came back in sync", s->n_synced, s->o->n);
    }

    if (s->n_missed != s->to_send) {
        broken("%llu of %llu missed messages came",
               (unsigned long long) s->n_missed,
               (unsigned long long) s->to_send);
    }

    report_add(r, "all_in_sync_s", (double) (clock_ns() - s->start_ns) / 1e9);
    report_add(r, "events_synced", (double) s->to_send);
    report_add(r, "refused", (double) s->crowd.n_refused);

    if (!s->o->stops) {
        report_add(r, "server_cpu_s",
                   (double) (processes_cpu_ns(&s->o->servers) - cpu) / 1e9);
    }

    report_add_histogram(r, "in_sync", &s->sync);
    return 0;
}


int
storm_run(const struct options *o, struct report *r)
{
    struct storm *s = calloc(1, sizeof(*s));
    int status = -1;

    if (s == NULL) {
        return -1;
    }

    s->o = o;

    if (crowd_open(&s->crowd, o, o->n + STORM_SENDERS) == 0) {
        s->crowd.note = storm_note;
        s->crowd.data = s;

        if (crowd_connect(&s->crowd, 0, o->n, STORM_CONNECT_S) == 0
            && storm_break(s) == 0 && storm_backlog(s) == 0) {
            status = storm_return(s, r);
        }

        crowd_close(&s->crowd);
    }

    buf_clear(&s->text);
    buf_clear(&s->to);
    free(s);
    return status;
}
