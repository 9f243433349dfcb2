/*
 * What goes out to nginx: frames for sessions, replies, notices, counters.
 * front.c has what comes in.
 */

#include "front_peer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "link.h"
#include "role.h"
#include "worker.h"

#define PUSH_TARGETS_MAX 65536u /* in one frame */
#define STORE_SOURCE     0

/* Out: sessions */

void
front_ready(struct session_link *l, uint64_t handle, uint64_t inbox_id,
            struct str device, struct str text)
{
    struct peer *p = front_peer(l);
    struct chat_wire_writer *w = link_begin(
        p->link, CHAT_WIRE_READY, 0, 0, handle, 8 + 4 + device.len + text.len);

    chat_wire_put_u64(w, inbox_id);
    chat_wire_put_bytes(w, device.data, device.len);
    chat_wire_put_raw(w, text.data, text.len);
    link_end(p->link);
}

void
front_refuse(struct session_link *l, uint64_t id, unsigned status,
             unsigned retry_after, struct str reason, struct str detail)
{
    struct peer *p = front_peer(l);
    struct chat_wire_writer *w =
        link_begin(p->link, CHAT_WIRE_REFUSE, 0, 0, id,
                   2 + 4 + 4 + reason.len + 4 + detail.len);

    chat_wire_put_u16(w, (uint16_t) status);
    chat_wire_put_u32(w, retry_after);
    chat_wire_put_bytes(w, reason.data, reason.len);
    chat_wire_put_bytes(w, detail.data, detail.len);
    link_end(p->link);
}

void
front_end(struct session_link *l, uint64_t handle, unsigned code,
          struct str reason)
{
    struct peer *p = front_peer(l);
    struct chat_wire_writer *w =
        link_begin(p->link, CHAT_WIRE_END, 0, 0, handle, 2 + 4 + reason.len);

    chat_wire_put_u16(w, (uint16_t) code);
    chat_wire_put_bytes(w, reason.data, reason.len);
    link_end(p->link);
}

bool
front_full(struct session_link *l)
{
    return link_full(front_peer(l)->link);
}

void
front_push(struct session_link *l, uint64_t handle, uint64_t inbox_id)
{
    struct peer *p = front_peer(l);

    if (p->n_targets == p->cap_targets) {
        size_t cap = p->cap_targets == 0 ? 16 : p->cap_targets * 2;
        struct target *grown = realloc(p->targets, cap * sizeof(*grown));

        /* the session counts on it: nginx must come again and name its ids */
        if (grown == NULL) {
            log_error("nginx worker %u: out of memory for an event", p->index);
            link_close(p->link);
            return;
        }
        p->targets = grown;
        p->cap_targets = cap;
    }
    p->targets[p->n_targets++] = (struct target){handle, inbox_id};
}

static void
push_some(struct peer *p, const struct storage_event *e,
          const struct target *targets, uint32_t n)
{
    struct str head = storage_event_head(e->method);
    size_t room = 4 + head.len + 4 + e->tail.len + 4 + (size_t) n * 16;
    struct chat_wire_writer *w =
        link_begin(p->link, CHAT_WIRE_PUSH, 0, 0, 0, room);

    chat_wire_put_bytes(w, head.data, head.len);
    chat_wire_put_bytes(w, e->tail.data, e->tail.len);
    chat_wire_put_u32(w, n);
    for (uint32_t i = 0; i < n; i++) {
        chat_wire_put_u64(w, targets[i].handle);
        chat_wire_put_u64(w, targets[i].inbox_id);
    }
    link_end(p->link);
}

void
front_push_end(struct front *f, const struct storage_event *e)
{
    struct peer *p;

    for (p = TAILQ_FIRST(&f->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_front)) {
        for (size_t at = 0; at < p->n_targets; at += PUSH_TARGETS_MAX) {
            size_t left = p->n_targets - at;

            push_some(
                p, e, p->targets + at,
                (uint32_t) (left < PUSH_TARGETS_MAX ? left : PUSH_TARGETS_MAX));
        }
        p->n_targets = 0;
    }
}

