/*
 * Users and sessions: opening and closing, subscribing and what follows from
 * its failure.  stream.c has what happens in between.
 */

#include "session_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <uv.h>

#include "barred.h"
#include "bounds.h"
#include "buf.h"
#include "front.h"
#include "log.h"
#include "touch.h"
#include "watch.h"
#include "worker.h"

#define OPEN_PATIENCE_MS   2000
#define RESUME_PATIENCE_MS 10000
#define RETRY_AFTER_S      1

/* there is one for each connection of all nginx processes */
_Static_assert(sizeof(struct session) <= 200, "session.h: too large");

static void subscribe(struct user *u);

static const void *
name_key(const struct map_entry *e, size_t *len)
{
    const struct user *u = map_container(e, struct user, by_name);

    *len = u->name_len;
    return u->name;
}

static const void *
number_key(const struct map_entry *e, size_t *len)
{
    const struct user *u = map_container(e, struct user, by_number);

    *len = sizeof(u->number);
    return &u->number;
}

static const void *
handle_key(const struct map_entry *e, size_t *len)
{
    const struct session *s = map_container(e, struct session, entry);

    *len = sizeof(s->handle);
    return &s->handle;
}

struct sessions *
sessions_create(struct worker *w)
{
    struct sessions *all = calloc(1, sizeof(*all));

    if (all == NULL) {
        return NULL;
    }
    all->worker = w;
    map_init(&all->by_name, name_key);
    map_init(&all->by_number, number_key);
    TAILQ_INIT(&all->opening);
    TAILQ_INIT(&all->waiting);
    return all;
}

void
sessions_free(struct sessions *all)
{
    struct map_entry *e;
    size_t pos = 0;

    if (all == NULL) {
        return;
    }
    while ((e = map_next(&all->by_name, &pos)) != NULL) {
        free(map_container(e, struct user, by_name));
    }
    map_clear(&all->by_name);
    map_clear(&all->by_number);
    free(all);
}

void
session_link_init(struct session_link *l)
{
    map_init(&l->by_handle, handle_key);
    TAILQ_INIT(&l->parked);
}

struct str
session_user(const struct session *s)
{
    return (struct str){s->user->name, s->user->name_len};
}

struct str
session_device(const struct session *s)
{
    return (struct str){s->device, s->device_len};
}

struct str
session_jti(const struct session *s)
{
    return (struct str){s->jti, s->jti_len};
}

int
session_set_token(struct session *s, struct str jti, uint64_t issued_at)
{
    char *copy = NULL;

    if (jti.len != 0) {
        copy = malloc(jti.len);
        if (copy == NULL) {
            return -1;
        }
        memcpy(copy, jti.data, jti.len);
    }
    free(s->jti);
    s->jti = copy;
    s->jti_len = (uint8_t) jti.len;
    s->issued_at = issued_at;
    return 0;
}

size_t
sessions_count(const struct sessions *all)
{
    return all->count;
}

struct session *
session_find(struct session_link *l, uint64_t handle)
{
    struct map_entry *e = map_find(&l->by_handle, &handle, sizeof(handle));

    return e == NULL ? NULL : map_container(e, struct session, entry);
}

static struct user *
user_create(struct sessions *all, struct str name)
{
    size_t size = offsetof(struct user, name) + name.len;
    struct user *u = calloc(1, size < sizeof(*u) ? sizeof(*u) : size);

    if (u == NULL) {
        return NULL;
    }
    u->all = all;
    u->name_len = (uint8_t) name.len;
    memcpy(u->name, name.data, name.len);
    TAILQ_INIT(&u->sessions);
    if (map_insert(&all->by_name, &u->by_name) != 0) {
        free(u);
        return NULL;
    }
    return u;
}

static void
user_free(struct user *u)
{
    if (u->state == USER_STALE) {
        u->all->n_stale--;
    }
    if (u->number != 0) {
        map_remove(&u->all->by_number, &u->by_number);
    }
    map_remove(&u->all->by_name, &u->by_name);
    free(u);
}

static void
unsubscribe_done(const struct storage_result *r, void *data)
{
    (void) r;
    (void) data;
}

/* The last session is gone.  Events still on their way find no user. */
static void
user_leave(struct user *u)
{
    struct storage_op op = {
        .type = STORAGE_UNSUBSCRIBE,
        .user = {u->name, u->name_len},
        .number = u->number,
    };

    if (u->number != 0) {
        storage_submit(u->all->worker->storage, &op, unsubscribe_done, NULL);
    }
    user_free(u);
}

