/* PRESENCE_START, LEFT, and the events; see storage_presence.h. */

#include "storage_presence.h"

#include <stdlib.h>

#include "log.h"
#include "storage_contact.h"
#include "storage_watch.h"

#define PRESENCE_BATCH 16384 /* users written behind at once */

/* One who is online and has no connection. */
struct away {
    struct map_entry entry;
    TAILQ_ENTRY(away) link;
    uint64_t number;
    uint64_t until; /* loop time */
    uint64_t at;    /* last active, ms since the epoch */
};

/* To be written behind; the newest of a user. */
struct presence_write {
    struct map_entry entry;
    TAILQ_ENTRY(presence_write) link;
    uint64_t number;
    uint64_t at;
    bool online;
};

/* A mark of one who was online at the end of the last run. */
struct presence_mark {
    uint64_t number;
    uint64_t at;
    uint32_t name_at; /* in the names               */
    uint8_t name_len; /* 0: nobody wants to know it */
};

struct presence_scan {
    struct read_job job;
    struct request *request;
    size_t n, cap;
    struct presence_mark *marks;
    bool named; /* with their names */
    struct buf names;
};

static void away_set(struct embedded *e, uint64_t number, uint64_t at);
static void away_free(struct embedded *e, struct away *a);
static bool presence_is_over(struct embedded *e, uint64_t number);
static void presence_write(struct embedded *e, uint64_t number, uint64_t at,
                           bool online);
static void presence_write_free(struct embedded *e, struct presence_write *p);
static void presence_present(struct embedded *e, uint64_t number,
                             struct str name, bool online, uint64_t at);
static void presence_changed(struct embedded *e, uint64_t number, bool online,
                             uint64_t at);
static enum step presence_changed_step(struct embedded *e, struct request *r);
static void presence_set_timeout(struct embedded *e, uint64_t timeout_ms);
static void presence_scan(struct embedded *e, struct request *r);
static int presence_scan_run(struct read_job *job, const struct reader *r);
static void presence_scan_done(struct embedded *e, struct read_job *job);


static const void *
away_key(const struct map_entry *entry, size_t *len)
{
    const struct away *a = map_container(entry, struct away, entry);

    *len = sizeof(a->number);
    return &a->number;
}


static const void *
presence_write_key(const struct map_entry *entry, size_t *len)
{
    const struct presence_write *p =
        map_container(entry, struct presence_write, entry);

    *len = sizeof(p->number);
    return &p->number;
}


void
presence_open(struct embedded *e)
{
    e->presence_timeout_ms = PRESENCE_TIMEOUT_MS;
    map_init(&e->away, away_key);
    TAILQ_INIT(&e->away_list);
    map_init(&e->presence_writes, presence_write_key);
    TAILQ_INIT(&e->presence_write_list);
    watch_open(e);
}


void
presence_close(struct embedded *e)
{
    struct presence_write *p;
    struct away *a;

    while ((a = TAILQ_FIRST(&e->away_list)) != NULL) {
        away_free(e, a);
    }

    while ((p = TAILQ_FIRST(&e->presence_write_list)) != NULL) {
        presence_write_free(e, p);
    }

    map_clear(&e->away);
    map_clear(&e->presence_writes);
    watch_close(e);
}


static struct away *
away_find(struct embedded *e, uint64_t number)
{
    struct map_entry *entry = map_find(&e->away, &number, sizeof(number));

    return entry == NULL ? NULL : map_container(entry, struct away, entry);
}


/* Those who are away stand in the order in which they will be offline. */
static void
away_set(struct embedded *e, uint64_t number, uint64_t at)
{
    struct away *a = away_find(e, number);

    if (a == NULL) {
        a = calloc(1, sizeof(*a));
        if (a == NULL) {
            return;
        }

        a->number = number;

        if (map_insert(&e->away, &a->entry) != 0) {
            free(a);
            return;
        }

    } else {
        TAILQ_REMOVE(&e->away_list, a, link);
    }

    a->at = at;
    a->until = uv_now(e->loop) + e->presence_timeout_ms;
    TAILQ_INSERT_TAIL(&e->away_list, a, link);
}


