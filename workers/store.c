/*
 * The store role; see store.h.
 *
 * A worker that does not read loses events, never results: once its link is
 * full its events are dropped, and when it has drained a LOST tells it to look
 * at every inbox.  Subscriptions are one byte for each user number: the
 * worker's index + 1, or 0.
 */

#include "store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#include <uv.h>

#include "admin.h"
#include "buf.h"
#include "link.h"
#include "log.h"
#include "role.h"
#include "storage_codec.h"
#include "store_presence.h"
#include "store_routes.h"

#define STATS_MS   1000
#define LEFT_BYTES ((size_t) 1 << 20)

/* An operation in the storage; peer is NULL when its worker is gone. */
struct pending {
    TAILQ_ENTRY(pending) link;
    struct store *store;
    struct peer *peer;
    uint64_t number;
    uint8_t type;
    bool crash;
};

TAILQ_HEAD(pending_list, pending);
TAILQ_HEAD(peer_list, peer);

struct peer {
    TAILQ_ENTRY(peer) link_of_store;
    struct store *store;
    struct link *link;
    struct pending_list pending;
    bool greeted;
    bool lost; /* events were dropped; LOST is due */
    unsigned index;
};

struct store {
    const struct role_config *config;
    uv_loop_t *loop;
    struct storage *storage;
    struct admin *admin;
    uv_pipe_t listener;
    uv_timer_t timer;
    struct peer_list peers;
    struct peer *by_index[CHAT_WIRE_WORKERS_MAX];
    uint64_t instance;
    struct store_routes routes;
    uint64_t n_lost;
    uint64_t stats[CHAT_WIRE_NCOUNTERS]; /* as sent last */
    struct store_presence presence;
    unsigned presence_timeout_s;
    bool closing;

    struct str users[STORAGE_USERS_LIMIT]; /* of the op being read */
};

/*
 * Fault injection for the tests of crashes, in builds with -DCHATD_FAULTS
 * only: a message.send with the text `CHATD_FAULT crash store` ends the store
 * after the message was committed and before the answer, once: the replay is
 * a duplicate.
 */
#ifdef CHATD_FAULTS
static bool
is_crash(const struct storage_op *op)
{
    static const char word[] = "\"CHATD_FAULT crash store\"}";
    size_t len = sizeof(word) - 1;

    return op->type == STORAGE_SEND && op->text.len >= len
           && memcmp(op->text.data + op->text.len - len, word, len) == 0;
}

#define FAULT_CRASH_STORE(p, r)                                                \
    if ((p)->crash && (r)->status == STORAGE_OK && !(r)->duplicate)            \
    abort()
#else
#define is_crash(op)            false
#define FAULT_CRASH_STORE(p, r) (void) 0
#endif

/* Routes */

static void
told(const struct storage_result *r, void *data)
{
    (void) r;
    (void) data;
}

static void
put_number(struct buf *b, uint64_t n)
{
    char bytes[8];

    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (char) (n >> (56 - 8 * i));
    }
    buf_put(b, bytes, sizeof(bytes));
}

/* The users of a worker that is gone are no longer connected. */
static void
route_end_all(struct store *s, unsigned index)
{
    struct storage_op op = {.type = STORAGE_LEFT};
    struct buf numbers = {0};

    for (size_t i = 0; i < s->routes.n; i++) {
        if (store_routes_end(&s->routes, i, index)) {
            put_number(&numbers, i);
        }
        if (numbers.len >= LEFT_BYTES || i + 1 == s->routes.n) {
            op.text = buf_str(&numbers);
            if (!s->closing && !buf_failed(&numbers) && numbers.len != 0) {
                storage_submit(s->storage, &op, told, NULL);
            }
            buf_reset(&numbers, LEFT_BYTES);
        }
    }
    buf_clear(&numbers);
}

/* His worker went while he was being subscribed: no other will say that he has
 * left, unless it has subscribed him itself. */