/* The number is the user's for good; only a store that was replaced by
 * another gives a new one. */
static int
user_set_number(struct user *u, uint64_t number)
{
    if (number == u->number) {
        return 0;
    }
    if (u->number != 0) {
        map_remove(&u->all->by_number, &u->by_number);
        u->number = 0;
    }
    if (number == 0
        || map_find(&u->all->by_number, &number, sizeof(number)) != NULL) {
        return -1;
    }
    u->number = number;
    if (map_insert(&u->all->by_number, &u->by_number) != 0) {
        u->number = 0;
        return -1;
    }
    return 0;
}

static void
put_param(struct buf *b, const char *name, struct str value)
{
    buf_put(b, name, strlen(name));
    buf_put_json_str(b, value);
}

static void
put_limit(struct buf *b, const char *name, uint64_t value)
{
    buf_put(b, name, strlen(name));
    buf_put_u64(b, value);
}

static void
put_limits(struct buf *b, const struct session *s)
{
    put_limit(b, ",\"limits\":{\"text_chars\":", LIMIT_TEXT_CHARS);
    put_limit(b, ",\"message_bytes\":", s->message_max);
    put_limit(b, ",\"batch\":", LIMIT_BATCH);
    put_limit(b, ",\"client_id_bytes\":", STORAGE_ID_MAX);
    put_limit(b, ",\"group_members\":", STORAGE_MEMBERS_MAX);
    put_limit(b, ",\"name_chars\":", STORAGE_NAME_CHARS);
    put_limit(b, ",\"avatar_bytes\":", STORAGE_AVATAR_MAX);
    put_limit(b, ",\"mentions\":", LIMIT_MENTIONS);
    put_limit(b, ",\"emoji_bytes\":", STORAGE_EMOJI_MAX);
    put_limit(b, ",\"reactions\":", STORAGE_REACTIONS_MAX);
    put_limit(b, ",\"history_limit\":", STORAGE_HISTORY_LIMIT);
    put_limit(b, ",\"list_limit\":", STORAGE_LIST_LIMIT);
    put_limit(b, ",\"sync_limit\":", STORAGE_INBOX_LIMIT);
    if (s->rate != 0) {
        put_limit(b, ",\"rate_per_minute\":", (uint64_t) s->rate * 60 / 1000);
        put_limit(b, ",\"burst\":", s->burst);
    }
    buf_put_char(b, '}');
}

static void
random_id(char out[17])
{
    uint64_t v;

    /* cannot fail for so few bytes once the system is up */
    if (getrandom(&v, sizeof(v), 0) != (ssize_t) sizeof(v)) {
        v = uv_hrtime();
    }
    (void) snprintf(out, 17, "%016" PRIx64, v);
}

static void
put_ready(struct buf *b, const struct session *s)
{
    char id[17];

    random_id(id);
    buf_put_lit(b, "{\"jsonrpc\":\"2.0\",\"method\":\"session.ready\","
                   "\"params\":{");
    put_param(b, "\"user\":", session_user(s));
    put_param(b, ",\"device\":", session_device(s));
    put_param(b, ",\"session\":", (struct str){id, 16});
    put_limit(b, ",\"inbox_id\":", s->user->newest);
    put_limit(b, ",\"server_time\":", worker_now_ms());
    put_limit(b, ",\"heartbeat\":", s->heartbeat_s);
    put_limits(b, s);
    buf_put_lit(b, "}}");
}

void
session_refuse(struct session *s)
{
    struct sessions *all = s->user->all;

    front_refuse(s->link, s->handle, 503, RETRY_AFTER_S, STR("unavailable"),
                 STR("the message store does not answer"));
    session_close(all, s);
}

/* The user is subscribed: the stream has a place to start from.  Before the
 * token is known to be good nothing is said. */
void
session_become_ready(struct session *s)
{
    uint64_t newest = s->user->newest;
    struct buf text = {0};

    if (s->touch != NULL) {
        return;
    }
    if (!s->after_given || s->cursor > newest) {
        s->cursor = newest;
    }
    if (s->resumed) {
        buf_put_lit(&text, "{\"jsonrpc\":\"2.0\",\"method\":"
                           "\"session.resumed\",\"params\":{}}");
    } else {
        put_ready(&text, s);
    }
    if (buf_failed(&text)) {
        buf_clear(&text);
        session_refuse(s);
        return;
    }
    front_ready(s->link, s->handle, s->cursor, session_device(s),
                buf_str(&text));
    buf_clear(&text);
    stream_start(s);
}

