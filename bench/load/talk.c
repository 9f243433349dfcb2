/*
 * Senders and receivers under load.  A group has one sender; everybody else
 * in it receives; a pair is a group of two.  A message is finished when it
 * is acknowledged, where the server does that, and everybody has it.  With
 * one member there are only senders: each writes to its peers in turn, who
 * are not there, and finished is acknowledged.
 *
 * Closed loop: each sender keeps a window of unfinished messages.  Open
 * loop: message k of all has its time, start + k / rate, whatever the server
 * does, and latencies count from that time: a stall is felt by all messages
 * that should have been sent in it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "histogram.h"
#include "report.h"
#include "thread.h"

/* open loop: unfinished messages of a sender before it holds back */
#define TALK_OPEN_WINDOW 4096

/* a prime: neighbours in time are not neighbours in the store */
#define TALK_STRIDE 7919

#define TALK_CONNECT_S 30
#define TALK_DRAIN_S   20

struct slot {
    uint64_t at_ns; /* sent, or should have been */
    uint32_t left;  /* answers and deliveries    */
};

struct receiver {
    uint64_t seq; /* of the newest message */
    uint64_t message_id;
};

struct sender {
    struct client *client; /* the receivers follow it */
    struct buf to;
    struct slot *slots;
    uint64_t next;  /* message to send, from 1     */
    uint64_t low;   /* oldest unfinished           */
    uint64_t acked; /* number of messages answered */
    uint64_t due;   /* open loop: may be sent      */
};

struct talk {
    struct crowd crowd;
    const struct options *o;
    struct sender *senders;
    struct receiver *receivers; /* by client index */
    struct slot *slots;
    uint32_t slots_mask;
    uint64_t window;
    uint32_t left; /* of a new message */
    bool running;
    uint64_t start_ns;
    uint64_t n_due; /* open loop: whose time has come */
    unsigned turn;  /* open loop: the sender of the next */
    size_t n_created;
    uint64_t sent, finished, delivered;
    uint64_t counted; /* finished since the warm-up */
    uint64_t late;    /* deliveries missing at the end */
    struct histogram ack, delivery;
    struct buf text;
};


/*
 * The same order as bench/fill has, so that no peer is left out.  Senders
 * write to different peers at a time, also when each has but one.
 */
static void
talk_choose_peer(struct talk *t, struct sender *s)
{
    uint64_t peers = t->o->peers > t->o->n ? t->o->peers : t->o->n;
    uint64_t turn = s->next * TALK_STRIDE % t->o->peers;
    char name[80];

    snprintf(
        name, sizeof(name), "%sc%llu", t->o->prefix,
        (unsigned long long) ((turn + (uint64_t) (s - t->senders)) % peers));
    buf_reset(&s->to, s->to.cap);
    t->o->dialect->put_user(&s->to, name);
}


static void
talk_send(struct talk *t, struct sender *s)
{
    struct text text = {.to = buf_str(&s->to),
                        .run = t->o->run,
                        .seq = s->next,
                        .len = t->o->text_len};
    struct slot *slot = &s->slots[s->next & t->slots_mask];

    slot->left = t->left;

    if (t->o->members == 1) {
        talk_choose_peer(t, s);
        text.to = buf_str(&s->to);
    }

    if (t->o->rate == 0) {
        slot->at_ns = clock_ns();
    } else {
        uint64_t k = (s->next - 1) * t->o->n + (uint64_t) (s - t->senders);
        slot->at_ns = t->start_ns + (uint64_t) ((double) k * 1e9 / t->o->rate);
    }

    buf_reset(&t->text, t->text.cap);
    t->o->dialect->send(&t->text, &text);
    conn_send(&t->crowd.loop, &s->client->conn, buf_str(&t->text));

    if (t->o->dialect->ask.len > 0) {
        conn_send(&t->crowd.loop, &s->client->conn, t->o->dialect->ask);
    }

    s->next++;
    t->sent++;
}


static void
talk_pump(struct talk *t, struct sender *s)
{
    while (t->running && s->next - s->low < t->window
           && (t->o->rate == 0 || s->next <= s->due)) {
        talk_send(t, s);
    }
}


