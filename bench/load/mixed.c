/*
 * A day of a chat service in short: of n users 80 % are connected and do
 * nothing, 15 % talk in pairs, 5 % in groups of 5 to 100 members; lengths of
 * texts from 20 to 100,000 characters.  Open loop: message k has its time,
 * start + k / rate.  Some of those who do nothing leave and come back, and
 * the other one of their pair is told.
 *
 * Everybody is in one channel, so that on each connection message ids have to
 * be consecutive, own answers and all, and a message has to come to each
 * member once.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"
#include "histogram.h"
#include "report.h"

#define MIXED_CONNECT_S 300
#define MIXED_DRAIN_S   30
#define MIXED_IDLE_S    2

/* how long one who left stays away */
#define MIXED_AWAY_NS 3000000000ull

/* unfinished messages of all, a power of two; more are held back */
#define MIXED_WINDOW ((uint64_t) 1 << 17)

/* a prime, so that neighbours in time are not neighbours in the store */
#define MIXED_STRIDE 7919

struct party {
    uint32_t first;
    uint32_t members;
    struct buf to; /* of a group */
};

struct slot {
    uint64_t at_ns;
    uint32_t left;
};

struct mixed {
    struct crowd crowd;
    const struct options *o;
    struct party *parties; /* pairs who talk, groups, pairs who do not */
    uint32_t n_parties, n_talking, n_pairs;
    uint32_t *party_of;   /* by client                                 */
    uint32_t n_active;    /* clients 0 ... n_active - 1 talk           */
    uint64_t *message_id; /* by client: the newest seen                */
    uint64_t *left_ns;    /* by client: when it left, 0: it is here    */
    struct slot *slots;
    uint64_t next, low; /* message to send; oldest unfinished        */
    size_t n_created, n_watching;

    uint64_t start_ns, n_due, n_churned, n_returned;
    uint64_t random;
    bool measured;

    uint64_t sent, finished, delivered, presences;
    uint64_t text_bytes, delivered_text; /* the latter: times recipients */
    struct histogram ack, delivery;
    struct buf text, to;
};


/* Shares in ten thousand of lengths.  Within one each doubling is half as
 * likely as the one before, and what would be longer than its end is as long:
 * a quarter of the first are 80, a tenth of the last 100,000. */
static const struct {
    unsigned share, from, to;
} lengths[] = {
    {6000, 20,    80    },
    {3000, 80,    300   },
    {900,  300,   2000  },
    {95,   2000,  10000 },
    {5,    10000, 100000},
};


static uint64_t
mixed_random(struct mixed *m)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return m->random;
}


static unsigned
mixed_length(struct mixed *m)
{
    unsigned x = (unsigned) (mixed_random(m) % 10000), i = 0;
    double from, v;

    while (x >= lengths[i].share) {
        x -= lengths[i++].share;
    }

    /* doubling as often as fits, and the rest linearly */
    from = lengths[i].from;
    v = from;

    while (v * 2 <= lengths[i].to && mixed_random(m) % 2 == 0) {
        v *= 2;
    }

    v += v * (double) (mixed_random(m) % 1024) / 1024;
    return v < lengths[i].to ? (unsigned) v : lengths[i].to;
}


static void
mixed_send(struct mixed *m, uint32_t client, uint64_t at_ns, unsigned len)
{
    struct party *p = &m->parties[m->party_of[client]];
    struct slot *slot = &m->slots[m->next & (MIXED_WINDOW - 1)];
    struct text text = {.run = m->o->run, .seq = m->next, .len = len};
    char name[64];

    if (p->members == 2) {
        crowd_name(&m->crowd, client == p->first ? client + 1 : p->first, name);
        buf_reset(&m->to, m->to.cap);
        m->o->dialect->put_user(&m->to, name);
        text.to = buf_str(&m->to);
    } else {
        text.to = buf_str(&p->to);
    }

    slot->at_ns = at_ns;
    slot->left = p->members;
    buf_reset(&m->text, m->text.cap);
    m->o->dialect->send(&m->text, &text);
    conn_send(&m->crowd.loop, &m->crowd.clients[client].conn,
              buf_str(&m->text));
    m->next++;
    m->sent++;
    m->text_bytes += len;
    m->delivered_text += (uint64_t) len * (p->members - 1);
}


