/*
 * PRESENCE_GET, PRESENCE_WATCH, PRESENCE_UNWATCH, and presence events.
 *
 * Contacts are in memory; whether two are fellow members a reader finds out,
 * each time anew: who has left a group sees nothing any more.
 */

#include "storage_watch.h"

#include <stdlib.h>

#include "log.h"
#include "storage_contact.h"
#include "storage_load.h"

/* Another user beside the one a look is about. */
struct watch_other {
    uint64_t number;
    uint64_t at;
    bool online;
    bool open;    /* a reader has to find out */
    bool visible; /* may see, or be seen      */
};

struct watch_look {
    struct read_job job;
    struct request *request; /* a get; NULL: an event */
    uint64_t number;
    bool online;
    bool blocked; /* told that he is offline, which he is not */
    uint64_t at;
    uint8_t name_len;
    char name[STORAGE_ID_MAX];
    uint64_t *channels; /* of the one it is about */
    size_t n_channels, channels_cap;
    uint32_t n;
    struct watch_other others[];
};

static void watch_judge(const struct user *asker, const struct user *seen,
                        struct watch_other *o);
static struct watch_look *watch_look_create(const struct user *u, uint32_t n);
static void watch_look_free(struct watch_look *l);
static int watch_look_run(struct read_job *job, const struct reader *r);
static int watch_look_channels(struct watch_look *l, const struct reader *r,
                               struct engine_iter *i);
static int watch_look_other(struct watch_look *l, const struct reader *r,
                            struct engine_iter *i, struct watch_other *o);
static bool watch_shares(const struct reader *r, uint64_t channel, uint64_t a,
                         uint64_t b);
static bool watch_wrote(const struct reader *r, uint64_t channel, uint64_t a,
                        uint64_t b);
static void watch_look_done(struct embedded *e, struct read_job *job);
static void watch_answer(struct embedded *e, struct watch_look *l);
static bool watch_again(struct embedded *e, struct watch_look *l);
static void watch_emit(struct embedded *e, const struct watch_look *l);


void
watch_open(struct embedded *e)
{
    watchers_init(&e->watched);
}


void
watch_close(struct embedded *e)
{
    watchers_clear(&e->watched);
}


static bool
watch_here(uint64_t watcher, const void *data)
{
    return embedded_subscribed(data, watcher);
}


void
watch_tick(struct embedded *e)
{
    watchers_tick(&e->watched, watch_here, e);
}


/* What memory knows: may the asker see him? */
static void
watch_judge(const struct user *asker, const struct user *seen,
            struct watch_other *o)
{
    const struct contact *c;

    if (asker == seen) {
        o->visible = true;
        return;
    }

    c = contact_find(seen, asker->number);

    if (c != NULL && (c->flags & RECORD_CONTACT_BLOCKS) != 0) {
        return;
    }

    o->visible = c != NULL && c->state == RECORD_CONTACT_FRIEND;
    o->open = !o->visible;
}


static struct watch_look *
watch_look_create(const struct user *u, uint32_t n)
{
    struct watch_look *l = calloc(1, sizeof(*l) + n * sizeof(l->others[0]));

    if (l != NULL) {
        l->job.run = watch_look_run;
        l->job.done = watch_look_done;
        l->number = u->number;
        l->name_len = u->name_len;
        memcpy(l->name, u->name, u->name_len);
    }

    return l;
}


static void
watch_look_free(struct watch_look *l)
{
    free(l->channels);
    free(l);
}


/* Loads all who are named: STEP_WAIT while one is not there yet. */
static enum step
watch_users(struct embedded *e, struct request *r)
{
    struct user *u, *loading = NULL;
    uint32_t i;

    for (i = 0; i < r->op.n_users; i++) {
        u = user_by_name(e, r->op.users[i]);

        if (u != NULL && u->state == OBJECT_LOADING) {
            loading = u;
        }
    }

    if (loading != NULL) {
        request_wait(&loading->waiters, r);
        return STEP_WAIT;
    }

    return STEP_DONE;
}


enum step
presence_get_step(struct embedded *e, struct request *r)
{
    struct watch_look *l;
    struct user *asker, *u;
    bool open = false;
    uint32_t i;

    if (user_await(e, r, r->op.user, &asker) == STEP_WAIT
        || watch_users(e, r) == STEP_WAIT) {
        return STEP_WAIT;
    }

    l = asker == NULL ? NULL : watch_look_create(asker, r->op.n_users);
    if (l == NULL) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    l->request = r;

    for (i = 0; i < r->op.n_users; i++) {
        struct watch_other *o = &l->others[l->n++];

        u = user_by_name(e, r->op.users[i]);

        if (u == NULL || u->state != OBJECT_READY
            || asker->state != OBJECT_READY) {
            continue;
        }

        o->number = u->number;
        o->online = presence_online(e, u->number, user_name(u));
        o->at = presence_active_at(e, u);
        watch_judge(asker, u, o);
        open |= o->open;

        /* for want of memory he is not told; he can ask */
        if (r->op.type == STORAGE_PRESENCE_WATCH) {
            (void) watchers_add(&e->watched, u->number, asker->number);

        } else if (r->op.type == STORAGE_PRESENCE_UNWATCH) {
            watchers_remove(&e->watched, u->number, asker->number);
        }
    }

    if (open) {
        readers_submit(e->readers, &l->job);
        return request_detach(e, r);
    }

    watch_answer(e, l);
    return STEP_DONE;
}