static void
away_free(struct embedded *e, struct away *a)
{
    map_remove(&e->away, &a->entry);
    TAILQ_REMOVE(&e->away_list, a, link);
    free(a);
}


bool
presence_here(struct embedded *e, uint64_t number)
{
    return embedded_subscribed(e, number) || away_find(e, number) != NULL;
}


static bool
presence_elsewhere(struct embedded *e, struct str name)
{
    return e->handlers.elsewhere != NULL
           && e->handlers.elsewhere(name, e->handlers.data_presence);
}


bool
presence_online(struct embedded *e, uint64_t number, struct str name)
{
    return presence_here(e, number) || presence_elsewhere(e, name);
}


uint64_t
presence_active_at(struct embedded *e, const struct user *u)
{
    const struct away *a;

    if (embedded_subscribed(e, u->number)
        || presence_elsewhere(e, user_name(u))) {
        return embedded_now();
    }

    a = away_find(e, u->number);
    return a != NULL && a->at > u->active_at ? a->at : u->active_at;
}


void
presence_enter(struct embedded *e, uint64_t number, bool was_subscribed)
{
    struct away *a = away_find(e, number);

    if (a != NULL) {
        away_free(e, a);

    } else if (!was_subscribed) {
        presence_write(e, number, embedded_now(), true);
        presence_changed(e, number, true, embedded_now());
    }
}


void
presence_leave(struct embedded *e, uint64_t number)
{
    uint64_t now = embedded_now();

    if (presence_is_over(e, number)) {
        presence_changed(e, number, false, 0);
        return;
    }

    presence_write(e, number, now, true);
    away_set(e, number, now);
}


/* A deleted user's, while he is in memory: later nothing brings it back. */
static bool
presence_is_over(struct embedded *e, uint64_t number)
{
    struct map_entry *entry;

    entry = map_find(&e->users_by_number, &number, sizeof(number));
    return entry != NULL
           && map_container(entry, struct user, by_number)->deleted;
}


void
presence_forget(struct embedded *e, struct user *u)
{
    struct away *a = away_find(e, u->number);
    struct map_entry *entry;

    /* without a connection nothing else would tell that he is gone */
    if (a != NULL) {
        away_free(e, a);
        presence_changed(e, u->number, false, 0);
    }

    entry = map_find(&e->presence_writes, &u->number, sizeof(u->number));

    if (entry != NULL) {
        presence_write_free(e,
                            map_container(entry, struct presence_write, entry));
    }

    u->active_at = 0;
}


void
presence_touch(struct embedded *e, uint64_t number)
{
    bool online = presence_here(e, number);
    uint64_t now = embedded_now();

    if (embedded_subscribed(e, number)) {
        return;
    }

    presence_write(e, number, now, true);
    away_set(e, number, now);

    if (!online) {
        presence_changed(e, number, true, now);
    }
}


void
presence_tick(struct embedded *e)
{
    struct away *a;

    while ((a = TAILQ_FIRST(&e->away_list)) != NULL
           && a->until <= uv_now(e->loop)) {
        presence_write(e, a->number, a->at, false);
        presence_changed(e, a->number, false, a->at);
        away_free(e, a);
    }
}


static void
presence_write(struct embedded *e, uint64_t number, uint64_t at, bool online)
{
    struct map_entry *entry;
    struct presence_write *p;
    struct user *u;

    entry = map_find(&e->users_by_number, &number, sizeof(number));

    if (entry != NULL) {
        u = map_container(entry, struct user, by_number);
        u->active_at = at;
    }

    entry = map_find(&e->presence_writes, &number, sizeof(number));

    if (entry != NULL) {
        p = map_container(entry, struct presence_write, entry);

    } else {
        p = calloc(1, sizeof(*p));
        if (p == NULL) {
            return;
        }

        p->number = number;

        if (map_insert(&e->presence_writes, &p->entry) != 0) {
            free(p);
            return;
        }

        TAILQ_INSERT_TAIL(&e->presence_write_list, p, link);
    }

    p->at = at;
    p->online = online;
}