void
front_page(struct session_link *l, uint64_t handle,
           const struct storage_entry *entries, uint32_t n)
{
    struct peer *p = front_peer(l);
    struct chat_wire_writer *w;
    size_t room = 4;
    char id[24];

    for (uint32_t i = 0; i < n; i++) {
        room += 8 + 4 + CHAT_WIRE_HEAD_MAX + sizeof(id) + entries[i].tail.len;
    }
    w = link_begin(p->link, CHAT_WIRE_PAGE, 0, 0, handle, room);
    chat_wire_put_u32(w, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct storage_entry *e = &entries[i];
        struct str head = storage_event_head(e->method);
        int id_len = snprintf(id, sizeof(id), "%" PRIu64, e->inbox_id);

        chat_wire_put_u64(w, e->inbox_id);
        chat_wire_put_u32(
            w, (uint32_t) (head.len + (size_t) id_len + e->tail.len));
        chat_wire_put_raw(w, head.data, head.len);
        chat_wire_put_raw(w, id, (size_t) id_len);
        chat_wire_put_raw(w, e->tail.data, e->tail.len);
    }
    link_end(p->link);
}

/* Out: requests */

void
front_reply(struct session_link *l, const struct request *r, uint64_t inbox_id,
            const struct str *parts, unsigned n)
{
    static const struct str too_large =
        STR("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":413,"
            "\"message\":\"the answer is too large\","
            "\"data\":{\"reason\":\"answer_too_large\"}}}");
    struct peer *p = front_peer(l);
    struct chat_wire_writer *w;
    size_t len = 0;

    for (unsigned i = 0; i < n; i++) {
        len += parts[i].len;
    }
    if (len > CHAT_WIRE_FRAME_MAX - CHAT_WIRE_HEADER_LEN - 16) {
        parts = &too_large;
        n = 1;
        len = too_large.len;
    }
    w = link_begin(p->link, CHAT_WIRE_REPLY, r->large ? CHAT_WIRE_LARGE : 0, 0,
                   r->number, 16 + len);
    chat_wire_put_u64(w, r->handle);
    chat_wire_put_u64(w, inbox_id);
    for (unsigned i = 0; i < n; i++) {
        chat_wire_put_raw(w, parts[i].data, parts[i].len);
    }
    link_end(p->link);
}

static struct chat_wire_identity
identity_of(const struct token_claims *t)
{
    return (struct chat_wire_identity){
        .user = (const unsigned char *) t->user.data,
        .user_len = t->user.len,
        .device = (const unsigned char *) t->device.data,
        .device_len = t->device.len,
        .jti = (const unsigned char *) t->jti.data,
        .jti_len = t->jti.len,
        .issued_at = t->issued_at,
        .expires_at = t->expires_at,
    };
}

static size_t
identity_size(const struct token_claims *t)
{
    return 3 * 4 + t->user.len + t->device.len + t->jti.len + 2 * 8;
}

void
front_answer(struct session_link *l, const struct request *r,
             const struct front_answer *a, struct str text)
{
    struct peer *p = front_peer(l);
    uint8_t flags =
        (uint8_t) (CHAT_WIRE_RESOURCE | (a->events ? CHAT_WIRE_EVENTS : 0)
                   | (a->wait ? CHAT_WIRE_WAIT : 0)
                   | (a->after_given ? CHAT_WIRE_AFTER : 0)
                   | (a->tagged ? CHAT_WIRE_TAGGED : 0)
                   | (a->token != NULL ? CHAT_WIRE_TOKEN : 0)
                   | (a->paged ? CHAT_WIRE_PAGED : 0));
    size_t token_size = a->token == NULL ? 0 : identity_size(a->token);
    struct chat_wire_identity id;
    struct chat_wire_writer *w =
        link_begin(p->link, CHAT_WIRE_REPLY, flags, 0, r->number,
                   16 + 2 + 4 + 4 + a->allow.len + token_size + text.len);

    chat_wire_put_u64(w, r->handle);
    chat_wire_put_u64(w, a->after);
    chat_wire_put_u16(w, (uint16_t) a->status);
    chat_wire_put_u32(w, a->seconds);
    chat_wire_put_bytes(w, a->allow.data, a->allow.len);
    if (a->token != NULL) {
        id = identity_of(a->token);
        chat_wire_put_identity(w, &id);
    }
    chat_wire_put_raw(w, text.data, text.len);
    link_end(p->link);
}

