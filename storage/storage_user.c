/* Users in memory; see storage_state.h. */

#include "storage_state.h"

#include <stdlib.h>

#include "storage_account.h"
#include "storage_load.h"
#include "storage_profile.h"

/*
 * A user asked for by name has no number before he was looked up, and may by
 * then be here already, found by number through a channel.  So the object in
 * the table of names can turn out to be another one's double; it then hands
 * over its waiters and goes.
 */

static struct user *user_create(struct embedded *e, size_t name_room);
static void user_load(struct embedded *e, struct user *u);
static void user_load_done(struct embedded *e, struct read_job *job);
static struct user *user_resolve(struct embedded *e, struct user *u,
                                 const struct load_user *l);
static void user_fill(struct embedded *e, struct user *u, struct load_user *l);
static void user_settle(struct embedded *e, struct user *u,
                        enum object_state state);


const void *
user_name_key(const struct map_entry *entry, size_t *len)
{
    const struct user *u = map_container(entry, struct user, by_name);

    *len = u->name_len;
    return u->name;
}


const void *
user_number_key(const struct map_entry *entry, size_t *len)
{
    const struct user *u = map_container(entry, struct user, by_number);

    *len = sizeof(u->number);
    return &u->number;
}


struct user *
user_by_name(struct embedded *e, struct str name)
{
    struct map_entry *entry;
    struct user *u;

    entry = map_find(&e->users_by_name, name.data, name.len);

    if (entry != NULL) {
        u = map_container(entry, struct user, by_name);

        if (u->refs == 0 && u->state != OBJECT_FAILED) {
            lru_remove(&u->lru);
            lru_push(&e->users, &u->lru);
        }

        return u;
    }

    u = user_create(e, name.len);
    if (u == NULL) {
        return NULL;
    }

    u->name_len = (uint8_t) name.len;
    memcpy(u->name, name.data, name.len);

    if (map_insert(&e->users_by_name, &u->by_name) != 0) {
        user_free(e, u);
        return NULL;
    }

    u->in_names = true;
    user_load(e, u);
    return u;
}


struct user *
user_by_number(struct embedded *e, uint64_t number)
{
    struct map_entry *entry;
    struct user *u;

    entry = map_find(&e->users_by_number, &number, sizeof(number));
    if (entry != NULL) {
        return map_container(entry, struct user, by_number);
    }

    u = user_create(e, STORAGE_ID_MAX);
    if (u == NULL) {
        return NULL;
    }

    u->number = number;

    if (map_insert(&e->users_by_number, &u->by_number) != 0) {
        user_free(e, u);
        return NULL;
    }

    u->in_numbers = true;
    user_load(e, u);
    return u;
}


void
user_ref(struct embedded *e, struct user *u)
{
    (void) e;

    if (u->refs++ == 0) {
        lru_remove(&u->lru);
    }
}


void
user_unref(struct embedded *e, struct user *u)
{
    if (--u->refs == 0) {
        lru_push(u->state == OBJECT_FAILED ? e->users.prev : &e->users,
                 &u->lru);
    }
}


enum step
user_await_any(struct embedded *e, struct request *r, struct str name,
               struct user **u)
{
    *u = user_by_name(e, name);

    if (*u != NULL && (*u)->state == OBJECT_LOADING) {
        request_wait(&(*u)->waiters, r);
        return STEP_WAIT;
    }

    if (*u == NULL || (*u)->state == OBJECT_FAILED) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    return STEP_GO;
}


enum step
user_await(struct embedded *e, struct request *r, struct str name,
           struct user **u)
{
    enum step step = user_await_any(e, r, name, u);

    /* Whoever is meant by another is somebody else's business. */
    if (step == STEP_GO && ((*u)->deleted || (*u)->disabled) && !r->own
        && name.data == r->op.user.data) {
        return request_answer(
            e, r, (*u)->deleted ? STORAGE_USER_DELETED : STORAGE_DISABLED);
    }

    return step;
}


static size_t
user_size(size_t name_room)
{
    size_t size = offsetof(struct user, name) + name_room;

    return size < sizeof(struct user) ? sizeof(struct user) : size;
}


