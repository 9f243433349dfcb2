/*
 * Two lists: who is to be told, and those whose key was written, oldest
 * first.  A reconnect makes every key due, for Redis may have lost them; who
 * came or went meanwhile is to be told already.  One who went is forgotten
 * when Redis has answered the DEL.
 */

#include "presence_local.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "log.h"
#include "map.h"
#include "redis_conn.h"

#define FAILURE_MS 60000 /* so often at most a refusal is logged */

struct entry {
    struct map_entry map;
    TAILQ_ENTRY(entry) link;
    struct local *local;
    uint64_t number;
    uint64_t version;
    uint64_t at;
    uint64_t written;  /* loop time                            */
    uint32_t life;     /* of the connection it was written over */
    uint32_t n_ending; /* DELs without an answer               */
    bool online;
    bool due; /* in the list of those to be told; else written, or ended */
    uint8_t name_len;
    char name[];
};

TAILQ_HEAD(entry_list, entry);

struct local {
    struct local_config config;
    struct map entries;
    struct entry_list due, written;
    size_t n_written;
    uint64_t epoch, version, number;
    uint64_t ttl_ms;
    uint64_t whole_at;  /* not before this loop time; 0: not known yet     */
    uint32_t life;      /* of the connection: how often it came up    */
    uint64_t failed_at; /* of the last refusal; 0: none since         */
    uint64_t now;       /* of the last pump, for answers              */
    uint64_t logged_at;
    uint64_t n_failures;
    size_t refresh; /* keys that may be written again before the next tick */
    struct buf frame, value;
    bool rows; /* in the frame */
};

static const void *
entry_key(const struct map_entry *map, size_t *len)
{
    const struct entry *e = map_container(map, struct entry, map);

    *len = e->name_len;
    return e->name;
}

struct local *
local_create(const struct local_config *config)
{
    struct local *l = calloc(1, sizeof(*l));
    struct timespec t;

    if (l != NULL) {
        l->config = *config;
        map_init(&l->entries, entry_key);
        TAILQ_INIT(&l->due);
        TAILQ_INIT(&l->written);
        clock_gettime(CLOCK_REALTIME, &t);

        /* microseconds: nobody changes as often in the long run */
        l->epoch = (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
        l->version = l->epoch;
        local_set_timeout(l, 0);
    }
    return l;
}

void
local_free(struct local *l)
{
    struct map_entry *map;
    size_t pos = 0;

    if (l == NULL) {
        return;
    }
    while ((map = map_next(&l->entries, &pos)) != NULL) {
        map_remove(&l->entries, map);
        free(map_container(map, struct entry, map));
    }
    map_clear(&l->entries);
    buf_clear(&l->frame);
    buf_clear(&l->value);
    free(l);
}

void
local_set_timeout(struct local *l, unsigned s)
{
    l->ttl_ms = s * 1500ull;
    if (l->ttl_ms < LOCAL_TTL_MS) {
        l->ttl_ms = LOCAL_TTL_MS;
    }
}

uint32_t
local_ttl_s(const struct local *l)
{
    return (uint32_t) (l->ttl_ms / 1000);
}

static void
unlist(struct local *l, struct entry *e)
{
    if (e->due) {
        TAILQ_REMOVE(&l->due, e, link);
        e->due = false;
    } else if (e->online) {
        TAILQ_REMOVE(&l->written, e, link);
        l->n_written--;
    }
}

static void
make_due(struct local *l, struct entry *e)
{
    e->due = true;
    TAILQ_INSERT_TAIL(&l->due, e, link);
}

static void
forget_if_ended(struct local *l, struct entry *e)
{
    if (!e->online && !e->due && e->n_ending == 0) {
        map_remove(&l->entries, &e->map);
        free(e);
    }
}

static struct entry *
entry_make(struct local *l, struct str user)
{
    struct entry *e = calloc(1, sizeof(*e) + user.len);

    if (e == NULL) {
        return NULL;
    }
    e->local = l;
    e->name_len = (uint8_t) user.len;
    memcpy(e->name, user.data, user.len);
    if (map_insert(&l->entries, &e->map) != 0) {
        free(e);
        return NULL;
    }
    return e;
}

void
local_set(struct local *l, uint64_t number, struct str user, bool online,
          uint64_t at)
{
    struct map_entry *map = map_find(&l->entries, user.data, user.len);
    struct entry *e;

    if (map != NULL) {
        e = map_container(map, struct entry, map);
        unlist(l, e);
    } else if (!online || (e = entry_make(l, user)) == NULL) {
        return;
    }
    e->number = number;
    e->online = online;
    e->at = at;
    e->version = ++l->version;
    make_due(l, e);
}

void
local_ready(struct local *l, uint64_t now)
{
    if (l->whole_at == 0) {
        l->whole_at = now + LOCAL_START_MS;
    }
}

void
local_up(struct local *l)
{
    l->life++;
    l->failed_at = 0;
}

/* A refusal of this server; the key is written again in its turn. */
static void
refused(struct local *l, const redisReply *reply)
{
    l->n_failures++;
    l->failed_at = l->now;
    if (l->logged_at == 0 || l->now - l->logged_at > FAILURE_MS) {
        log_warn("redis refuses: %.100s", reply->str);
        l->logged_at = l->now;
    }
}

static void
on_done(const redisReply *reply, void *data)
{
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
        refused(data, reply);
    }
}

