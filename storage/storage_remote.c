/*
 * The stub in a worker: storage.h as frames to the store role.
 *
 * It connects and reconnects by itself.  An op is kept, encoded, until its
 * result came; after a reconnect the handlers subscribe anew, then what was
 * not answered is sent again in order, flagged STORAGE_REPLAYED.  While there
 * is no store ops wait, for REMOTE_PATIENCE_MS; an op the store did not
 * survive REMOTE_REPLAYS_MAX times is failed.  What is kept is bounded by
 * those who submit: nginx stops reading when too much is unanswered.
 *
 * Only when memory runs out, or after storage_close, is `done` called before
 * storage_submit returned.
 */

#include "storage_backend.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#include <uv.h>

#include "link.h"
#include "log.h"
#include "map.h"
#include "storage_codec.h"

#define REMOTE_PATIENCE_MS  10000
#define REMOTE_TICK_MS      250
#define REMOTE_BACKOFF_MIN  20
#define REMOTE_BACKOFF_MAX  500
#define REMOTE_REPLAYS_MAX  5
#define REMOTE_STATS_SOURCE 0

enum remote_state {
    REMOTE_DOWN,       /* the timer connects again       */
    REMOTE_CONNECTING, /* until the store's HELLO        */
    REMOTE_UP,
    REMOTE_CLOSING,
};

struct pending {
    TAILQ_ENTRY(pending) link;
    struct map_entry entry; /* in remote.by_number */
    uint64_t number;
    uint64_t since_ms;
    storage_done *done;
    void *data;
    uint16_t sent; /* how often */
    bool unsubscribe;
    size_t len;
    unsigned char payload[];
};

TAILQ_HEAD(pending_list, pending);

struct remote {
    uv_loop_t *loop;
    struct storage_handlers handlers;
    enum remote_state state;
    struct link *link;
    uv_timer_t timer; /* reconnects and lets ops expire */
    uint64_t backoff_ms;
    uint64_t connect_at_ms;
    uint64_t down_since_ms;

    struct pending_list pending; /* ascending numbers */
    struct map by_number;
    uint64_t last_number;
    uint64_t sequence;
    uint64_t instance;
    uint16_t index;
    struct storage_stats stats;

    struct storage_target *targets; /* of the event being read, grown */
    size_t n_targets;
    struct storage_entry entries[STORAGE_INBOX_LIMIT];

    void (*closed)(void *data);
    void *closed_data;
    char path[];
};

static const void *
pending_key(const struct map_entry *e, size_t *len)
{
    const struct pending *p = map_container(e, struct pending, entry);

    *len = sizeof(p->number);
    return &p->number;
}

/* Out of the list, told its result, freed. */
static void
finish(struct remote *m, struct pending *p, const struct storage_result *r)
{
    TAILQ_REMOVE(&m->pending, p, link);
    map_remove(&m->by_number, &p->entry);
    p->done(r, p->data);
    free(p);
}

static void
finish_status(struct remote *m, struct pending *p, enum storage_status status)
{
    struct storage_result r = {.status = status};

    finish(m, p, &r);
}

static void
send_op(struct remote *m, struct pending *p)
{
    struct chat_wire_writer *w =
        link_begin(m->link, CHAT_WIRE_OP, 0, p->sent, p->number, p->len);

    chat_wire_put_raw(w, p->payload, p->len);
    link_end(m->link);
    p->sent++;
}

