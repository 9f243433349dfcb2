/* The whole of the memory, and channels in it; see storage_state.h. */

#include "storage_state.h"

#include <stddef.h>
#include <stdlib.h>

#include "log.h"
#include "storage_account.h"
#include "storage_load.h"
#include "storage_marker.h"

/*
 * A channel asked for by its id may be here already, found by number through
 * an inbox: see storage_user.c for what then happens.
 */

static struct channel *channel_create(struct embedded *e, size_t id_room);
static void channel_free(struct embedded *e, struct channel *ch);
static void channel_load(struct embedded *e, struct channel *ch);
static void channel_load_done(struct embedded *e, struct read_job *job);
static struct channel *channel_resolve(struct embedded *e, struct channel *ch,
                                       const struct load_channel *l);
static void channel_hand_over(struct embedded *e, struct channel *from,
                              struct channel *to);
static int channel_fill(struct embedded *e, struct channel *ch,
                        struct load_channel *l);
static int channel_fill_members(struct embedded *e, struct channel *ch,
                                const struct load_channel *l);
static void channel_fill_own(struct embedded *e, struct channel *ch,
                             const struct load_channel *l);
static void channel_settle(struct embedded *e, struct channel *ch,
                           enum object_state state);
static enum step channel_members_step(struct embedded *e, struct request *r);
static enum object_state channel_members_state(const struct channel *ch);
static void lru_init(struct lru *head);


static const void *
channel_id_key(const struct map_entry *entry, size_t *len)
{
    const struct channel *ch = map_container(entry, struct channel, by_id);

    *len = ch->id_len;
    return ch->id;
}


static const void *
channel_number_key(const struct map_entry *entry, size_t *len)
{
    const struct channel *ch = map_container(entry, struct channel, by_number);

    *len = sizeof(ch->number);
    return &ch->number;
}


void
state_init(struct embedded *e)
{
    map_init(&e->users_by_name, user_name_key);
    map_init(&e->users_by_number, user_number_key);
    map_init(&e->channels_by_id, channel_id_key);
    map_init(&e->channels_by_number, channel_number_key);
    lru_init(&e->users);
    lru_init(&e->channels);
    e->made_last = &e->made;
    e->cached = 0;
}


void
state_clear(struct embedded *e)
{
    struct map_entry *entry;
    size_t pos = 0;

    while (e->channels.next != &e->channels) {
        channel_free(e, map_container(e->channels.next, struct channel, lru));
    }

    /* Without channels every user is in a table; some in both. */
    while ((entry = map_next(&e->users_by_number, &pos)) != NULL) {
        user_free(e, map_container(entry, struct user, by_number));
    }

    pos = 0;

    while ((entry = map_next(&e->users_by_name, &pos)) != NULL) {
        user_free(e, map_container(entry, struct user, by_name));
    }

    map_clear(&e->users_by_name);
    map_clear(&e->users_by_number);
    map_clear(&e->channels_by_id);
    map_clear(&e->channels_by_number);
    account_drop(e);
    state_init(e);
}


void
state_evict(struct embedded *e)
{
    struct lru *l, *prev;
    unsigned tries = 256;

    for (l = e->channels.prev; l != &e->channels; l = prev) {
        struct channel *ch = map_container(l, struct channel, lru);

        prev = l->prev;

        /* What turned out unreadable was put at the end. */
        if (ch->state != OBJECT_FAILED
            && (e->cached <= e->cache_max || tries-- == 0)) {
            break;
        }

        if (ch->state != OBJECT_LOADING && ch->pins == 0 && !ch->dirty
            && ch->first == NULL) {
            channel_free(e, ch);
        }
    }

    tries = 256;

    for (l = e->users.prev; l != &e->users; l = prev) {
        struct user *u = map_container(l, struct user, lru);

        prev = l->prev;

        if (u->state != OBJECT_FAILED
            && (e->cached <= e->cache_max || tries-- == 0)) {
            break;
        }

        if (u->state != OBJECT_LOADING) {
            user_free(e, u);
        }
    }
}