/* One answer or delivery of message seq came. */
static void
talk_count(struct talk *t, struct sender *s, uint64_t seq, struct histogram *h)
{
    struct slot *slot = &s->slots[seq & t->slots_mask];

    if (seq < s->low || seq >= s->next || slot->left == 0) {
        broken("sender %zu: message %llu comes once too often",
               (size_t) (s - t->senders), (unsigned long long) seq);
        return;
    }

    histogram_add(h, clock_ns() - slot->at_ns);
    slot->left--;

    while (s->low < s->next && s->slots[s->low & t->slots_mask].left == 0) {
        s->low++;
        t->finished++;
        t->counted++;
    }

    talk_pump(t, s);
}


/* One answer acknowledges all messages that came before it. */
static void
talk_taken(struct talk *t, struct client *c, uint64_t seq)
{
    size_t i = crowd_index(&t->crowd, c);
    struct sender *s = &t->senders[i / t->o->members];

    if (seq >= (c == s->client ? s->next : 1)) {
        broken("client %zu: more messages are acknowledged than it has sent",
               i);
        return;
    }

    while (s->acked < seq) {
        talk_count(t, s, ++s->acked, &t->ack);
    }
}


static void
talk_message(struct talk *t, struct client *c, const struct note *n)
{
    size_t i = crowd_index(&t->crowd, c);
    struct receiver *to = &t->receivers[i];

    if (i % t->o->members == 0 && t->o->dialect->echoes) {
        if (!t->o->dialect->acks) {
            talk_count(t, &t->senders[i / t->o->members], n->seq, &t->ack);
        }

        return;
    }

    if (i % t->o->members == 0) {
        broken("sender %zu is sent its own message %llu", i,
               (unsigned long long) n->seq);
        return;
    }

    if (n->seq != to->seq + 1) {
        broken("client %zu: message %llu after %llu", i,
               (unsigned long long) n->seq, (unsigned long long) to->seq);
    }

    if (t->o->dialect->sequenced && to->message_id != 0
        && n->message_id != to->message_id + 1) {
        broken("client %zu: message id %llu after %llu", i,
               (unsigned long long) n->message_id,
               (unsigned long long) to->message_id);
    }

    to->seq = n->seq;
    to->message_id = n->message_id;
    t->delivered++;
    talk_count(t, &t->senders[i / t->o->members], n->seq, &t->delivery);
}


static void
talk_created(struct talk *t, struct sender *s, const struct note *n)
{
    buf_reset(&s->to, s->to.cap);
    buf_put_lit(&s->to, "\"channel\":\"");
    buf_put_str(&s->to, n->channel);
    buf_put_char(&s->to, '"');
    t->n_created++;
}


static void
talk_note(struct client *c, const struct note *n, void *data)
{
    struct talk *t = data;
    size_t i = crowd_index(&t->crowd, c);
    struct sender *s = &t->senders[i / t->o->members];

    switch (n->kind) {
    case NOTE_ACK:
        s->acked++;
        talk_count(t, s, n->seq == 0 ? s->acked : n->seq, &t->ack);
        break;
    case NOTE_TAKEN:
        talk_taken(t, c, n->seq);
        break;
    case NOTE_MESSAGE:
        talk_message(t, c, n);
        break;
    case NOTE_CREATED:
        if (t->o->dialect->join != NULL) {
            t->n_created++;
        } else {
            talk_created(t, s, n);
        }
        break;
    default:
        break;
    }
}


static int
talk_open(struct talk *t, const struct options *o)
{
    size_t n = (size_t) o->n * o->members;
    uint32_t slots = 1;

    t->o = o;
    t->window = o->rate == 0 ? o->window : TALK_OPEN_WINDOW;
    t->left = o->members - 1;
    t->left += o->dialect->acks || (o->dialect->echoes && o->members > 2);

    while (slots < t->window) {
        slots *= 2;
    }

    t->slots_mask = slots - 1;
    t->slots = calloc((size_t) slots * o->n, sizeof(*t->slots));
    t->senders = calloc(o->n, sizeof(*t->senders));
    t->receivers = calloc(n, sizeof(*t->receivers));

    if (t->slots == NULL || t->senders == NULL || t->receivers == NULL) {
        fprintf(stderr, "load: out of memory\n");
        return -1;
    }

    if (crowd_open(&t->crowd, o, n) != 0) {
        return -1;
    }

    t->crowd.note = talk_note;
    t->crowd.data = t;

    for (size_t i = 0; i < o->n; i++) {
        t->senders[i].client = &t->crowd.clients[i * o->members];
        t->senders[i].slots = t->slots + i * slots;
        t->senders[i].next = t->senders[i].low = 1;
    }

    for (size_t i = 0; i < n; i++) {
        t->crowd.clients[i].topic = (uint32_t) (i / o->members);
        t->crowd.clients[i].publish = i % o->members == 0;
    }

    return 0;
}