static int
on_stats(struct remote *m, struct chat_wire_reader *r)
{
    uint16_t source = chat_wire_get_u16(r);
    uint32_t n = chat_wire_get_u32(r);
    uint64_t v[CHAT_WIRE_NCOUNTERS] = {0};

    if (r->failed || source != REMOTE_STATS_SOURCE
        || (size_t) (r->end - r->pos) != (size_t) n * 8) {
        return -1;
    }
    for (uint32_t i = 0; i < n && i < CHAT_WIRE_NCOUNTERS; i++) {
        v[i] = chat_wire_get_u64(r);
    }
    m->stats = (struct storage_stats){
        .commits = v[CHAT_WIRE_COUNTER_commits],
        .commit_messages = v[CHAT_WIRE_COUNTER_commit_messages],
        .commit_failures = v[CHAT_WIRE_COUNTER_commit_failures],
        .commit_stall_us = v[CHAT_WIRE_COUNTER_commit_stall_us],
        .reopens = v[CHAT_WIRE_COUNTER_reopens],
        .waiting = v[CHAT_WIRE_COUNTER_waiting],
        .cache_bytes = v[CHAT_WIRE_COUNTER_cache_bytes],
        .cache_misses = v[CHAT_WIRE_COUNTER_cache_misses],
        .starts = v[CHAT_WIRE_COUNTER_starts],
        .lost = v[CHAT_WIRE_COUNTER_lost],
        .queue_bytes = v[CHAT_WIRE_COUNTER_queue_bytes],
        .redis = v[CHAT_WIRE_COUNTER_redis],
        .redis_up = v[CHAT_WIRE_COUNTER_redis_up],
        .redis_connects = v[CHAT_WIRE_COUNTER_redis_connects],
        .redis_failures = v[CHAT_WIRE_COUNTER_redis_failures],
        .redis_lag_us = v[CHAT_WIRE_COUNTER_redis_lag_us],
        .redis_users = v[CHAT_WIRE_COUNTER_redis_users],
    };
    return 0;
}

/* A result no one waits for any more (it expired) is no error. */
static int
on_result(struct remote *m, uint64_t number, struct chat_wire_reader *r)
{
    struct map_entry *e = map_find(&m->by_number, &number, sizeof(number));
    struct storage_result result;

    if (storage_codec_get_result(r, &result, m->entries) != 0) {
        return -1;
    }
    if (e != NULL) {
        finish(m, map_container(e, struct pending, entry), &result);
    }
    return 0;
}

static int
on_event(struct remote *m, uint64_t sequence, struct chat_wire_reader *r)
{
    struct storage_event e;

    if (storage_codec_get_event(r, &e) != 0) {
        return -1;
    }
    if (e.n_targets > m->n_targets) {
        struct storage_target *grown =
            realloc(m->targets, e.n_targets * sizeof(*grown));

        /* a gap in what every session sees: they read it from their inbox */
        if (grown == NULL) {
            m->handlers.lost(m->handlers.data);
            return 0;
        }
        m->targets = grown;
        m->n_targets = e.n_targets;
    }
    for (uint32_t i = 0; i < e.n_targets; i++) {
        storage_codec_get_target(r, &m->targets[i]);
    }
    e.targets = m->targets;
    e.sequence = sequence;
    if (sequence > m->sequence) {
        m->sequence = sequence;
    }
    m->handlers.event(&e, m->handlers.data);
    return 0;
}

static void
replay(struct remote *m, struct pending *p)
{
    /* a store that starts has no subscriptions to end */
    if (p->unsubscribe) {
        finish_status(m, p, STORAGE_OK);
        return;
    }
    if (p->sent > REMOTE_REPLAYS_MAX) {
        log_error("store: operation %llu was not survived %u times, dropped",
                  (unsigned long long) p->number, (unsigned) p->sent);
        finish_status(m, p, STORAGE_UNAVAILABLE);
        return;
    }
    if (p->sent > 0) {
        p->payload[STORAGE_CODEC_FLAGS_AT] |= STORAGE_REPLAYED;
    }
    send_op(m, p);
}

static void
come_up(struct remote *m)
{
    uint64_t last = m->last_number;
    struct pending *p, *next;

    m->state = REMOTE_UP;
    m->backoff_ms = REMOTE_BACKOFF_MIN;

    /* what is submitted in here goes out at once, ahead of the older ones */
    m->handlers.reset(m->handlers.data);

    for (p = TAILQ_FIRST(&m->pending); p != NULL && p->number <= last;
         p = next) {
        next = TAILQ_NEXT(p, link);
        replay(m, p);
    }
}

static int
on_hello(struct remote *m, struct chat_wire_reader *r)
{
    struct chat_wire_hello h;
    int status = chat_wire_get_hello(r, &h);

    if (status == -2) {
        log_error("store: speaks another version of the wire");
    }
    if (status != 0 || h.role != CHAT_WIRE_STORE) {
        return -1;
    }
    if (h.error_len != 0) {
        log_error("store: refused: %.*s", (int) h.error_len, h.error);
        link_close(m->link);
        return 0;
    }
    log_info("store: connected, process %u", (unsigned) h.pid);
    come_up(m);
    return 0;
}