void
watch_tell(struct embedded *e, struct user *u, bool online, uint64_t at)
{
    const struct watcher *w;
    struct watch_look *l;
    const struct contact *c;
    uint32_t i, n;
    bool open = false;

    w = watchers_of(&e->watched, u->number, &n);
    l = watch_look_create(u, u->n_contacts + n);
    if (l == NULL) {
        return;
    }

    l->online = online;
    l->at = at;

    for (i = 0; i < u->n_contacts; i++) {
        c = &u->contacts[i];

        if (c->state == RECORD_CONTACT_FRIEND
            && (c->flags & RECORD_CONTACT_BLOCKS) == 0
            && embedded_subscribed(e, c->user)) {
            l->others[l->n++] =
                (struct watch_other){.number = c->user, .visible = true};
        }
    }

    for (i = 0; i < n; i++) {
        if (!embedded_subscribed(e, w[i].number)) {
            continue;
        }

        c = contact_find(u, w[i].number);

        if (w[i].number == u->number) {
            l->others[l->n++] =
                (struct watch_other){.number = u->number, .visible = true};

        } else if (c == NULL
                   || ((c->flags & RECORD_CONTACT_BLOCKS) == 0
                       && c->state != RECORD_CONTACT_FRIEND)) {
            l->others[l->n++] =
                (struct watch_other){.number = w[i].number, .open = true};
            open = true;
        }
    }

    if (open) {
        readers_submit(e->readers, &l->job);
        return;
    }

    watch_emit(e, l);
    watch_look_free(l);
}


void
watch_tell_blocked(struct embedded *e, const struct user *u, uint64_t watcher,
                   bool blocked)
{
    struct watch_look *l;

    if (!watchers_has(&e->watched, u->number, watcher)
        || (l = watch_look_create(u, 1)) == NULL) {
        return;
    }

    l->online = !blocked;
    l->blocked = blocked;
    l->at = blocked ? 0 : presence_active_at(e, u);
    l->others[l->n++] = (struct watch_other){.number = watcher, .open = true};
    readers_submit(e->readers, &l->job);
}


static int
watch_look_run(struct read_job *job, const struct reader *r)
{
    struct watch_look *l = (struct watch_look *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    uint32_t n;
    int rc;

    if (i == NULL) {
        return -1;
    }

    rc = watch_look_channels(l, r, i);

    for (n = 0; n < l->n && rc == 0; n++) {
        if (l->others[n].open) {
            rc = watch_look_other(l, r, i, &l->others[n]);
        }
    }

    r->ops->iter_close(i);
    return rc;
}


/* They come in the order of their numbers. */
static int
watch_look_channels(struct watch_look *l, const struct reader *r,
                    struct engine_iter *i)
{
    struct key_parts parts;
    struct key prefix;
    uint64_t *p;

    key_prefix_number(&prefix, KEY_MEMBERSHIP, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (l->n_channels == l->channels_cap) {
            l->channels_cap = l->channels_cap == 0 ? 64 : l->channels_cap * 2;
            p = realloc(l->channels, l->channels_cap * sizeof(*p));
            if (p == NULL) {
                return -1;
            }

            l->channels = p;
        }

        if (key_parse(r->ops->iter_key(i), &parts) != 0) {
            return -1;
        }

        l->channels[l->n_channels++] = parts.second;
    }

    return r->ops->iter_error(i);
}


static int
watch_compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}


static int
watch_look_other(struct watch_look *l, const struct reader *r,
                 struct engine_iter *i, struct watch_other *o)
{
    struct key_parts parts;
    struct key prefix;

    if (l->n_channels == 0) {
        return 0;
    }

    key_prefix_number(&prefix, KEY_MEMBERSHIP, o->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         !o->visible && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0) {
            return -1;
        }

        o->visible = bsearch(&parts.second, l->channels, l->n_channels,
                             sizeof(*l->channels), watch_compare)
                         != NULL
                     && watch_shares(r, parts.second, l->number, o->number);
    }

    return r->ops->iter_error(i);
}


static bool
watch_shares(const struct reader *r, uint64_t channel, uint64_t a, uint64_t b)
{
    struct record_channel record;
    struct buf value = {0};
    struct key key;
    bool shares = false;

    key_channel(&key, channel);

    if (r->ops->get(r->engine, key_str(&key), &value) == 1
        && record_get_channel(buf_str(&value), &record) == 0) {
        shares = record.kind == RECORD_GROUP
                 || (record.wrote_known ? record.wrote == 3
                                        : watch_wrote(r, channel, a, b));
    }

    buf_clear(&value);
    return shares;
}