static void
mixed_count(struct mixed *m, uint64_t seq, struct histogram *h)
{
    struct slot *slot = &m->slots[seq & (MIXED_WINDOW - 1)];

    if (seq < m->low || seq >= m->next || slot->left == 0) {
        broken("message %llu comes once too often", (unsigned long long) seq);
        return;
    }

    histogram_add(h, clock_ns() - slot->at_ns);

    if (--slot->left == 0) {
        m->finished++;
    }

    while (m->low < m->next
           && m->slots[m->low & (MIXED_WINDOW - 1)].left == 0) {
        m->low++;
    }
}


static void
mixed_check(struct mixed *m, size_t i, const struct note *n)
{
    if (m->message_id[i] != 0 && n->message_id != m->message_id[i] + 1) {
        broken("client %zu: message id %llu after %llu", i,
               (unsigned long long) n->message_id,
               (unsigned long long) m->message_id[i]);
    }

    m->message_id[i] = n->message_id;
}


static void
mixed_note(struct client *c, const struct note *n, void *data)
{
    struct mixed *m = data;
    size_t i = crowd_index(&m->crowd, c);

    switch (n->kind) {
    case NOTE_ACK:
        mixed_check(m, i, n);
        mixed_count(m, n->seq, &m->ack);
        break;
    case NOTE_MESSAGE:
        mixed_check(m, i, n);
        m->delivered++;
        mixed_count(m, n->seq, &m->delivery);
        break;
    case NOTE_CREATED:
        if (n->channel.len == 0) {
            m->n_watching++;
            break;
        }
        buf_put_lit(&m->parties[m->party_of[i]].to, "\"channel\":\"");
        buf_put_str(&m->parties[m->party_of[i]].to, n->channel);
        buf_put_char(&m->parties[m->party_of[i]].to, '"');
        m->n_created++;
        break;
    case NOTE_PRESENCE:
        m->presences++;
        break;
    case NOTE_READY:
        m->left_ns[i] = 0;
        break;
    default:
        break;
    }
}


static void
mixed_add_party(struct mixed *m, uint32_t *first, uint32_t members)
{
    struct party *p = &m->parties[m->n_parties];

    p->first = *first;
    p->members = members;

    for (uint32_t i = 0; i < members; i++) {
        m->party_of[*first + i] = m->n_parties;
    }

    m->n_parties++;
    *first += members;
}


static void
mixed_divide(struct mixed *m)
{
    static const uint32_t sizes[] = {5, 16, 9, 54, 29, 100, 7, 12};
    uint32_t n = m->o->n, first = 0, grouped = n / 20, size;

    m->n_pairs = n * 15 / 200 > 0 ? n * 15 / 200 : 1;

    for (uint32_t i = 0; i < m->n_pairs; i++) {
        mixed_add_party(m, &first, 2);
    }

    for (uint32_t i = 0; grouped >= 5; i++) {
        size = sizes[i % (sizeof(sizes) / sizeof(sizes[0]))];
        size = size < grouped ? size : grouped;
        mixed_add_party(m, &first, size);
        grouped -= size;
    }

    m->n_talking = m->n_parties;
    m->n_active = first;

    while (first + 2 <= n) {
        mixed_add_party(m, &first, 2);
    }
}