static void
talk_close(struct talk *t)
{
    for (size_t i = 0; t->senders != NULL && i < t->o->n; i++) {
        buf_clear(&t->senders[i].to);
    }

    if (t->crowd.clients != NULL) {
        crowd_close(&t->crowd);
    }

    free(t->slots);
    free(t->senders);
    free(t->receivers);
    buf_clear(&t->text);
    free(t);
}


static void
talk_create_group(struct talk *t, struct sender *s)
{
    size_t first = crowd_index(&t->crowd, s->client);
    char name[64];

    buf_reset(&t->text, t->text.cap);
    buf_put_lit(&t->text,
                "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"channel.create\","
                "\"params\":{\"name\":\"load\",\"members\":[");

    for (size_t i = first + 1; i < first + t->o->members; i++) {
        crowd_name(&t->crowd, i, name);
        buf_put_lit(&t->text, "\"");
        buf_put(&t->text, name, strlen(name));
        buf_put(&t->text, "\",", i + 1 < first + t->o->members ? 2 : 1);
    }

    buf_put_lit(&t->text, "]}}");
    conn_send(&t->crowd.loop, &s->client->conn, buf_str(&t->text));
}


/* Everybody joins the room of the group. */
static int
talk_join(struct talk *t)
{
    char name[64], room[64];

    for (size_t i = 0; i < t->crowd.n; i++) {
        crowd_name(&t->crowd, i, name);
        snprintf(room, sizeof(room), "%sroom%zu", t->o->prefix,
                 i / t->o->members);
        buf_reset(&t->text, t->text.cap);
        t->o->dialect->join(&t->text, &t->crowd.clients[i].stream, room, name);
        conn_send(&t->crowd.loop, &t->crowd.clients[i].conn, buf_str(&t->text));

        if (i % t->o->members == 0) {
            t->o->dialect->put_room(&t->senders[i / t->o->members].to, room);
        }
    }

    if (crowd_wait(&t->crowd, &t->n_created, t->crowd.n, TALK_CONNECT_S)) {
        fprintf(stderr, "load: %zu of %zu have joined\n", t->n_created,
                t->crowd.n);
        return -1;
    }

    return 0;
}


/* Connects everybody and tells each sender whom it writes to. */
static int
talk_prepare(struct talk *t)
{
    char name[64];

    if (crowd_connect(&t->crowd, 0, t->crowd.n, TALK_CONNECT_S) != 0) {
        return -1;
    }

    if (t->o->members == 2) {
        for (size_t i = 0; i < t->o->n; i++) {
            crowd_name(&t->crowd, 2 * i + 1, name);
            t->o->dialect->put_user(&t->senders[i].to, name);
        }

    } else if (t->o->members > 2 && t->o->dialect->join != NULL) {
        if (talk_join(t) != 0) {
            return -1;
        }

    } else if (t->o->members > 2 && t->o->dialect->members) {
        for (size_t i = 0; i < t->o->n; i++) {
            talk_create_group(t, &t->senders[i]);
        }

        if (crowd_wait(&t->crowd, &t->n_created, t->o->n, TALK_CONNECT_S)) {
            fprintf(stderr, "load: %zu of %u groups are made\n", t->n_created,
                    t->o->n);
            return -1;
        }
    }

    crowd_quiet(&t->crowd);
    return 0;
}


/* Open loop: lets those go whose time has come; the time of the next. */
static uint64_t
talk_due(struct talk *t)
{
    uint64_t now = clock_ns();
    uint64_t next;

    for (;;) {
        next = t->start_ns + (uint64_t) ((double) t->n_due * 1e9 / t->o->rate);

        if (next > now) {
            return next;
        }

        struct sender *s = &t->senders[t->turn];

        t->turn = t->turn + 1 < t->o->n ? t->turn + 1 : 0;
        t->n_due++;
        s->due++;
        talk_pump(t, s);
    }
}