static void
on_ended(const redisReply *reply, void *data)
{
    struct entry *e = data;
    struct local *l = e->local;

    e->n_ending--;
    if (reply == NULL && !e->online && !e->due) {
        make_due(l, e);
    } else {
        on_done(reply, l);
        forget_if_ended(l, e);
    }
}

static bool
room(const struct redis *r)
{
    return redis_pending(r) < LOCAL_PIPELINE;
}

static int
send_key(struct local *l, struct redis *r, struct entry *e)
{
    char key[PRESENCE_KEY_MAX];
    char ttl[24];
    size_t len = presence_key(key, (struct str){e->name, e->name_len},
                              l->config.machine);
    struct presence_row row = {.version = e->version, .at = e->at};

    if (!e->online) {
        const char *const argv[] = {"DEL", key};
        const size_t lens[] = {3, len};

        return redis_command(r, on_ended, e, 2, argv, lens);
    }
    buf_reset(&l->value, 256);
    presence_put_value(&l->value, &row);
    if (buf_failed(&l->value)) {
        return -1;
    }

    const char *const argv[] = {"SET", key, l->value.data, "PX", ttl};
    size_t lens[] = {3, len, l->value.len, 2, 0};

    lens[4] = (size_t) snprintf(ttl, sizeof(ttl), "%" PRIu64, l->ttl_ms);
    return redis_command(r, on_done, l, 5, argv, lens);
}

/* Every user who is online has his key, as far as Redis said nothing else. */
static bool
is_whole(const struct local *l)
{
    const struct entry *oldest = TAILQ_FIRST(&l->written);

    return l->whole_at != 0 && l->now >= l->whole_at && TAILQ_EMPTY(&l->due)
           && (oldest == NULL || oldest->life == l->life)
           && (l->failed_at == 0 || l->now - l->failed_at > l->ttl_ms);
}

/* One that was not sent is missed by its number. */
static uint64_t
send_frame(struct local *l, struct redis *r)
{
    const char *channel = l->config.channel;
    const char *const argv[] = {"PUBLISH", channel, l->frame.data};
    const size_t lens[] = {7, strlen(channel), l->frame.len};
    bool sent = !buf_failed(&l->frame)
                && redis_command(r, on_done, l, 3, argv, lens) == 0;

    l->rows = false;
    buf_reset(&l->frame, LOCAL_FRAME * 2);
    return sent ? l->number : 0;
}

static void
begin_frame(struct local *l)
{
    struct presence_head head = {.epoch = l->epoch,
                                 .number = ++l->number,
                                 .ttl_s = local_ttl_s(l),
                                 .whole = is_whole(l)};

    memcpy(head.machine, l->config.machine, PRESENCE_MACHINE);
    presence_put_head(&l->frame, &head);
}

static void
put_row(struct local *l, struct redis *r, const struct entry *e)
{
    struct presence_row row = {
        {e->name, e->name_len},
        e->online, e->version, e->at
    };

    if (!l->rows) {
        begin_frame(l);
        l->rows = true;
    }
    presence_put_row(&l->frame, &row);
    if (l->frame.len >= LOCAL_FRAME) {
        (void) send_frame(l, r);
    }
}

static void
pump_due(struct local *l, struct redis *r, unsigned *budget)
{
    struct entry *e;

    while ((e = TAILQ_FIRST(&l->due)) != NULL && *budget != 0 && room(r)) {
        if (send_key(l, r, e) != 0) {
            return;
        }
        (*budget)--;
        put_row(l, r, e);
        TAILQ_REMOVE(&l->due, e, link);
        e->due = false;
        if (e->online) {
            e->written = l->now;
            e->life = l->life;
            TAILQ_INSERT_TAIL(&l->written, e, link);
            l->n_written++;
        } else {
            e->n_ending++;
        }
    }
}

/* The oldest first: after a reconnect all of them, else as the tick allows. */
static void
pump_written(struct local *l, struct redis *r, unsigned *budget)
{
    struct entry *e;

    while ((e = TAILQ_FIRST(&l->written)) != NULL && *budget != 0 && room(r)) {
        if (e->life == l->life) {
            if (l->refresh == 0 || l->now - e->written < l->ttl_ms / 6) {
                return;
            }
            l->refresh--;
        }

        /* what the storage could not tell for want of memory */
        if (!l->config.here(e->number, l->config.data)) {
            local_set(l, e->number, (struct str){e->name, e->name_len}, false,
                      e->at);
            continue;
        }
        if (send_key(l, r, e) != 0) {
            return;
        }
        (*budget)--;
        e->written = l->now;
        e->life = l->life;
        TAILQ_REMOVE(&l->written, e, link);
        TAILQ_INSERT_TAIL(&l->written, e, link);
    }
}

void
local_pump(struct local *l, struct redis *r, uint64_t now)
{
    unsigned budget = LOCAL_SLICE;

    l->now = now;
    pump_due(l, r, &budget);
    pump_written(l, r, &budget);
    if (l->rows) {
        (void) send_frame(l, r);
    }
}

/* In a third of their time to live all are written once, evenly. */
void
local_tick(struct local *l, uint64_t now)
{
    l->now = now;
    l->refresh = l->n_written * LOCAL_TICK_MS / (l->ttl_ms / 3) + 1;
}

uint64_t
local_beat(struct local *l, struct redis *r, uint64_t now)
{
    l->now = now;
    begin_frame(l);
    return send_frame(l, r);
}

uint64_t
local_epoch(const struct local *l)
{
    return l->epoch;
}

uint64_t
local_failures(const struct local *l)
{
    return l->n_failures;
}

size_t
local_users(const struct local *l)
{
    return l->entries.count;
}