/* A connection that lived before is kept for as long as sessions_tick lets it
 * wait. */
static void
refuse_opening(struct user *u)
{
    struct session *s, *next;

    for (s = TAILQ_FIRST(&u->sessions); s != NULL; s = next) {
        next = TAILQ_NEXT(s, of_user);
        if (s->state == SESSION_OPENING && !s->resumed) {
            session_refuse(s);
        }
    }
}

static void
subscribe_done(const struct storage_result *r, void *data)
{
    struct user *u = data;
    struct sessions *all = u->all;
    struct session *s, *next;

    if (r->status != STORAGE_OK || user_set_number(u, r->number) != 0) {
        /* the record must outlive its last session's refusal */
        if (barred_is(r->status)) {
            barred_end(u, r->status);
        } else {
            refuse_opening(u);
        }
        u->state = USER_STALE;
        all->n_stale++;
        if (TAILQ_EMPTY(&u->sessions)) {
            user_leave(u);
        }
        return;
    }

    u->newest = r->inbox_id;
    if (TAILQ_EMPTY(&u->sessions)) {
        u->state = USER_SUBSCRIBED;
        user_leave(u);
        return;
    }
    for (s = TAILQ_FIRST(&u->sessions); s != NULL; s = next) {
        next = TAILQ_NEXT(s, of_user);
        if (s->state == SESSION_OPENING) {
            session_become_ready(s);
        } else {
            stream_catch_up(s);
        }
    }
    u->state = USER_SUBSCRIBED;
    if (TAILQ_EMPTY(&u->sessions)) {
        user_leave(u);
    }
    stream_pump(all);
}

static void
subscribe(struct user *u)
{
    struct storage_op op = {
        .type = STORAGE_SUBSCRIBE,
        .flags = STORAGE_CONNECT,
        .user = {u->name, u->name_len},
        .number = u->number,
    };

    if (u->state == USER_STALE) {
        u->all->n_stale--;
    }
    u->state = USER_SUBSCRIBING;
    storage_submit(u->all->worker->storage, &op, subscribe_done, u);
}

static struct session *
session_create(struct session_link *l, struct user *u,
               const struct session_open *o)
{
    struct str device = o->device;
    char made[17];

    if (device.len == 0) {
        random_id(made);
        device = (struct str){made, 16};
    }

    size_t size = offsetof(struct session, device) + device.len;
    struct session *s = calloc(1, size < sizeof(*s) ? sizeof(*s) : size);

    if (s == NULL) {
        return NULL;
    }
    s->handle = o->handle;
    s->link = l;
    s->user = u;
    s->cursor = o->after;
    s->opened_ms = uv_now(u->all->worker->loop);
    s->heartbeat_s = o->heartbeat_s;
    s->message_max = o->message_max;
    s->rate = o->rate;
    s->burst = o->burst;
    s->after_given = o->after_given || o->resumed;
    s->resumed = o->resumed;
    s->refuse_unknown = o->refuse_unknown;
    s->device_len = (uint8_t) device.len;
    memcpy(s->device, device.data, device.len);
    if (session_set_token(s, o->jti, o->issued_at) != 0
        || map_insert(&l->by_handle, &s->entry) != 0) {
        free(s->jti);
        free(s);
        return NULL;
    }
    s->state = SESSION_OPENING;
    TAILQ_INSERT_TAIL(&u->all->opening, s, list);
    TAILQ_INSERT_TAIL(&u->sessions, s, of_user);
    u->all->count++;
    return s;
}

static void
refuse_open(struct session_link *l, const struct session_open *o)
{
    front_refuse(l, o->handle, 503, RETRY_AFTER_S, STR("unavailable"),
                 STR("out of memory"));
}