static struct user *
user_create(struct embedded *e, size_t name_room)
{
    struct user *u = calloc(1, user_size(name_room));

    if (u == NULL) {
        return NULL;
    }

    u->name_room = (uint8_t) name_room;
    u->waiters.last = &u->waiters.first;
    lru_push(&e->users, &u->lru);
    e->cached += user_size(name_room);
    return u;
}


/* Bytes of what belongs to a user beside his struct. */
static size_t
user_parts(const struct user *u)
{
    size_t names = 0;
    uint32_t n;

    for (n = 0; n < u->n_devices; n++) {
        names += u->devices[n].name.len;
    }

    return u->devices_cap * sizeof(*u->devices) + names
           + u->removals_cap * sizeof(*u->removals)
           + u->endings_cap * sizeof(*u->endings)
           + u->contacts_cap * sizeof(*u->contacts) + u->profile.len
           + u->account.len;
}


static void
user_free_devices(struct device *devices, uint32_t n)
{
    while (n != 0) {
        free((char *) devices[--n].name.data);
    }

    free(devices);
}


void
user_free(struct embedded *e, struct user *u)
{
    if (u->in_names) {
        map_remove(&e->users_by_name, &u->by_name);
    }

    if (u->in_numbers) {
        map_remove(&e->users_by_number, &u->by_number);
        e->evictions++;
    }

    if (u->refs == 0) {
        lru_remove(&u->lru);
    }

    e->cached -= user_parts(u);
    user_free_devices(u->devices, u->n_devices);
    free(u->removals);
    free(u->endings);
    free((char *) u->profile.data);
    free((char *) u->account.data);
    free(u->contacts);
    e->cached -= user_size(u->name_room);
    free(u);
}


static void
user_load(struct embedded *e, struct user *u)
{
    struct load_user *l = calloc(1, sizeof(*l));

    if (l == NULL) {
        user_settle(e, u, OBJECT_FAILED);
        return;
    }

    e->stats.cache_misses++;
    l->job.run = load_user_run;
    l->job.brief = true;
    l->job.done = user_load_done;
    l->user = u;
    l->epoch = e->epoch;
    l->evictions = e->evictions;
    l->number = u->number;
    l->name_len = u->name_len;
    memcpy(l->name, u->name, u->name_len);

    readers_submit(e->readers, &l->job);
}


static void
user_load_done(struct embedded *e, struct read_job *job)
{
    struct load_user *l = (struct load_user *) job;
    struct user *u = l->user;

    if (l->epoch == e->epoch) {
        if (job->status != 0 || (!l->found && u->in_numbers)) {
            user_settle(e, u, OBJECT_FAILED);

        } else if (!l->found) {
            user_settle(e, u, OBJECT_ABSENT);

        } else {
            u = user_resolve(e, u, l);
            if (u != NULL) {
                user_fill(e, u, l);
                user_settle(e, u, OBJECT_READY);
            }
        }
    }

    user_free_devices(l->devices, l->n_devices);
    free(l->removals);
    free(l->endings);
    free(l->contacts);
    buf_clear(&l->profile);
    buf_clear(&l->account);
    free(l);
}


/* The object what was read belongs to; NULL when it is no longer the newest
 * there is to know. */
static struct user *
user_resolve(struct embedded *e, struct user *u, const struct load_user *l)
{
    struct map_entry *entry;
    struct user *other;
    struct request *r;

    if (u->in_numbers) {
        return u;
    }

    entry = map_find(&e->users_by_number, &l->number, sizeof(l->number));

    if (entry == NULL) {
        u->number = l->number;

        if (map_insert(&e->users_by_number, &u->by_number) != 0) {
            user_settle(e, u, OBJECT_FAILED);
            return NULL;
        }

        u->in_numbers = true;

        if (l->evictions == e->evictions) {
            return u;
        }

        /* It may have been here, changed and gone since it was read. */
        user_load(e, u);
        return NULL;
    }

    other = map_container(entry, struct user, by_number);

    while ((r = request_next(&u->waiters)) != NULL) {
        if (other->state == OBJECT_LOADING) {
            request_wait(&other->waiters, r);

        } else {
            request_wake(e, r);
        }
    }

    user_free(e, u);

    if (other->state == OBJECT_READY && !other->in_names
        && map_insert(&e->users_by_name, &other->by_name) == 0) {
        other->in_names = true;
    }

    return NULL;
}