static int
mixed_open(struct mixed *m, const struct options *o)
{
    m->o = o;
    m->random = o->run | 1;
    m->next = m->low = 1;
    m->parties = calloc(o->n, sizeof(*m->parties));
    m->party_of = calloc(o->n, sizeof(*m->party_of));
    m->message_id = calloc(o->n, sizeof(*m->message_id));
    m->left_ns = calloc(o->n, sizeof(*m->left_ns));
    m->slots = calloc(MIXED_WINDOW, sizeof(*m->slots));

    if (m->parties == NULL || m->party_of == NULL || m->message_id == NULL
        || m->left_ns == NULL || m->slots == NULL) {
        fprintf(stderr, "load: out of memory\n");
        return -1;
    }

    if (o->n < 20) {
        fprintf(stderr, "load: mixed takes 20 users or more\n");
        return -1;
    }

    if (crowd_open(&m->crowd, o, o->n) != 0) {
        return -1;
    }

    m->crowd.note = mixed_note;
    m->crowd.data = m;
    mixed_divide(m);
    return 0;
}


static void
mixed_close(struct mixed *m)
{
    for (uint32_t i = 0; i < m->n_parties; i++) {
        buf_clear(&m->parties[i].to);
    }

    if (m->crowd.clients != NULL) {
        crowd_close(&m->crowd);
    }

    buf_clear(&m->text);
    buf_clear(&m->to);
    free(m->parties);
    free(m->party_of);
    free(m->message_id);
    free(m->left_ns);
    free(m->slots);
    free(m);
}


/* A request of client, who names others: first ... first + n - 1. */
static void
mixed_request(struct mixed *m, uint32_t client, const char *head,
              uint32_t first, uint32_t n)
{
    char name[64];

    buf_reset(&m->text, m->text.cap);
    buf_put_lit(&m->text, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"");
    buf_put(&m->text, head, strlen(head));

    for (uint32_t i = first; i < first + n; i++) {
        crowd_name(&m->crowd, i, name);
        buf_put(&m->text, ",\"", i == first ? 0 : 1);
        buf_put_char(&m->text, '"');
        buf_put(&m->text, name, strlen(name));
        buf_put_char(&m->text, '"');
    }

    buf_put_lit(&m->text, "]}}");
    conn_send(&m->crowd.loop, &m->crowd.clients[client].conn,
              buf_str(&m->text));
}


static int
mixed_wait_finished(struct mixed *m, double seconds)
{
    uint64_t end = clock_ns() + (uint64_t) (seconds * 1e9);

    while (m->finished < m->sent && clock_ns() < end && broken_count() == 0) {
        loop_turn(&m->crowd.loop, clock_ns() + 10000000u);
    }

    if (m->finished < m->sent) {
        broken("%llu of %llu messages are not answered or not delivered",
               (unsigned long long) (m->sent - m->finished),
               (unsigned long long) m->sent);
        return -1;
    }

    return 0;
}


/* Those who do nothing know each other: both have written, each watches. */
static int
mixed_acquaint(struct mixed *m)
{
    size_t watching = 0;

    for (uint32_t p = m->n_talking; p < m->n_parties; p++) {
        uint32_t i = m->parties[p].first;

        mixed_send(m, i, clock_ns(), DIALECT_TEXT_MIN);
        mixed_send(m, i + 1, clock_ns(), DIALECT_TEXT_MIN);

        if (p % 256 == 0 && mixed_wait_finished(m, MIXED_DRAIN_S) != 0) {
            return -1;
        }
    }

    if (mixed_wait_finished(m, MIXED_DRAIN_S) != 0) {
        return -1;
    }

    for (uint32_t p = m->n_talking; p < m->n_parties; p++) {
        uint32_t i = m->parties[p].first;
        static const char head[] = "presence.watch\",\"params\":{\"users\":[";

        mixed_request(m, i, head, i + 1, 1);
        mixed_request(m, i + 1, head, i, 1);
        watching += 2;
    }

    return crowd_wait(&m->crowd, &m->n_watching, watching, MIXED_DRAIN_S);
}