static void
presence_write_free(struct embedded *e, struct presence_write *p)
{
    map_remove(&e->presence_writes, &p->entry);
    TAILQ_REMOVE(&e->presence_write_list, p, link);
    free(p);
}


uint32_t
presence_flush(struct embedded *e)
{
    struct presence_write *p;
    struct key key;
    bool deleted = false;
    uint32_t n;

    for (n = 0; n < PRESENCE_BATCH
                && (p = TAILQ_FIRST(&e->presence_write_list)) != NULL;
         n++) {
        (void) embedded_record(e);
        record_put_u64(&e->record, p->at);
        key_active(&key, p->number);
        e->ops->batch_put(e->behind, key_str(&key), buf_str(&e->record));
        key_online(&key, p->number);

        if (p->online) {
            e->ops->batch_put(e->behind, key_str(&key), buf_str(&e->record));

        } else {
            e->ops->batch_delete(e->behind, key_str(&key));
            deleted = true;
        }

        presence_write_free(e, p);
    }

    /* A seek that finds nothing in the kinds before ends here, and does not
     * go over all that is deleted behind it: a store whose whole crowd went
     * offline after a crash else takes milliseconds to load a user. */
    if (deleted) {
        (void) embedded_record(e);
        record_put_u64(&e->record, 0);
        key_online(&key, KEY_NOBODY);
        e->ops->batch_put(e->behind, key_str(&key), buf_str(&e->record));
    }

    return n;
}


/* Told by a request of its own: the user has to be loaded for it. */
static void
presence_changed(struct embedded *e, uint64_t number, bool online, uint64_t at)
{
    struct storage_op op = {.number = number, .limit = online, .after = at};
    struct request *r;

    if (e->state != EMBEDDED_OPEN || e->closing) {
        return;
    }

    r = request_create(e, &op, NULL, NULL);

    if (r != NULL) {
        r->step = presence_changed_step;
        request_wake(e, r);
    }
}


static enum step
presence_changed_step(struct embedded *e, struct request *r)
{
    struct user *u = user_by_number(e, r->op.number);
    bool online = r->op.limit != 0;

    if (u != NULL && u->state == OBJECT_LOADING) {
        request_wait(&u->waiters, r);
        return STEP_WAIT;
    }

    /* Who came back meanwhile was never away for others. */
    if (u != NULL && u->state == OBJECT_READY
        && presence_here(e, u->number) == online) {
        presence_present(e, u->number, user_name(u), online, r->op.after);

        if (!presence_elsewhere(e, user_name(u))) {
            watch_tell(e, u, online, r->op.after);
        }
    }

    return request_answer(e, r, STORAGE_OK);
}


static void
presence_present(struct embedded *e, uint64_t number, struct str name,
                 bool online, uint64_t at)
{
    if (e->handlers.present != NULL && !e->closing) {
        e->handlers.present(number, name, online, at,
                            e->handlers.data_presence);
    }
}


/* ELSEWHERE: here he may be online as well, or unknown. */
enum step
elsewhere_step(struct embedded *e, struct request *r)
{
    bool online = r->op.limit != 0;
    struct user *u = user_by_name(e, r->op.user);

    if (u != NULL && u->state == OBJECT_LOADING) {
        request_wait(&u->waiters, r);
        return STEP_WAIT;
    }

    /* to be told again of who is barred or cannot be read helps nobody */
    if (u != NULL && u->state == OBJECT_READY && !u->deleted && !u->disabled
        && !presence_here(e, u->number)) {
        if (r->op.after > u->active_at) {
            presence_write(e, u->number, r->op.after, false);
        }

        if (presence_online(e, u->number, user_name(u)) == online) {
            watch_tell(e, u, online, r->op.after);
        }
    }

    return request_answer(e, r, STORAGE_OK);
}