static void
route_missing(struct store *s, uint64_t number)
{
    struct storage_op op = {.type = STORAGE_LEFT};
    struct buf numbers = {0};

    if (s->closing || store_routes_find(&s->routes, number) != 0) {
        return;
    }
    put_number(&numbers, number);
    op.text = buf_str(&numbers);
    if (!buf_failed(&numbers)) {
        storage_submit(s->storage, &op, told, NULL);
    }
    buf_clear(&numbers);
}

/* Out */

static void
send_result(struct peer *p, uint64_t number, const struct storage_result *r)
{
    struct chat_wire_writer *w = link_begin(
        p->link, CHAT_WIRE_RESULT, 0, 0, number, storage_codec_result_size(r));

    storage_codec_put_result(w, r);
    link_end(p->link);
}

static void
op_done(const struct storage_result *r, void *data)
{
    struct pending *op = data;
    struct peer *p = op->peer;
    struct storage_result failed = {.status = STORAGE_EXHAUSTED};

    FAULT_CRASH_STORE(op, r);

    if (p != NULL) {
        TAILQ_REMOVE(&p->pending, op, link);

        /* before the result: events that follow it must find the route */
        if (op->type == STORAGE_SUBSCRIBE && r->status == STORAGE_OK
            && store_routes_set(&p->store->routes, r->number, p->index) != 0) {
            r = &failed;
        }
        send_result(p, op->number, r);
    } else if (op->type == STORAGE_SUBSCRIBE && r->status == STORAGE_OK) {
        route_missing(op->store, r->number);
    }
    free(op);
}

static void
send_event(struct peer *p, const struct storage_event *e, uint32_t n)
{
    struct store *s = p->store;
    struct chat_wire_writer *w;

    if (p->lost || link_full(p->link)) {
        if (!p->lost) {
            log_info("worker %u is slow: events are dropped", p->index);
            s->n_lost++;
        }
        p->lost = true;
        return;
    }
    w = link_begin(p->link, CHAT_WIRE_EVENT, 0, 0, e->sequence,
                   storage_codec_event_size(e, n));
    storage_codec_put_event(w, e, n);
    for (uint32_t i = 0; i < e->n_targets; i++) {
        if (store_routes_find(&s->routes, e->targets[i].number)
            == p->index + 1) {
            storage_codec_put_target(w, &e->targets[i]);
        }
    }
    link_end(p->link);
}

static void
on_event(const struct storage_event *e, void *data)
{
    struct store *s = data;
    uint32_t counts[CHAT_WIRE_WORKERS_MAX] = {0};

    for (uint32_t i = 0; i < e->n_targets; i++) {
        unsigned route = store_routes_find(&s->routes, e->targets[i].number);

        if (route != 0) {
            counts[route - 1]++;
        }
    }
    for (unsigned i = 0; i < CHAT_WIRE_WORKERS_MAX; i++) {
        if (counts[i] != 0 && s->by_index[i] != NULL) {
            send_event(s->by_index[i], e, counts[i]);
        }
    }
}

static void
send_lost(struct peer *p)
{
    link_begin(p->link, CHAT_WIRE_LOST, 0, 0, 0, 0);
    link_end(p->link);
}

static void
on_presence_started(const struct storage_result *r, void *data)
{
    struct store *s = data;

    if (r->status == STORAGE_OK) {
        store_presence_ready(&s->presence);
    }
}

static void
start_presence(struct store *s)
{
    struct storage_op op = {.type = STORAGE_PRESENCE_START,
                            .limit = s->presence_timeout_s};

    storage_submit(s->storage, &op, on_presence_started, s);
    store_presence_set_timeout(&s->presence, s->presence_timeout_s);
}

/* The storage started anew after a failed write: what it had sequenced and
 * not committed is gone, and so is what it knew of its users. */
static void
on_lost(void *data)
{
    struct store *s = data;
    struct peer *p;

    /* settings that were reloaded meanwhile have been refused */
    start_presence(s);

    for (p = TAILQ_FIRST(&s->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_store)) {
        if (p->greeted) {
            send_lost(p);
        }
    }
}