static void
talk_for(struct talk *t, double seconds)
{
    uint64_t end = clock_ns() + (uint64_t) (seconds * 1e9);
    uint64_t until = end;

    while (clock_ns() < end && broken_count() == 0) {
        if (t->o->rate != 0) {
            until = talk_due(t);
        }

        loop_turn(&t->crowd.loop, until < end ? until : end);
    }
}


static uint64_t
talk_undelivered(const struct talk *t)
{
    uint64_t n = 0;

    for (size_t i = 0; i < t->crowd.n; i++) {
        if (i % t->o->members != 0) {
            n += t->senders[i / t->o->members].next - 1 - t->receivers[i].seq;
        }
    }

    return n;
}


/* Waits for all that was sent. */
static void
talk_drain(struct talk *t)
{
    uint64_t end = clock_ns() + TALK_DRAIN_S * 1000000000ull;

    t->running = false;

    while (t->finished < t->sent && clock_ns() < end && broken_count() == 0) {
        loop_turn(&t->crowd.loop, clock_ns() + 10000000u);
    }

    if (t->finished < t->sent) {
        t->late = broken_count() == 0 ? talk_undelivered(t) : 0;
        broken("%llu of %llu messages are not answered or not delivered",
               (unsigned long long) (t->sent - t->finished),
               (unsigned long long) t->sent);
    }
}


static void
talk_report(const struct talk *t, struct report *r, double seconds,
            uint64_t delivered, uint64_t finished, uint64_t cpu_ns)
{
    report_add(r, "messages", (double) t->counted);
    report_add(r, "messages_per_s", (double) finished / seconds);
    report_add(r, "deliveries", (double) t->delivered);
    report_add(r, "deliveries_per_s", (double) delivered / seconds);

    if (t->o->rate != 0) {
        report_add(r, "held_back", (double) t->n_due - (double) t->sent);
        report_add(r, "late", (double) t->late);
    }

    if (cpu_ns != 0) {
        report_add(r, "server_cpu_s", (double) cpu_ns / 1e9);
        report_add(r, "deliveries_per_cpu_s",
                   (double) t->delivered * 1e9 / (double) cpu_ns);
        report_add(r, "cpu_us_per_message",
                   (double) cpu_ns / 1e3 / (double) t->counted);
    }

    if (!t->o->beside) {
        report_add(r, "rested", !t->crowd.restless);
    }

    report_add_histogram(r, "ack", &t->ack);
    report_add_histogram(r, "delivery", &t->delivery);
}


static void
talk_measure(struct talk *t, struct report *r)
{
    struct threads before, after;
    uint64_t cpu, start, delivered, finished;

    t->running = true;
    t->start_ns = clock_ns();

    for (size_t i = 0; i < t->o->n; i++) {
        talk_pump(t, &t->senders[i]);
    }

    talk_for(t, t->o->warmup_s);
    t->delivered = 0;
    t->counted = 0;
    memset(&t->ack, 0, sizeof(t->ack));
    memset(&t->delivery, 0, sizeof(t->delivery));
    threads_read(&before, &t->o->servers);
    cpu = processes_cpu_ns(&t->o->servers);
    start = clock_ns();

    talk_for(t, t->o->seconds);
    start = clock_ns() - start;
    delivered = t->delivered;
    finished = t->counted;

    /* the disk's share of the work may come later */
    talk_drain(t);
    crowd_quiet(&t->crowd);
    cpu = processes_cpu_ns(&t->o->servers) - cpu;
    threads_read(&after, &t->o->servers);
    talk_report(t, r, (double) start / 1e9, delivered, finished, cpu);
    threads_report(r, &before, &after);
}


int
talk_run(const struct options *o, struct report *r)
{
    struct talk *t = calloc(1, sizeof(*t));
    int status = -1;

    if (t == NULL) {
        return -1;
    }

    if (talk_open(t, o) == 0 && talk_prepare(t) == 0) {
        talk_measure(t, r);
        status = 0;
    }

    talk_close(t);
    return status;
}