static int
on_frame(struct link *l, const struct chat_wire_header *h,
         const unsigned char *payload, size_t len, void *data)
{
    struct remote *m = data;
    struct chat_wire_reader r;

    (void) l;
    chat_wire_reader_init(&r, payload, len);
    if (!chat_wire_may_send(CHAT_WIRE_STORE, h->type)
        || (h->type == CHAT_WIRE_HELLO) != (m->state == REMOTE_CONNECTING)) {
        return -1;
    }

    switch (h->type) {
    case CHAT_WIRE_HELLO:
        return on_hello(m, &r);
    case CHAT_WIRE_RESULT:
        return on_result(m, h->id, &r);
    case CHAT_WIRE_EVENT:
        return on_event(m, h->id, &r);
    case CHAT_WIRE_LOST:
        m->handlers.lost(m->handlers.data);
        return 0;
    case CHAT_WIRE_STATS:
        return on_stats(m, &r);
    default:
        return 0;
    }
}

static void
go_down(struct remote *m)
{
    uint64_t now = uv_now(m->loop);

    if (m->state == REMOTE_UP) {
        log_info("store: connection lost");
        m->down_since_ms = now;
    }
    m->link = NULL;
    m->state = REMOTE_DOWN;
    m->connect_at_ms = now + m->backoff_ms;
    m->backoff_ms = m->backoff_ms * 2 > REMOTE_BACKOFF_MAX ? REMOTE_BACKOFF_MAX
                                                           : m->backoff_ms * 2;
}

static void
on_timer_closed(uv_handle_t *handle)
{
    struct remote *m = handle->data;
    void (*closed)(void *data) = m->closed;
    void *data = m->closed_data;

    map_clear(&m->by_number);
    free(m->targets);
    free(m);
    if (closed != NULL) {
        closed(data);
    }
}

static void arm(struct remote *m);

static void
on_closed(struct link *l, void *data)
{
    struct remote *m = data;

    (void) l;
    if (m->state == REMOTE_CLOSING) {
        uv_close((uv_handle_t *) &m->timer, on_timer_closed);
        return;
    }
    go_down(m);
    arm(m);
}

static void
on_connect(struct link *l, void *data)
{
    struct remote *m = data;
    struct chat_wire_hello h = {
        .role = CHAT_WIRE_WORKER,
        .pid = (uint32_t) getpid(),
        .instance = m->instance,
        .index = m->index,
        .sequence = m->sequence,
    };
    struct chat_wire_writer *w =
        link_begin(l, CHAT_WIRE_HELLO, 0, 0, 0, CHAT_WIRE_HELLO_LEN);

    chat_wire_put_hello(w, &h);
    link_end(l);
}

static const struct link_handlers remote_link_handlers = {
    .frame = on_frame,
    .closed = on_closed,
};

static void
start_connecting(struct remote *m)
{
    m->link =
        link_connect(m->loop, m->path, on_connect, &remote_link_handlers, m);
    if (m->link == NULL) {
        go_down(m);
        return;
    }
    m->state = REMOTE_CONNECTING;
}

static void
expire(struct remote *m, uint64_t now)
{
    struct pending *p, *next;

    for (p = TAILQ_FIRST(&m->pending); p != NULL; p = next) {
        uint64_t since =
            p->since_ms > m->down_since_ms ? p->since_ms : m->down_since_ms;

        /* those behind are younger */
        if (since + REMOTE_PATIENCE_MS > now) {
            return;
        }
        next = TAILQ_NEXT(p, link);
        finish_status(m, p, STORAGE_UNAVAILABLE);
    }
}

static void
on_timer(uv_timer_t *timer)
{
    struct remote *m = timer->data;
    uint64_t now = uv_now(m->loop);

    if (m->state == REMOTE_DOWN && now >= m->connect_at_ms) {
        start_connecting(m);
    }
    if (m->state != REMOTE_UP) {
        expire(m, now);
        arm(m);
    }
}