static void
gather_stats(const struct store *s, uint64_t *v)
{
    struct storage_stats stats = {0};
    struct peer *p;

    memset(v, 0, CHAT_WIRE_NCOUNTERS * sizeof(*v));
    storage_stats(s->storage, &stats);
    v[CHAT_WIRE_COUNTER_starts] = s->config->starts;
    v[CHAT_WIRE_COUNTER_commits] = stats.commits;
    v[CHAT_WIRE_COUNTER_commit_messages] = stats.commit_messages;
    v[CHAT_WIRE_COUNTER_commit_failures] = stats.commit_failures;
    v[CHAT_WIRE_COUNTER_commit_stall_us] = stats.commit_stall_us;
    v[CHAT_WIRE_COUNTER_reopens] = stats.reopens;
    v[CHAT_WIRE_COUNTER_waiting] = stats.waiting;
    v[CHAT_WIRE_COUNTER_cache_bytes] = stats.cache_bytes;
    v[CHAT_WIRE_COUNTER_cache_misses] = stats.cache_misses;
    v[CHAT_WIRE_COUNTER_lost] = s->n_lost;
    store_presence_stats(&s->presence, v);
    for (p = TAILQ_FIRST(&s->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_store)) {
        v[CHAT_WIRE_COUNTER_queue_bytes] += link_queued(p->link);
    }
}

static void
send_stats(struct peer *p, const uint64_t *v)
{
    struct chat_wire_writer *w =
        link_begin(p->link, CHAT_WIRE_STATS, 0, 0, 0,
                   2 + 4 + (size_t) CHAT_WIRE_NCOUNTERS * 8);

    chat_wire_put_u16(w, 0);
    chat_wire_put_u32(w, CHAT_WIRE_NCOUNTERS);
    for (unsigned i = 0; i < CHAT_WIRE_NCOUNTERS; i++) {
        chat_wire_put_u64(w, v[i]);
    }
    link_end(p->link);
}

static void
on_timer(uv_timer_t *timer)
{
    struct store *s = timer->data;
    uint64_t now[CHAT_WIRE_NCOUNTERS];
    struct peer *p;

    gather_stats(s, now);
    if (memcmp(now, s->stats, sizeof(now)) == 0) {
        return;
    }
    memcpy(s->stats, now, sizeof(now));
    for (p = TAILQ_FIRST(&s->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_store)) {
        if (p->greeted) {
            send_stats(p, now);
        }
    }
}

/* In */

static int
on_hello(struct peer *p, struct chat_wire_reader *r)
{
    struct store *s = p->store;
    struct chat_wire_hello h, own = {.role = CHAT_WIRE_STORE,
                                     .pid = (uint32_t) getpid(),
                                     .instance = s->instance,
                                     .sequence = storage_sequence(s->storage)};
    struct chat_wire_writer *w;
    uint64_t stats[CHAT_WIRE_NCOUNTERS];

    if (chat_wire_get_hello(r, &h) != 0 || h.role != CHAT_WIRE_WORKER
        || h.index >= CHAT_WIRE_WORKERS_MAX) {
        return -1;
    }

    /* a worker has one link: the older is of one that died */
    if (s->by_index[h.index] != NULL) {
        link_close(s->by_index[h.index]->link);
        route_end_all(s, h.index);
    }
    p->greeted = true;
    p->index = h.index;
    s->by_index[h.index] = p;
    log_info("worker %u: connected, process %u", p->index, (unsigned) h.pid);

    w = link_begin(p->link, CHAT_WIRE_HELLO, 0, 0, 0, CHAT_WIRE_HELLO_LEN);
    chat_wire_put_hello(w, &own);
    link_end(p->link);
    gather_stats(s, stats);
    send_stats(p, stats);
    return 0;
}

static int
on_op(struct peer *p, uint64_t number, struct chat_wire_reader *r)
{
    struct store *s = p->store;
    struct storage_op op;
    struct pending *pending;

    if (storage_codec_get_op(r, &op, s->users) != 0) {
        return -1;
    }
    if (op.type == STORAGE_UNSUBSCRIBE) {
        (void) store_routes_end(&s->routes, op.number, p->index);
    }
    pending = malloc(sizeof(*pending));
    if (pending == NULL) {
        send_result(p, number,
                    &(struct storage_result){.status = STORAGE_EXHAUSTED});
        return 0;
    }
    *pending = (struct pending){.store = s,
                                .peer = p,
                                .number = number,
                                .type = (uint8_t) op.type,
                                .crash = is_crash(&op)};
    TAILQ_INSERT_TAIL(&p->pending, pending, link);
    storage_submit(s->storage, &op, op_done, pending);
    return 0;
}