static int
mixed_prepare(struct mixed *m)
{
    for (uint32_t p = m->n_pairs; p < m->n_talking; p++) {
        mixed_request(m, m->parties[p].first,
                      "channel.create\",\"params\":{\"name\":\"load\","
                      "\"members\":[",
                      m->parties[p].first + 1, m->parties[p].members - 1);
    }

    if (crowd_wait(&m->crowd, &m->n_created, m->n_talking - m->n_pairs,
                   MIXED_DRAIN_S)
            != 0
        || mixed_acquaint(m) != 0) {
        fprintf(stderr, "load: groups or pairs are not made in time\n");
        return -1;
    }

    crowd_quiet(&m->crowd);
    return 0;
}


/* Lets those messages go whose time has come; the time of the next. */
static uint64_t
mixed_due(struct mixed *m)
{
    uint64_t now = clock_ns(), next;

    if (m->o->rate == 0) {
        return UINT64_MAX;
    }

    for (;;) {
        next = m->start_ns + (uint64_t) ((double) m->n_due * 1e9 / m->o->rate);

        if (next > now) {
            return next;
        }

        if (m->next - m->low >= MIXED_WINDOW) {
            return now + 1000000u;
        }

        mixed_send(m, (uint32_t) (m->n_due * MIXED_STRIDE % m->n_active), next,
                   mixed_length(m));
        m->n_due++;
    }
}


/* Lets those leave whose time has come, and those return who were away. */
static uint64_t
mixed_churn(struct mixed *m, bool leave)
{
    uint32_t idle = m->o->n - m->n_active;
    uint64_t now = clock_ns(), next = UINT64_MAX, i;

    if (m->o->churn == 0) {
        return next;
    }

    while (leave) {
        next = m->start_ns
               + (uint64_t) ((double) m->n_churned * 1e9 / m->o->churn);
        i = m->n_active + m->n_churned * MIXED_STRIDE % idle;

        if (next > now || m->left_ns[i] != 0) {
            break;
        }

        crowd_disconnect(&m->crowd, i, 1);
        m->left_ns[i] = now;
        m->n_churned++;
    }

    while (m->n_returned < m->n_churned) {
        i = m->n_active + m->n_returned * MIXED_STRIDE % idle;

        if (leave && m->left_ns[i] + MIXED_AWAY_NS > now) {
            break;
        }

        crowd_return(&m->crowd, i);
        m->n_returned++;
    }

    return next;
}


static int
mixed_for(struct mixed *m, double seconds)
{
    uint64_t end = clock_ns() + (uint64_t) (seconds * 1e9);
    uint64_t until, churn;

    while (clock_ns() < end && broken_count() == 0) {
        until = mixed_due(m);
        churn = mixed_churn(m, true);
        until = churn < until ? churn : until;

        if (crowd_open_queued(&m->crowd) != 0) {
            return -1;
        }

        churn = clock_ns() + 50000000u;
        until = churn < until ? churn : until;
        loop_turn(&m->crowd.loop, until < end ? until : end);
    }

    return 0;
}


/* Everybody is back. */
static void
mixed_gather(struct mixed *m)
{
    uint64_t end = clock_ns() + MIXED_DRAIN_S * 1000000000ull;

    mixed_churn(m, false);

    while (m->crowd.n_ready < m->o->n && clock_ns() < end
           && broken_count() == 0) {
        if (crowd_open_queued(&m->crowd) != 0) {
            break;
        }

        loop_turn(&m->crowd.loop, clock_ns() + 10000000u);
    }

    if (m->crowd.n_ready != m->o->n) {
        broken("%zu of %u users are connected", m->crowd.n_ready, m->o->n);
    }
}