/* In a channel from before version 2 of its record: the messages tell. */
static bool
watch_wrote(const struct reader *r, uint64_t channel, uint64_t a, uint64_t b)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct record_message message;
    struct key prefix;
    bool wrote[2] = {false, false};

    if (i == NULL) {
        return false;
    }

    key_prefix_number(&prefix, KEY_MESSAGE, channel);

    for (r->ops->iter_seek(i, key_str(&prefix));
         !(wrote[0] && wrote[1]) && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (record_get_message(r->ops->iter_value(i), &message) == 0) {
            wrote[0] |= message.sender == a;
            wrote[1] |= message.sender == b;
        }
    }

    r->ops->iter_close(i);
    return wrote[0] && wrote[1];
}


static void
watch_look_done(struct embedded *e, struct read_job *job)
{
    struct watch_look *l = (struct watch_look *) job;
    struct storage_result result = {.status = STORAGE_UNAVAILABLE};

    if (l->request == NULL) {
        /* What was true before the look may be so no longer. */
        if (job->status == 0 && watch_again(e, l)) {
            watch_emit(e, l);
        }

        watch_look_free(l);

    } else if (job->status != 0) {
        request_finish(e, l->request, &result);
        watch_look_free(l);

    } else {
        watch_answer(e, l);
    }
}


/* Who was blocked while the reader looked is told nothing any more, and nobody
 * is of one who came or went meanwhile. */
static bool
watch_again(struct embedded *e, struct watch_look *l)
{
    struct map_entry *entry =
        map_find(&e->users_by_number, &l->number, sizeof(l->number));
    const struct contact *c;
    uint32_t i;

    if (l->blocked) {
        return true;
    }

    for (i = 0; entry != NULL && i < l->n; i++) {
        c = contact_find(map_container(entry, struct user, by_number),
                         l->others[i].number);

        if (c != NULL && (c->flags & RECORD_CONTACT_BLOCKS) != 0) {
            l->others[i].visible = false;
        }
    }

    return presence_online(e, l->number, (struct str){l->name, l->name_len})
           == l->online;
}


void
watch_json(struct buf *b, struct str user, bool online, uint64_t at)
{
    buf_put_lit(b, "\"user\":\"");
    buf_put_str(b, user);
    buf_put_lit(b, "\",\"online\":");
    buf_put_str(b, online ? STR("true") : STR("false"));
    buf_put_lit(b, ",\"last_active_at\":");

    if (at == 0) {
        buf_put_lit(b, "null}");

    } else {
        buf_put_u64(b, at);
        buf_put_char(b, '}');
    }
}


/* A request that went to a reader is answered out of the order of commits. */
static void
watch_answer(struct embedded *e, struct watch_look *l)
{
    struct storage_result result = {.status = STORAGE_EXHAUSTED};
    struct request *r = l->request;
    struct buf b = {0};
    struct str json = {NULL, 0};
    bool detached = false;
    uint32_t i;

    buf_put_lit(&b, "{\"users\":[");

    for (i = 0; i < l->n; i++) {
        const struct watch_other *o = &l->others[i];

        buf_put_str(&b, i == 0 ? STR("{") : STR(",{"));
        watch_json(&b, r->op.users[i], o->visible && o->online,
                   o->visible ? o->at : 0);
        detached |= o->open;
    }

    buf_put_lit(&b, "]}");

    if (detached) {
        if (!buf_failed(&b)) {
            result.status = STORAGE_OK;
            result.json = buf_str(&b);
        }

        request_finish(e, r, &result);

    } else {
        if (!buf_failed(&b)) {
            json = arena_copy(&e->collecting->arena, buf_str(&b));
        }

        (void) (json.data == NULL ? request_answer(e, r, STORAGE_EXHAUSTED)
                                  : request_answer_json(e, r, json));
    }

    buf_clear(&b);
    watch_look_free(l);
}


/* Live only: whoever is not connected any more is left out on the way. */
static void
watch_emit(struct embedded *e, const struct watch_look *l)
{
    struct storage_target *targets;
    struct storage_event event = {
        .sequence = e->published == 0 ? 1 : e->published,
        .method = STORAGE_EVENT_PRESENCE,
    };
    struct buf b = {0};
    uint32_t i;

    targets = malloc((l->n + 1) * sizeof(*targets));
    watch_json(&b, (struct str){l->name, l->name_len}, l->online, l->at);
    buf_put_char(&b, '}');

    for (i = 0; targets != NULL && i < l->n; i++) {
        if (l->others[i].visible
            && embedded_subscribed(e, l->others[i].number)) {
            targets[event.n_targets++] =
                (struct storage_target){l->others[i].number, 0};
        }
    }

    if (event.n_targets != 0 && !buf_failed(&b) && e->handlers.event != NULL) {
        event.tail = buf_str(&b);
        event.targets = targets;
        e->handlers.event(&event, e->handlers.data);
    }

    buf_clear(&b);
    free(targets);
}