/* The users of a RELAY that live in one worker; the payload is walked for
 * each worker anew, so that nothing has to be kept. */
static void
relay_to(struct peer *p, struct chat_wire_reader r, uint32_t n, size_t room)
{
    struct store *s = p->store;
    unsigned n_workers = s->config->settings.n_workers;
    struct chat_wire_reader count = r;
    struct chat_wire_writer *w;
    const unsigned char *data;
    uint32_t n_here = 0;
    size_t len;
    uint8_t method = chat_wire_get_u8(&r);
    const unsigned char *tail = chat_wire_get_bytes(&r, &len);
    size_t tail_len = len;

    (void) chat_wire_get_u32(&r);
    count = r;
    for (uint32_t i = 0; i < n; i++) {
        data = chat_wire_get_bytes(&count, &len);
        n_here += chat_wire_home(data, len, n_workers) == p->index;
    }
    if (n_here == 0 || link_full(p->link)) {
        return;
    }

    w = link_begin(p->link, CHAT_WIRE_RELAY, 0, 0, 0, room);
    chat_wire_put_u8(w, method);
    chat_wire_put_bytes(w, tail, tail_len);
    chat_wire_put_u32(w, n_here);
    for (uint32_t i = 0; i < n; i++) {
        data = chat_wire_get_bytes(&r, &len);
        if (chat_wire_home(data, len, n_workers) == p->index) {
            chat_wire_put_bytes(w, data, len);
        }
    }
    link_end(p->link);
}

static int
on_relay(struct peer *from, struct chat_wire_reader *r, size_t room)
{
    struct chat_wire_reader whole = *r;
    struct store *s = from->store;
    uint32_t n;
    size_t len;

    (void) chat_wire_get_u8(r);
    (void) chat_wire_get_bytes(r, &len);
    n = chat_wire_get_u32(r);
    for (uint32_t i = 0; i < n && !r->failed; i++) {
        (void) chat_wire_get_bytes(r, &len);
    }
    if (chat_wire_end(r) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < CHAT_WIRE_WORKERS_MAX; i++) {
        if (s->by_index[i] != NULL) {
            relay_to(s->by_index[i], whole, n, room);
        }
    }
    return 0;
}

static int
on_frame(struct link *l, const struct chat_wire_header *h,
         const unsigned char *payload, size_t len, void *data)
{
    struct peer *p = data;
    struct chat_wire_reader r;

    (void) l;
    chat_wire_reader_init(&r, payload, len);
    if ((h->type == CHAT_WIRE_HELLO) == p->greeted) {
        return -1;
    }

    /* the worker sends again what is not answered */
    if (p->store->closing) {
        return 0;
    }

    switch (h->type) {
    case CHAT_WIRE_HELLO:
        return on_hello(p, &r);
    case CHAT_WIRE_OP:
        return on_op(p, h->id, &r);
    case CHAT_WIRE_RELAY:
        return on_relay(p, &r, len);
    default:
        return -1;
    }
}

static void
on_drained(struct link *l, void *data)
{
    struct peer *p = data;

    (void) l;
    if (p->lost) {
        p->lost = false;
        send_lost(p);
    }
}

static void
on_link_closed(struct link *l, void *data)
{
    struct peer *p = data;
    struct store *s = p->store;
    struct pending *op;

    (void) l;
    while ((op = TAILQ_FIRST(&p->pending)) != NULL) {
        TAILQ_REMOVE(&p->pending, op, link);
        op->peer = NULL;
    }
    if (p->greeted && s->by_index[p->index] == p) {
        log_info("worker %u: link closed", p->index);
        s->by_index[p->index] = NULL;
        route_end_all(s, p->index);
    }
    TAILQ_REMOVE(&s->peers, p, link_of_store);
    free(p);
}