void
session_open(struct sessions *all, struct session_link *l,
             const struct session_open *o)
{
    struct session *s = session_find(l, o->handle);
    struct map_entry *e;
    struct user *u;
    bool new_user;

    if (s != NULL) {
        session_close(all, s);
    }
    e = map_find(&all->by_name, o->user.data, o->user.len);
    new_user = e == NULL;
    u = new_user ? user_create(all, o->user)
                 : map_container(e, struct user, by_name);
    if (u == NULL) {
        refuse_open(l, o);
        return;
    }

    s = session_create(l, u, o);
    if (s == NULL) {
        if (new_user) {
            user_free(u);
        }
        refuse_open(l, o);
        return;
    }
    log_debug("session %" PRIu64 ": open, after %" PRIu64, o->handle, o->after);

    /* a user comes to be by his subscription, so that goes ahead */
    if (new_user || u->state == USER_STALE) {
        subscribe(u);
        s = session_find(l, o->handle);
    }
    if (s == NULL) {
        return;
    }
    if (o->device.len == 0 && o->jti.len == 0) {
        if (u->state == USER_SUBSCRIBED && s->state == SESSION_OPENING) {
            session_become_ready(s);
        }
    } else if (touch_opening(s, o->device.len != 0) != 0) {
        session_refuse(s);
    }
}

void
session_close(struct sessions *all, struct session *s)
{
    struct user *u = s->user;
    struct session_list *list = stream_list(s);

    log_debug("session %" PRIu64 ": closed", s->handle);
    if (list != NULL) {
        TAILQ_REMOVE(list, s, list);
    }
    stream_forget_page(s);
    touch_closing(s);
    watch_forget(s);
    if (s->pages != NULL) {
        s->pages->gone(s);
    }
    map_remove(&s->link->by_handle, &s->entry);
    TAILQ_REMOVE(&u->sessions, s, of_user);
    all->count--;
    free(s->jti);
    free(s);
    if (TAILQ_EMPTY(&u->sessions) && u->state != USER_SUBSCRIBING) {
        user_leave(u);
    }
}

void
session_link_clear(struct sessions *all, struct session_link *l)
{
    struct map_entry *e;
    size_t pos = 0;

    while ((e = map_next(&l->by_handle, &pos)) != NULL) {
        session_close(all, map_container(e, struct session, entry));
    }
    map_clear(&l->by_handle);
}

void
sessions_end_device(struct sessions *all, struct str user, struct str device)
{
    struct map_entry *e = map_find(&all->by_name, user.data, user.len);
    struct user *u = e == NULL ? NULL : map_container(e, struct user, by_name);
    struct session *s = u == NULL ? NULL : TAILQ_FIRST(&u->sessions);

    for (; s != NULL; s = TAILQ_NEXT(s, of_user)) {
        if (str_eq(session_device(s), device) && !s->ended) {
            s->ended = true;
            front_end(s->link, s->handle, 1008, STR("device_removed"));
        }
    }
}

/* The storage forgot who is here, or events were dropped. */
static void
subscribe_all(struct sessions *all)
{
    struct map_entry *e;
    size_t pos = 0;

    while ((e = map_next(&all->by_name, &pos)) != NULL) {
        struct user *u = map_container(e, struct user, by_name);

        if (u->state != USER_SUBSCRIBING) {
            subscribe(u);
        }
    }
}

void
sessions_reset(struct sessions *all)
{
    struct map_entry *e;
    struct session *s;
    size_t pos = 0;

    subscribe_all(all);
    touch_all(all);
    while ((e = map_next(&all->by_name, &pos)) != NULL) {
        struct user *u = map_container(e, struct user, by_name);

        for (s = TAILQ_FIRST(&u->sessions); s != NULL;
             s = TAILQ_NEXT(s, of_user)) {
            if (s->watches != NULL) {
                watch_again(s);
            }
        }
    }
}

void
sessions_lost(struct sessions *all)
{
    subscribe_all(all);
    touch_all(all);
}

static void
subscribe_stale(struct sessions *all)
{
    struct map_entry *e;
    size_t pos = 0;

    while (all->n_stale != 0 && (e = map_next(&all->by_name, &pos)) != NULL) {
        struct user *u = map_container(e, struct user, by_name);

        if (u->state == USER_STALE) {
            subscribe(u);
        }
    }
}

void
sessions_tick(struct sessions *all)
{
    uint64_t now = uv_now(all->worker->loop);
    struct session *s, *next;

    for (s = TAILQ_FIRST(&all->opening); s != NULL; s = next) {
        uint64_t patience = s->resumed ? RESUME_PATIENCE_MS : OPEN_PATIENCE_MS;

        next = TAILQ_NEXT(s, list);
        if (now - s->opened_ms >= patience) {
            session_refuse(s);
        }
    }
    subscribe_stale(all);
    stream_pump(all);
}