struct channel *
channel_by_id(struct embedded *e, struct str id)
{
    struct map_entry *entry;
    struct channel *ch;

    entry = map_find(&e->channels_by_id, id.data, id.len);

    if (entry != NULL) {
        ch = map_container(entry, struct channel, by_id);

        if (ch->state != OBJECT_FAILED) {
            lru_remove(&ch->lru);
            lru_push(&e->channels, &ch->lru);
        }

        return ch;
    }

    ch = channel_new(e, id);

    if (ch != NULL) {
        ch->state = OBJECT_LOADING;
        channel_load(e, ch);
    }

    return ch;
}


struct channel *
channel_new(struct embedded *e, struct str id)
{
    struct channel *ch = channel_create(e, id.len);

    if (ch == NULL) {
        return NULL;
    }

    ch->state = OBJECT_ABSENT;
    ch->id_len = (uint8_t) id.len;
    memcpy(ch->id, id.data, id.len);

    if (map_insert(&e->channels_by_id, &ch->by_id) != 0) {
        channel_free(e, ch);
        return NULL;
    }

    ch->in_ids = true;
    return ch;
}


struct channel *
channel_by_number(struct embedded *e, uint64_t number)
{
    struct map_entry *entry;
    struct channel *ch;

    entry = map_find(&e->channels_by_number, &number, sizeof(number));
    if (entry != NULL) {
        return map_container(entry, struct channel, by_number);
    }

    ch = channel_create(e, STORAGE_CHANNEL_MAX);
    if (ch == NULL) {
        return NULL;
    }

    ch->number = number;

    if (map_insert(&e->channels_by_number, &ch->by_number) != 0) {
        channel_free(e, ch);
        return NULL;
    }

    ch->in_numbers = true;
    channel_load(e, ch);
    return ch;
}


static size_t
channel_size(size_t id_room)
{
    size_t size = offsetof(struct channel, id) + id_room;

    return size < sizeof(struct channel) ? sizeof(struct channel) : size;
}


static struct channel *
channel_create(struct embedded *e, size_t id_room)
{
    struct channel *ch = calloc(1, channel_size(id_room));

    if (ch == NULL) {
        return NULL;
    }

    ch->id_room = (uint8_t) id_room;
    ch->last = &ch->first;
    lru_push(&e->channels, &ch->lru);
    channel_count(e, ch);
    return ch;
}


static void
channel_free(struct embedded *e, struct channel *ch)
{
    uint32_t n;

    if (ch->in_ids) {
        map_remove(&e->channels_by_id, &ch->by_id);
    }

    if (ch->in_numbers) {
        map_remove(&e->channels_by_number, &ch->by_number);
        e->evictions++;
    }

    for (n = 0; n < ch->n_members; n++) {
        user_unref(e, ch->members[n].user);
    }

    lru_remove(&ch->lru);
    e->cached -= ch->bytes;
    free(ch->members);
    free(ch->invites);
    free((char *) ch->name.data);
    free((char *) ch->avatar.data);
    free(ch);
}


void
channel_count(struct embedded *e, struct channel *ch)
{
    size_t bytes = channel_size(ch->id_room)
                   + ch->members_cap * sizeof(struct member)
                   + ch->invites_cap * sizeof(struct invite) + ch->name.len
                   + ch->avatar.len;

    e->cached += bytes - ch->bytes;
    ch->bytes = bytes;
}


static void
channel_load(struct embedded *e, struct channel *ch)
{
    struct load_channel *l = malloc(sizeof(*l));

    if (l == NULL) {
        channel_settle(e, ch, OBJECT_FAILED);
        return;
    }

    memset(l, 0, offsetof(struct load_channel, record));

    e->stats.cache_misses++;
    l->job.run = load_channel_run;
    l->job.brief = true;
    l->job.done = channel_load_done;
    l->channel = ch;
    l->epoch = e->epoch;
    l->evictions = e->evictions;
    l->number = ch->number;
    l->id_len = ch->id_len;
    memcpy(l->id, ch->id, ch->id_len);

    readers_submit(e->readers, &l->job);
}