static const struct link_handlers store_link_handlers = {
    .frame = on_frame,
    .closed = on_link_closed,
    .drained = on_drained,
};

static void
on_connection(uv_stream_t *listener, int status)
{
    struct store *s = listener->data;
    struct peer *p;

    if (status < 0) {
        log_warn("accept: %s", uv_strerror(status));
        return;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        log_error("no memory for a link; the worker tries again");
        link_refuse(listener);
        return;
    }
    p->store = s;
    TAILQ_INIT(&p->pending);
    p->link = link_accept(listener, &store_link_handlers, p);
    if (p->link == NULL) {
        free(p);
        return;
    }
    TAILQ_INSERT_TAIL(&s->peers, p, link_of_store);
}

/* The role */

static void
on_storage_closed(void *data)
{
    struct store *s = data;
    struct peer *p;

    for (p = TAILQ_FIRST(&s->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_store)) {
        link_close(p->link);
    }
    admin_close(s->admin);
    uv_close((uv_handle_t *) &s->listener, NULL);
    uv_close((uv_handle_t *) &s->timer, NULL);
    role_close();
}

/* Everything sequenced is committed and answered first. */
static void
on_stop(void *data)
{
    struct store *s = data;

    s->closing = true;

    /* the storage may take its time, and gives no figures meanwhile */
    uv_timer_stop(&s->timer);
    store_presence_close(&s->presence);
    storage_close(s->storage, on_storage_closed, s);
}

static void
on_settings(const struct settings *settings, void *data)
{
    struct store *s = data;

    if (!s->closing) {
        storage_set_cache(s->storage, settings->cache_bytes);
        s->presence_timeout_s = settings->presence_timeout_s;
        start_presence(s);
    }
    log_info("settings were reloaded: store and number of workers stay until "
             "the pool is started again");
}

static int
open_storage(struct store *s)
{
    struct storage_handlers handlers = {
        .event = on_event, .lost = on_lost, .data = s};
    const char *error = NULL;

    if (store_presence_open(&s->presence, s->loop, s->config, &handlers) != 0) {
        return -1;
    }
    s->storage =
        storage_open(s->loop, s->config->settings.store, &handlers, &error);
    if (s->storage == NULL) {
        log_error("%s: %s", s->config->settings.store, error);
        store_presence_close(&s->presence);
        return -1;
    }
    s->presence.storage = s->storage;
    storage_set_cache(s->storage, s->config->settings.cache_bytes);
    s->presence_timeout_s = s->config->settings.presence_timeout_s;
    start_presence(s);
    return 0;
}

int
store_main(const struct role_config *config)
{
    static struct store store;
    struct store *s = &store;
    struct role_handlers handlers = {
        .stop = on_stop, .settings_changed = on_settings, .data = s};
    uv_loop_t loop;

    log_set_hook(role_report, NULL);
    s->config = config;
    s->loop = &loop;
    TAILQ_INIT(&s->peers);
    if (getrandom(&s->instance, sizeof(s->instance), 0)
        != (ssize_t) sizeof(s->instance)) {
        s->instance = uv_hrtime();
    }
    if (uv_loop_init(&loop) != 0) {
        log_error("cannot make an event loop");
        return EXIT_FAILURE;
    }
    if (open_storage(s) != 0) {
        /* what it had begun to close */
        uv_run(&loop, UV_RUN_DEFAULT);
        (void) uv_loop_close(&loop);
        return ROLE_EXIT_UNUSABLE;
    }

    uv_timer_init(&loop, &s->timer);
    s->timer.data = s;
    s->listener.data = s;
    uv_timer_start(&s->timer, on_timer, STATS_MS, STATS_MS);
    if (role_init(&loop, config, &handlers) != 0
        || role_listen(&loop, config, "store.sock", &s->listener, on_connection)
               != 0
        || (s->admin = admin_open(&loop, config, s->storage)) == NULL) {
        return ROLE_EXIT_UNUSABLE;
    }
    log_info("ready, %s", config->settings.store);

    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    store_routes_clear(&s->routes);
    return EXIT_SUCCESS;
}