static void
user_fill(struct embedded *e, struct user *u, struct load_user *l)
{
    uint32_t n;

    u->newest = l->newest;
    u->published = l->newest;
    u->created_at = l->created_at;
    u->active_at = l->active_at > u->active_at ? l->active_at : u->active_at;
    u->connected = (l->flags & RECORD_USER_CONNECTED) != 0;
    u->disabled = (l->flags & RECORD_USER_DISABLED) != 0;
    u->deleted = (l->flags & RECORD_USER_DELETED) != 0;
    u->devices = l->devices;
    u->n_devices = (uint16_t) l->n_devices;
    u->devices_cap = (uint16_t) l->devices_cap;
    l->devices = NULL;
    l->n_devices = 0;
    u->removals = l->removals;
    u->n_removals = (uint16_t) l->n_removals;
    u->removals_cap = (uint16_t) l->removals_cap;
    l->removals = NULL;
    u->endings = l->endings;
    u->n_endings = (uint16_t) l->n_endings;
    u->endings_cap = (uint16_t) l->endings_cap;
    l->endings = NULL;
    u->profile = buf_str(&l->profile);
    buf_init(&l->profile);
    u->account = buf_str(&l->account);
    buf_init(&l->account);
    u->contacts = l->contacts;
    u->n_contacts = l->n_contacts;
    u->contacts_cap = l->contacts_cap;
    l->contacts = NULL;
    e->cached += user_parts(u);

    for (n = 0; u->devices != NULL && n < u->n_devices; n++) {
        if (u->devices[n].inbox_id > u->acked) {
            u->acked = u->devices[n].inbox_id;
        }
    }

    u->acked -= u->acked < STATE_ACKED_AGAIN ? u->acked : STATE_ACKED_AGAIN;

    if (u->in_names) {
        return;
    }

    u->name_len = l->name_len;
    memcpy(u->name, l->name, l->name_len);

    /* One that is there already is still looking for its number. */
    if (map_find(&e->users_by_name, u->name, u->name_len) == NULL
        && map_insert(&e->users_by_name, &u->by_name) == 0) {
        u->in_names = true;
    }
}


static void
user_settle(struct embedded *e, struct user *u, enum object_state state)
{
    u->state = state;

    if (state == OBJECT_FAILED && u->refs == 0) {
        lru_remove(&u->lru);
        lru_push(e->users.prev, &u->lru);
    }

    request_wake_all(e, &u->waiters);
}


int
user_make(struct embedded *e, struct user *u, bool connected)
{
    struct key key;
    bool absent = u->state == OBJECT_ABSENT;

    if (absent) {
        u->number = e->next_user;

        if (map_insert(&e->users_by_number, &u->by_number) != 0) {
            return -1;
        }

        u->in_numbers = true;
        u->state = OBJECT_READY;
        u->created_at = embedded_now();
        e->next_user++;
    }

    u->connected = u->connected || connected;

    if (absent) {
        account_made(e, u);
        key_user_name(&key, user_name(u));
        (void) embedded_record(e);
        record_put_u64(&e->record, u->number);
        embedded_put(e, &key, &e->record);
        profile_index(e, u, user_name(u), true);
    }

    user_put(e, u);
    return 0;
}


void
user_put(struct embedded *e, const struct user *u)
{
    struct record_user record = {
        .created_at = u->created_at,
        .name = user_name(u),
    };
    struct key key;

    record.flags = (uint8_t) ((u->connected ? RECORD_USER_CONNECTED : 0)
                              | (u->disabled ? RECORD_USER_DISABLED : 0)
                              | (u->deleted ? RECORD_USER_DELETED : 0));

    key_user(&key, u->number);
    (void) embedded_record(e);
    record_put_user(&e->record, &record);
    embedded_put(e, &key, &e->record);
}