static void
channel_load_done(struct embedded *e, struct read_job *job)
{
    struct load_channel *l = (struct load_channel *) job;
    struct channel *ch = l->channel;

    if (l->epoch == e->epoch) {
        if (job->status != 0 || (!l->found && ch->in_numbers)) {
            channel_settle(e, ch, OBJECT_FAILED);

        } else if (!l->found) {
            channel_settle(e, ch, OBJECT_ABSENT);

        } else {
            ch = channel_resolve(e, ch, l);
            if (ch != NULL && channel_fill(e, ch, l) != 0) {
                channel_settle(e, ch, OBJECT_FAILED);
            }
        }
    }

    buf_clear(&l->value);
    free(l->invites);
    free(l);
}


static struct channel *
channel_resolve(struct embedded *e, struct channel *ch,
                const struct load_channel *l)
{
    struct map_entry *entry;

    if (ch->in_numbers) {
        return ch;
    }

    entry = map_find(&e->channels_by_number, &l->number, sizeof(l->number));

    if (entry != NULL) {
        channel_hand_over(e, ch,
                          map_container(entry, struct channel, by_number));
        return NULL;
    }

    ch->number = l->number;

    if (map_insert(&e->channels_by_number, &ch->by_number) != 0) {
        channel_settle(e, ch, OBJECT_FAILED);
        return NULL;
    }

    ch->in_numbers = true;

    if (l->evictions == e->evictions) {
        return ch;
    }

    channel_load(e, ch);
    return NULL;
}


static void
channel_hand_over(struct embedded *e, struct channel *from, struct channel *to)
{
    struct request *r;

    if (from->first != NULL) {
        for (r = from->first; r != NULL; r = r->channel_next) {
            r->channel = to;
        }

        /* Whoever is first at `to` is at work already, or it loads. */
        if (to->first == NULL && to->state != OBJECT_LOADING) {
            request_wake(e, from->first);
        }

        *to->last = from->first;
        to->last = from->last;
        from->first = NULL;
    }

    channel_free(e, from);

    if (to->state == OBJECT_READY && !to->in_ids
        && map_insert(&e->channels_by_id, &to->by_id) == 0) {
        to->in_ids = true;
    }
}


static int
channel_fill(struct embedded *e, struct channel *ch, struct load_channel *l)
{
    const struct record_channel *record = &l->record;
    struct request *r;
    struct storage_op op = {0};

    ch->kind = (uint8_t) record->kind;
    ch->created_at = record->created_at;
    ch->newest = l->newest;
    ch->published = l->newest;
    ch->sent_at = l->sent_at;

    if (ch->kind == RECORD_GROUP) {
        ch->newest_event = l->newest_event;
        ch->events = EVENTS_KNOWN;
    }

    if (!ch->in_ids) {
        ch->id_len = l->id_len;
        memcpy(ch->id, l->id, l->id_len);
    }

    if (channel_set_text(&ch->name, record->name) != 0
        || channel_set_text(&ch->avatar, record->avatar) != 0
        || channel_fill_members(e, ch, l) != 0) {
        return -1;
    }

    ch->invites = l->invites;
    ch->n_invites = ch->invites_cap = (uint8_t) l->n_invites;
    l->invites = NULL;
    channel_count(e, ch);

    if (!ch->in_ids && map_find(&e->channels_by_id, ch->id, ch->id_len) == NULL
        && map_insert(&e->channels_by_id, &ch->by_id) == 0) {
        ch->in_ids = true;
    }

    if (channel_members_state(ch) == OBJECT_READY) {
        channel_settle(e, ch, OBJECT_READY);
        return 0;
    }

    /* It is ready when its members are; pins keep it until then. */
    r = request_create(e, &op, NULL, NULL);
    if (r == NULL) {
        return -1;
    }

    r->step = channel_members_step;
    request_pin(e, r, NULL, ch);
    request_wake(e, r);
    return 0;
}