void
front_reply_nothing(struct session_link *l, uint64_t number, uint64_t handle)
{
    struct request r = {.number = number, .handle = handle};

    front_reply(l, &r, 0, NULL, 0);
}

void
front_request_begin(struct session_link *l, struct request *r)
{
    TAILQ_INSERT_TAIL(&front_peer(l)->requests, r, of_link);
}

void
front_request_end(struct session_link *l, struct request *r)
{
    TAILQ_REMOVE(&front_peer(l)->requests, r, of_link);
}

uint64_t
front_instance(struct session_link *l)
{
    return front_peer(l)->instance;
}

int
front_verify(struct session_link *l, struct call *c, struct str token)
{
    struct peer *p = front_peer(l);
    struct verify *v = malloc(sizeof(*v));
    struct chat_wire_writer *w;

    if (v == NULL) {
        return -1;
    }
    v->call = c;
    TAILQ_INSERT_TAIL(&p->verifies, v, link);
    w = link_begin(p->link, CHAT_WIRE_VERIFY, 0, 0, c->request->number,
                   8 + 4 + token.len);
    chat_wire_put_u64(w, c->request->handle);
    chat_wire_put_bytes(w, token.data, token.len);
    link_end(p->link);
    return 0;
}

void
front_renewed(struct session_link *l, uint64_t handle,
              const struct token_claims *t)
{
    struct peer *p = front_peer(l);
    struct chat_wire_writer *w = link_begin(p->link, CHAT_WIRE_RENEWED, 0, 0,
                                            handle, 4 + t->jti.len + 2 * 8);

    chat_wire_put_bytes(w, t->jti.data, t->jti.len);
    chat_wire_put_u64(w, t->issued_at);
    chat_wire_put_u64(w, t->expires_at);
    link_end(p->link);
}

/* Out: notices and counters */

static void
send_notice(struct peer *p, enum log_level level, const char *line)
{
    struct chat_wire_writer *w =
        link_begin(p->link, CHAT_WIRE_NOTICE, 0, 0, 0, 1 + strlen(line));

    chat_wire_put_u8(w, (uint8_t) level);
    chat_wire_put_raw(w, line, strlen(line));
    link_end(p->link);
}

static struct peer *
first_greeted(struct front *f)
{
    struct peer *p, *found = NULL;

    for (p = TAILQ_FIRST(&f->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_front)) {
        if (p->greeted && (found == NULL || p->index < found->index)) {
            found = p;
        }
    }
    return found;
}

void
front_notice(struct front *f, enum log_level level, const char *line)
{
    struct peer *p = first_greeted(f);
    unsigned n;

    if (p != NULL) {
        send_notice(p, level, line);
        return;
    }

    /* the oldest lines say more about the cause than the newest */
    if (f->n_notices == FRONT_NOTICES_MAX) {
        return;
    }
    n = f->n_notices++;
    f->notice_levels[n] = (uint8_t) level;
    (void) snprintf(f->notices[n], FRONT_NOTICE_SIZE, "%s", line);
}

static void
send_stats(struct peer *p, unsigned source, const uint64_t *values)
{
    struct chat_wire_writer *w =
        link_begin(p->link, CHAT_WIRE_STATS, 0, 0, 0,
                   2 + 4 + (size_t) CHAT_WIRE_NCOUNTERS * 8);

    chat_wire_put_u16(w, (uint16_t) source);
    chat_wire_put_u32(w, CHAT_WIRE_NCOUNTERS);
    for (unsigned i = 0; i < CHAT_WIRE_NCOUNTERS; i++) {
        chat_wire_put_u64(w, values[i]);
    }
    link_end(p->link);
}