/* LEFT: the worker of these users is gone, and with it their connections. */
enum step
left_step(struct embedded *e, struct request *r)
{
    const unsigned char *p = (const unsigned char *) r->op.text.data;
    size_t i;

    for (i = 0; i + 8 <= r->op.text.len; i += 8) {
        uint64_t number = 0;
        unsigned k;

        for (k = 0; k < 8; k++) {
            number = number << 8 | p[i + k];
        }

        embedded_left(e, number);
    }

    return request_answer(e, r, STORAGE_OK);
}


/* It counts for those who are away already, who so stay in order. */
static void
presence_set_timeout(struct embedded *e, uint64_t timeout_ms)
{
    struct away *a;

    TAILQ_FOREACH(a, &e->away_list, link)
    {
        a->until += timeout_ms - e->presence_timeout_ms;
    }

    e->presence_timeout_ms = timeout_ms;
}


/* PRESENCE_START: the timeout; the first time, who was online. */
enum step
presence_start_step(struct embedded *e, struct request *r)
{
    presence_set_timeout(e, r->op.limit * 1000ull);

    if (e->presence_started) {
        return request_answer(e, r, STORAGE_OK);
    }

    e->presence_started = true;
    presence_scan(e, r);
    return STEP_DONE;
}


static void
presence_scan(struct embedded *e, struct request *r)
{
    struct presence_scan *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        (void) request_answer(e, r, STORAGE_EXHAUSTED);
        return;
    }

    l->job.run = presence_scan_run;
    l->job.done = presence_scan_done;
    l->request = r;
    l->named = e->handlers.present != NULL;
    readers_submit(e->readers, &l->job);
    (void) request_detach(e, r);
}


/* Without a name he is not told to other machines before he comes again. */
static void
presence_scan_name(struct presence_scan *l, const struct reader *r,
                   struct presence_mark *p)
{
    struct record_user user;
    struct buf value = {0};
    struct key key;

    p->name_len = 0;
    key_user(&key, p->number);

    if (l->named && r->ops->get(r->engine, key_str(&key), &value) == 1
        && record_get_user(buf_str(&value), &user) == 0) {
        p->name_at = (uint32_t) l->names.len;
        buf_put_str(&l->names, user.name);
        p->name_len = buf_failed(&l->names) ? 0 : (uint8_t) user.name.len;
    }

    buf_clear(&value);
}


static int
presence_scan_run(struct read_job *job, const struct reader *r)
{
    struct presence_scan *l = (struct presence_scan *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct presence_mark *p;
    struct key_parts parts;
    struct key prefix;
    int rc;

    if (i == NULL) {
        return -1;
    }

    key_prefix(&prefix, KEY_ONLINE);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (l->n == l->cap) {
            l->cap = l->cap == 0 ? 64 : l->cap * 2;
            p = realloc(l->marks, l->cap * sizeof(*p));
            if (p == NULL) {
                break;
            }

            l->marks = p;
        }

        p = &l->marks[l->n];

        if (key_parse(r->ops->iter_key(i), &parts) == 0
            && parts.first != KEY_NOBODY
            && record_get_u64(r->ops->iter_value(i), &p->at) == 0) {
            p->number = parts.first;
            presence_scan_name(l, r, p);
            l->n++;
        }
    }

    rc = r->ops->iter_error(i);
    r->ops->iter_close(i);
    return rc;
}


static void
presence_scan_done(struct embedded *e, struct read_job *job)
{
    struct presence_scan *l = (struct presence_scan *) job;
    struct storage_result result = {.status = STORAGE_OK};
    size_t n;

    for (n = 0; n < l->n; n++) {
        struct presence_mark *p = &l->marks[n];

        if (!presence_here(e, p->number)) {
            away_set(e, p->number, p->at);
        }

        if (p->name_len != 0) {
            presence_present(
                e, p->number,
                (struct str){l->names.data + p->name_at, p->name_len}, true,
                p->at);
        }
    }

    if (job->status != 0) {
        log_warn("store: who was online could not be read");
    }

    request_finish(e, l->request, &result);
    buf_clear(&l->names);
    free(l->marks);
    free(l);
}
