/*
 * PRESENCE_GET, PRESENCE_WATCH, PRESENCE_UNWATCH, and presence events.
 *
 * Contacts are in memory; whether two are fellow members a reader finds out,
 * each time anew: who has left a group sees nothing any more.
 */

#include "storage_watch.h"

#include <stdlib.h>

#include "storage_contact.h"
#include "storage_watch_look.h"

static void watch_judge(const struct user *asker, const struct user *seen,
                        struct watch_other *o);
static struct watch_look *watch_look_create(const struct user *u, uint32_t n);
static void watch_look_free(struct watch_look *l);
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

    return STEP_GO;
}


enum step
presence_get_step(struct embedded *e, struct request *r)
{
    struct watch_look *l;
    struct user *asker, *u;
    enum step step;
    bool open = false;
    uint32_t i;

    step = user_await(e, r, r->op.user, &asker);

    if (step == STEP_GO) {
        step = watch_users(e, r);
    }

    if (step != STEP_GO) {
        return step;
    }

    l = watch_look_create(asker, r->op.n_users);
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


void
watch_tell_parted(struct embedded *e, const struct user *u, uint64_t to)
{
    struct watch_look *l = watch_look_create(u, 1);

    if (l != NULL) {
        l->parted = true;
        l->others[l->n++] = (struct watch_other){.number = to, .open = true};
        readers_submit(e->readers, &l->job);
    }
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

    if (l->parted) {
        c = entry == NULL
                ? NULL
                : contact_find(map_container(entry, struct user, by_number),
                               l->others[0].number);
        l->others[0].visible =
            !l->others[0].visible
            && (c == NULL || c->state != RECORD_CONTACT_FRIEND);
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