/* While there is no store the timer runs: for the next attempt, at the latest
 * for the next look at what expires. */
static void
arm(struct remote *m)
{
    uint64_t now = uv_now(m->loop), wait = REMOTE_TICK_MS;

    if (m->state == REMOTE_DOWN && m->connect_at_ms < now + wait) {
        wait = m->connect_at_ms > now ? m->connect_at_ms - now : 0;
    }
    uv_timer_start(&m->timer, on_timer, wait, 0);
}

static void *
remote_open(struct uv_loop_s *loop, const char *path,
            const struct storage_handlers *handlers, const char **error)
{
    char *end;
    unsigned long index = strtoul(path, &end, 10);

    if (end == path || *end != ':' || index >= CHAT_WIRE_WORKERS_MAX) {
        *error = "a remote store is written remote:INDEX:SOCKET";
        return NULL;
    }

    const char *socket = end + 1;
    size_t size = strlen(socket) + 1;
    struct remote *m = calloc(1, sizeof(*m) + size);

    if (m == NULL) {
        *error = "out of memory";
        return NULL;
    }
    memcpy(m->path, socket, size);
    m->loop = loop;
    m->handlers = *handlers;
    m->index = (uint16_t) index;
    m->backoff_ms = REMOTE_BACKOFF_MIN;
    m->down_since_ms = uv_now(loop);
    m->connect_at_ms = m->down_since_ms;
    TAILQ_INIT(&m->pending);
    map_init(&m->by_number, pending_key);
    if (getrandom(&m->instance, sizeof(m->instance), 0)
        != (ssize_t) sizeof(m->instance)) {
        m->instance = (uint64_t) getpid();
    }
    uv_timer_init(loop, &m->timer);
    m->timer.data = m;
    arm(m);
    return m;
}

static void
remote_submit(void *b, const struct storage_op *op, storage_done *done,
              void *data)
{
    struct remote *m = b;
    size_t room = storage_codec_op_size(op);
    struct pending *p;
    struct chat_wire_writer w;

    if (m->state == REMOTE_CLOSING) {
        done(&(struct storage_result){.status = STORAGE_UNAVAILABLE}, data);
        return;
    }
    p = malloc(sizeof(*p) + room);
    if (p == NULL) {
        done(&(struct storage_result){.status = STORAGE_EXHAUSTED}, data);
        return;
    }
    *p = (struct pending){
        .number = m->last_number + 1,
        .since_ms = uv_now(m->loop),
        .done = done,
        .data = data,
        .unsubscribe = op->type == STORAGE_UNSUBSCRIBE,
    };
    chat_wire_writer_init(&w, p->payload, room);
    storage_codec_put_op(&w, op);
    p->len = chat_wire_written(&w);

    if (w.failed || map_insert(&m->by_number, &p->entry) != 0) {
        free(p);
        done(&(struct storage_result){.status = STORAGE_EXHAUSTED}, data);
        return;
    }
    m->last_number++;
    TAILQ_INSERT_TAIL(&m->pending, p, link);
    if (m->state == REMOTE_UP) {
        send_op(m, p);
    }
}

static void
remote_close(void *b, void (*closed)(void *data), void *data)
{
    struct remote *m = b;
    struct link *l = m->link;

    m->state = REMOTE_CLOSING;
    m->closed = closed;
    m->closed_data = data;
    while (!TAILQ_EMPTY(&m->pending)) {
        finish_status(m, TAILQ_FIRST(&m->pending), STORAGE_UNAVAILABLE);
    }
    uv_timer_stop(&m->timer);
    if (l != NULL) {
        link_close(l);
    } else {
        uv_close((uv_handle_t *) &m->timer, on_timer_closed);
    }
}

static void
remote_stats(const void *b, struct storage_stats *out)
{
    const struct remote *m = b;

    *out = m->stats;
}

static uint64_t
remote_sequence(const void *b)
{
    const struct remote *m = b;

    return m->sequence;
}

const struct storage_backend storage_backend_remote = {
    .scheme = "remote",
    .open = remote_open,
    .submit = remote_submit,
    .close = remote_close,
    .stats = remote_stats,
    .sequence = remote_sequence,
};