static void
own_stats(struct front *f, uint64_t *v)
{
    const struct worker_counters *c = &f->worker->counters;
    struct peer *p;

    memset(v, 0, CHAT_WIRE_NCOUNTERS * sizeof(*v));
    v[CHAT_WIRE_COUNTER_starts] = f->worker->config->starts;
    v[CHAT_WIRE_COUNTER_sessions] = sessions_count(f->worker->sessions);
    v[CHAT_WIRE_COUNTER_requests] = c->requests;
    v[CHAT_WIRE_COUNTER_errors] = c->errors;
    v[CHAT_WIRE_COUNTER_limited] = c->limited;
    v[CHAT_WIRE_COUNTER_pushes] = c->pushes;
    v[CHAT_WIRE_COUNTER_behind] = c->behind;
    v[CHAT_WIRE_COUNTER_pages] = c->pages;
    v[CHAT_WIRE_COUNTER_replays] = c->replays;
    v[CHAT_WIRE_COUNTER_turn_us] = c->turn_us;
    v[CHAT_WIRE_COUNTER_turn_cpu_us] = c->turn_cpu_us;
    for (p = TAILQ_FIRST(&f->peers); p != NULL;
         p = TAILQ_NEXT(p, link_of_front)) {
        v[CHAT_WIRE_COUNTER_queue_bytes] += link_queued(p->link);
    }
}

static void
store_stats(struct front *f, uint64_t *v)
{
    struct storage_stats s = {0};

    storage_stats(f->worker->storage, &s);
    memset(v, 0, CHAT_WIRE_NCOUNTERS * sizeof(*v));
    v[CHAT_WIRE_COUNTER_starts] = s.starts;
    v[CHAT_WIRE_COUNTER_queue_bytes] = s.queue_bytes;
    v[CHAT_WIRE_COUNTER_redis] = s.redis;
    v[CHAT_WIRE_COUNTER_redis_up] = s.redis_up;
    v[CHAT_WIRE_COUNTER_redis_connects] = s.redis_connects;
    v[CHAT_WIRE_COUNTER_redis_failures] = s.redis_failures;
    v[CHAT_WIRE_COUNTER_redis_lag_us] = s.redis_lag_us;
    v[CHAT_WIRE_COUNTER_redis_users] = s.redis_users;
    v[CHAT_WIRE_COUNTER_commits] = s.commits;
    v[CHAT_WIRE_COUNTER_commit_messages] = s.commit_messages;
    v[CHAT_WIRE_COUNTER_commit_failures] = s.commit_failures;
    v[CHAT_WIRE_COUNTER_commit_stall_us] = s.commit_stall_us;
    v[CHAT_WIRE_COUNTER_reopens] = s.reopens;
    v[CHAT_WIRE_COUNTER_lost] = s.lost;
    v[CHAT_WIRE_COUNTER_waiting] = s.waiting;
    v[CHAT_WIRE_COUNTER_cache_bytes] = s.cache_bytes;
    v[CHAT_WIRE_COUNTER_cache_misses] = s.cache_misses;
}

/* Worker 0 speaks for the store too. */
static unsigned
gather_stats(struct front *f, uint64_t now[][CHAT_WIRE_NCOUNTERS])
{
    own_stats(f, now[0]);
    if (f->worker->config->index != 0) {
        return 1;
    }
    store_stats(f, now[1]);
    return FRONT_N_SOURCES;
}

static unsigned
source_of(const struct front *f, unsigned i)
{
    return i == 0 ? 1 + f->worker->config->index : STORE_SOURCE;
}

void
front_stats(struct front *f)
{
    uint64_t now[FRONT_N_SOURCES][CHAT_WIRE_NCOUNTERS];
    unsigned n = gather_stats(f, now);
    struct peer *p;

    for (unsigned i = 0; i < n; i++) {
        if (memcmp(now[i], f->stats[i], sizeof(now[i])) == 0) {
            continue;
        }
        memcpy(f->stats[i], now[i], sizeof(now[i]));
        for (p = TAILQ_FIRST(&f->peers); p != NULL;
             p = TAILQ_NEXT(p, link_of_front)) {
            if (p->greeted) {
                send_stats(p, source_of(f, i), now[i]);
            }
        }
    }
}

void
front_send_greeting(struct peer *p)
{
    struct front *f = p->front;
    uint64_t now[FRONT_N_SOURCES][CHAT_WIRE_NCOUNTERS];
    unsigned n = gather_stats(f, now);

    for (unsigned i = 0; i < n; i++) {
        send_stats(p, source_of(f, i), now[i]);
    }
    for (unsigned i = 0; i < f->n_notices; i++) {
        send_notice(p, f->notice_levels[i], f->notices[i]);
    }
    f->n_notices = 0;
}