static void
mixed_report(const struct mixed *m, struct report *r, double seconds,
             uint64_t cpu_ns, uint64_t written, double stored)
{
    report_add(r, "seconds", seconds);
    report_add(r, "messages", (double) m->sent);
    report_add(r, "messages_per_s", (double) m->sent / seconds);
    report_add(r, "deliveries", (double) m->delivered);
    report_add(r, "delivered_text_bytes", (double) m->delivered_text);
    report_add(r, "held_back", m->o->rate * seconds - (double) m->n_due);
    report_add(r, "churned", (double) m->n_churned);
    report_add(r, "churned_per_s", (double) m->n_churned / seconds);
    report_add(r, "presence_events", (double) m->presences);
    report_add(r, "server_cpu_s", (double) cpu_ns / 1e9);
    report_add(r, "server_cpu_percent", (double) cpu_ns / seconds / 1e7);
    report_add(r, "written_bytes", (double) written);

    if (m->o->store != NULL) {
        report_add(r, "stored_bytes", stored);
    }

    report_add(r, "network_in_bytes", (double) m->crowd.loop.sent);
    report_add(r, "network_out_bytes", (double) m->crowd.loop.received);

    if (m->sent > 0) {
        report_add(r, "deliveries_per_message",
                   (double) m->delivered / (double) m->sent);
        report_add(r, "text_bytes_per_message",
                   (double) m->text_bytes / (double) m->sent);
        report_add(r, "cpu_us_per_message",
                   (double) cpu_ns / 1e3 / (double) m->sent);
    }

    if (!m->o->beside) {
        report_add(r, "rested", !m->crowd.restless);
    }

    report_add_histogram(r, "ack", &m->ack);
    report_add_histogram(r, "delivery", &m->delivery);
}


static int
mixed_measure(struct mixed *m, struct report *r)
{
    const char *store = m->o->store == NULL ? "/nonexistent" : m->o->store;
    uint64_t cpu = processes_cpu_ns(&m->o->servers), written, start;
    double stored;
    int status;

    crowd_rest(&m->crowd, MIXED_IDLE_S);
    report_add(r, "idle_cpu_percent",
               (double) (processes_cpu_ns(&m->o->servers) - cpu) / MIXED_IDLE_S
                   / 1e7);

    m->sent = m->finished = m->delivered = m->presences = 0;
    m->text_bytes = m->delivered_text = 0;
    m->crowd.loop.sent = m->crowd.loop.received = 0;
    memset(&m->ack, 0, sizeof(m->ack));
    memset(&m->delivery, 0, sizeof(m->delivery));
    cpu = processes_cpu_ns(&m->o->servers);
    written = processes_written(&m->o->servers);
    stored = (double) directory_bytes(store);
    m->start_ns = start = clock_ns();

    status = mixed_for(m, m->o->seconds);
    start = clock_ns() - start;
    mixed_gather(m);
    mixed_wait_finished(m, MIXED_DRAIN_S);
    crowd_quiet(&m->crowd);

    cpu = processes_cpu_ns(&m->o->servers) - cpu;
    written = processes_written(&m->o->servers) - written;
    stored = (double) directory_bytes(store) - stored;
    mixed_report(m, r, (double) start / 1e9, cpu, written, stored);
    return status;
}


int
mixed_run(const struct options *o, struct report *r)
{
    struct mixed *m = calloc(1, sizeof(*m));
    int status = -1;
    uint64_t pss, slab;

    if (m == NULL) {
        return -1;
    }

    if (mixed_open(m, o) == 0) {
        pss = processes_pss(&o->servers);
        slab = kernel_slab();

        if (crowd_connect(&m->crowd, 0, o->n, MIXED_CONNECT_S) == 0) {
            crowd_rest(&m->crowd, MIXED_IDLE_S);
            report_add(r, "users", o->n);
            report_add(r, "groups", m->n_talking - m->n_pairs);
            report_add(r, "bytes_per_connection",
                       ((double) processes_pss(&o->servers) - (double) pss)
                           / o->n);
            report_add(r, "kernel_bytes_both_ends",
                       ((double) kernel_slab() - (double) slab) / o->n);

            if (mixed_prepare(m) == 0) {
                status = mixed_measure(m, r);
            }
        }
    }

    mixed_close(m);
    return status;
}