static int
channel_fill_members(struct embedded *e, struct channel *ch,
                     const struct load_channel *l)
{
    const struct record_channel *record = &l->record;
    uint32_t n;

    for (n = 0; n < record->n_members; n++) {
        struct user *u = user_by_number(e, record->members[n].user);
        struct member *m;

        m = u == NULL ? NULL : channel_join(e, ch, u, record->members[n].role);
        if (m == NULL) {
            return -1;
        }

        m->read = l->markers[n].read;
        m->delivered = l->markers[n].delivered;
        m->hidden = l->markers[n].hidden;
        m->muted = l->markers[n].muted;
        m->wrote = record->wrote_known && (record->wrote >> n & 1) != 0;
    }

    ch->wrote_known = record->wrote_known;
    channel_fill_own(e, ch, l);
    return 0;
}


/* Who sent the newest message had his markers there, though a store that was
 * killed may not have written them. */
static void
channel_fill_own(struct embedded *e, struct channel *ch,
                 const struct load_channel *l)
{
    struct member *m;
    uint32_t n;

    for (n = 0; l->newest != 0 && n < ch->n_members; n++) {
        m = &ch->members[n];

        if (l->record.members[n].user == l->sender && m->read < l->newest) {
            marker_own(e, ch, m, l->newest);
        }
    }
}


static enum step
channel_members_step(struct embedded *e, struct request *r)
{
    struct channel *ch = r->pin_channel;
    uint32_t n;

    for (n = 0; n < ch->n_members; n++) {
        struct user *u = ch->members[n].user;

        if (u->state == OBJECT_LOADING) {
            request_wait(&u->waiters, r);
            return STEP_WAIT;
        }
    }

    channel_settle(e, ch, channel_members_state(ch));
    return request_answer(e, r, STORAGE_OK);
}


static enum object_state
channel_members_state(const struct channel *ch)
{
    enum object_state state = OBJECT_READY;
    uint32_t n;

    for (n = 0; n < ch->n_members; n++) {
        if (ch->members[n].user->state != OBJECT_READY) {
            state = OBJECT_FAILED;
        }
    }

    return state;
}


static void
channel_settle(struct embedded *e, struct channel *ch, enum object_state state)
{
    ch->state = state;

    if (state == OBJECT_FAILED) {
        lru_remove(&ch->lru);
        lru_push(e->channels.prev, &ch->lru);
    }

    if (ch->first != NULL) {
        request_wake(e, ch->first);
    }
}


int
channel_make(struct embedded *e, struct channel *ch,
             enum record_channel_kind kind, uint64_t now)
{
    struct key key;

    ch->number = e->next_channel;

    if (map_insert(&e->channels_by_number, &ch->by_number) != 0) {
        return -1;
    }

    ch->in_numbers = true;
    ch->state = OBJECT_READY;
    ch->events = EVENTS_KNOWN;
    ch->kind = (uint8_t) kind;
    ch->created_at = now;
    e->next_channel++;

    key_channel_name(&key, channel_id(ch));
    (void) embedded_record(e);
    record_put_u64(&e->record, ch->number);
    embedded_put(e, &key, &e->record);
    return 0;
}


void
channel_put(struct embedded *e, const struct channel *ch)
{
    struct record_channel record;
    struct key key;
    uint32_t n;

    record.kind = ch->kind;
    record.created_at = ch->created_at;
    record.id = channel_id(ch);
    record.name = ch->name;
    record.avatar = ch->avatar;
    record.n_members = ch->n_members;
    record.wrote_known = ch->wrote_known;
    record.wrote = 0;

    for (n = 0; n < ch->n_members; n++) {
        record.members[n].user = ch->members[n].user->number;
        record.members[n].role = ch->members[n].role;

        if (ch->wrote_known && ch->members[n].wrote) {
            record.wrote |= (uint8_t) (1u << n);
        }
    }

    key_channel(&key, ch->number);
    (void) embedded_record(e);
    record_put_channel(&e->record, &record);
    embedded_put(e, &key, &e->record);
}


int
channel_set_text(struct str *field, struct str text)
{
    char *p = NULL;

    if (text.len != 0) {
        p = malloc(text.len);
        if (p == NULL) {
            return -1;
        }

        memcpy(p, text.data, text.len);
    }

    free((char *) field->data);
    *field = (struct str){p, text.len};
    return 0;
}


static void
lru_init(struct lru *head)
{
    head->next = head;
    head->prev = head;
}
