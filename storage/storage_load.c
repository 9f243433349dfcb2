/* See storage_load.h. */

#include "storage_load.h"

#include <stdlib.h>

#include "log.h"

/* Members whose markers are asked for one by one. */
#define LOAD_POINTS 4

static int load_user_newest(struct load_user *l, const struct reader *r,
                            struct engine_iter *i);
static int load_user_devices(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_removals(struct load_user *l, const struct reader *r,
                              struct engine_iter *i);
static int load_user_profile(struct load_user *l, const struct reader *r);
static int load_user_account(struct load_user *l, const struct reader *r);
static int load_user_endings(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_contacts(struct load_user *l, const struct reader *r,
                              struct engine_iter *i);
static int load_user_device(struct load_user *l, const struct key_parts *key,
                            const struct record_device *value);
static int load_channel_newest(struct load_channel *l, const struct reader *r);
static int load_channel_message(struct load_channel *l, const struct reader *r,
                                uint64_t id);
static int load_channel_last(struct load_channel *l, const struct reader *r);
static void load_channel_damaged(const struct load_channel *l);
static int load_channel_events(struct load_channel *l, const struct reader *r);
static int load_channel_markers(struct load_channel *l, const struct reader *r);
static int load_channel_marker_range(struct load_channel *l,
                                     const struct reader *r);
static int load_channel_invites(struct load_channel *l, const struct reader *r);
static int load_channel_invite(struct load_channel *l, struct str key,
                               struct str value);


int
load_user_run(struct read_job *job, const struct reader *r)
{
    struct load_user *l = (struct load_user *) job;
    struct buf value = {0};
    struct record_user record;
    struct engine_iter *i;
    struct key key;
    int rc;

    if (l->number == 0) {
        key_user_name(&key, (struct str){l->name, l->name_len});
        rc = load_number(r, &key, &l->number);
        if (rc <= 0) {
            return rc;
        }
    }

    key_user(&key, l->number);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc != 1 || record_get_user(buf_str(&value), &record) != 0) {
        log_error("store: user %llu has no good record",
                  (unsigned long long) l->number);
        buf_clear(&value);
        return -1;
    }

    l->flags = record.flags;
    l->created_at = record.created_at;
    l->name_len = (uint8_t) record.name.len;
    memcpy(l->name, record.name.data, record.name.len);
    buf_clear(&value);

    i = r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    rc = load_user_newest(l, r, i);
    if (rc == 0) {
        rc = load_user_devices(l, r, i);
    }
    if (rc == 0) {
        rc = load_user_removals(l, r, i);
    }
    if (rc == 0) {
        rc = load_user_contacts(l, r, i);
    }
    if (rc == 0) {
        rc = load_user_endings(l, r, i);
    }
    if (rc == 0) {
        rc = load_user_profile(l, r);
    }
    if (rc == 0) {
        rc = load_user_account(l, r);
    }

    r->ops->iter_close(i);
    l->found = rc == 0;
    return rc;
}


static int
load_user_newest(struct load_user *l, const struct reader *r,
                 struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;
    int rc;

    key_prefix_number(&prefix, KEY_INBOX, l->number);
    rc = load_last(r, i, &prefix);
    if (rc <= 0) {
        return rc;
    }

    if (key_parse(r->ops->iter_key(i), &parts) != 0) {
        return -1;
    }

    l->newest = parts.second;
    return 0;
}


/* The array on the heap, with room for one more; NULL: no memory, and the
 * array is as it was. */
static void *
load_user_room(void *array, size_t size, uint32_t n, uint32_t *cap)
{
    uint32_t more = *cap == 0 ? 2 : *cap * 2;

    if (n < *cap) {
        return array;
    }

    array = realloc(array, more * size);

    if (array != NULL) {
        *cap = more;
    }

    return array;
}


static int
load_user_devices(struct load_user *l, const struct reader *r,
                  struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;
    struct record_device value;
    void *room;

    key_prefix_number(&prefix, KEY_DEVICE, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_device(r->ops->iter_value(i), &value) != 0) {
            return -1;
        }

        if (l->n_devices < STATE_DEVICES_MAX) {
            room = load_user_room(l->devices, sizeof(*l->devices), l->n_devices,
                                  &l->devices_cap);
            if (room == NULL) {
                return -1;
            }

            l->devices = room;
        }

        if (load_user_device(l, &parts, &value) != 0) {
            return -1;
        }
    }

    return r->ops->iter_error(i);
}


static int
load_user_removals(struct load_user *l, const struct reader *r,
                   struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;
    struct removal *w;
    uint64_t at;
    void *room;

    key_prefix_number(&prefix, KEY_REMOVAL, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix)
         && l->n_removals < STATE_REMOVALS_MAX;
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_u64(r->ops->iter_value(i), &at) != 0) {
            return -1;
        }

        room = load_user_room(l->removals, sizeof(*w), l->n_removals,
                              &l->removals_cap);
        if (room == NULL) {
            return -1;
        }

        l->removals = room;

        w = &l->removals[l->n_removals++];
        memset(w, 0, sizeof(*w));
        w->at = at;
        w->id_len = (uint8_t) parts.name.len;
        memcpy(w->id, parts.name.data, parts.name.len);
    }

    return r->ops->iter_error(i);
}


static int
load_user_profile(struct load_user *l, const struct reader *r)
{
    struct record_profile profile;
    struct key key;
    int rc;

    key_active(&key, l->number);

    if (load_number(r, &key, &l->active_at) < 0) {
        return -1;
    }

    key_profile(&key, l->number);
    rc = r->ops->get(r->engine, key_str(&key), &l->profile);

    if (rc == 1 && record_get_profile(buf_str(&l->profile), &profile) != 0) {
        log_error("store: the profile of user %llu is damaged",
                  (unsigned long long) l->number);
        rc = -1;
    }

    return rc < 0 ? -1 : 0;
}


static int
load_user_account(struct load_user *l, const struct reader *r)
{
    struct record_account account;
    struct key key;
    int rc;

    key_account(&key, l->number);
    rc = r->ops->get(r->engine, key_str(&key), &l->account);

    if (rc == 1 && record_get_account(buf_str(&l->account), &account) != 0) {
        log_error("store: the account of user %llu is damaged",
                  (unsigned long long) l->number);
        rc = -1;
    }

    return rc < 0 ? -1 : 0;
}


/* One that were forgotten would be good again: too many are an error. */
static int
load_user_endings(struct load_user *l, const struct reader *r,
                  struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;
    struct ending *w;
    uint64_t until;
    void *room;

    key_prefix_number(&prefix, KEY_ENDED, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_u64(r->ops->iter_value(i), &until) != 0
            || l->n_endings == STATE_ENDINGS_MAX) {
            return -1;
        }

        room = load_user_room(l->endings, sizeof(*w), l->n_endings,
                              &l->endings_cap);
        if (room == NULL) {
            return -1;
        }

        l->endings = room;

        w = &l->endings[l->n_endings++];
        memset(w, 0, sizeof(*w));
        w->until = until;
        w->jti_len = (uint8_t) parts.name.len;
        memcpy(w->jti, parts.name.data, parts.name.len);
    }

    return r->ops->iter_error(i);
}


static int
load_user_contacts(struct load_user *l, const struct reader *r,
                   struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;
    struct record_contact value;
    struct contact *c;
    void *room;

    key_prefix_number(&prefix, KEY_CONTACT, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_contact(r->ops->iter_value(i), &value) != 0) {
            return -1;
        }

        room = load_user_room(l->contacts, sizeof(*c), l->n_contacts,
                              &l->contacts_cap);
        if (room == NULL) {
            return -1;
        }

        l->contacts = room;

        c = &l->contacts[l->n_contacts++];
        *c = (struct contact){parts.second, value.state, value.flags};
    }

    return r->ops->iter_error(i);
}


static int
load_user_device(struct load_user *l, const struct key_parts *key,
                 const struct record_device *value)
{
    struct device *d;

    if (l->n_devices == STATE_DEVICES_MAX) {
        return 0;
    }

    d = &l->devices[l->n_devices++];
    memset(d, 0, sizeof(*d));
    d->inbox_id = value->inbox_id;
    d->at = value->at;
    d->id_len = (uint8_t) key->name.len;
    memcpy(d->id, key->name.data, key->name.len);
    return channel_set_text(&d->name, value->name);
}


int
load_channel_run(struct read_job *job, const struct reader *r)
{
    struct load_channel *l = (struct load_channel *) job;
    struct key key;
    int rc;

    if (l->number == 0) {
        key_channel_name(&key, (struct str){l->id, l->id_len});
        rc = load_number(r, &key, &l->number);
        if (rc <= 0) {
            return rc;
        }
    }

    key_channel(&key, l->number);
    rc = r->ops->get(r->engine, key_str(&key), &l->value);

    if (rc != 1 || record_get_channel(buf_str(&l->value), &l->record) != 0) {
        log_error("store: channel %llu has no good record",
                  (unsigned long long) l->number);
        return -1;
    }

    l->id_len = (uint8_t) l->record.id.len;
    memcpy(l->id, l->record.id.data, l->record.id.len);

    rc = load_channel_markers(l, r);
    if (rc == 0) {
        rc = load_channel_newest(l, r);
    }
    if (rc == 0) {
        rc = load_channel_events(l, r);
    }
    if (rc == 0 && l->record.kind == RECORD_GROUP) {
        rc = load_channel_invites(l, r);
    }

    l->found = rc == 0;
    return rc;
}


/*
 * Who sends has his marker at his message, so that the highest of the markers
 * mostly is the newest id, and two Gets tell: one finds a message, the other
 * is told by the Bloom filters that there is none behind it.  An iterator
 * would read a block of every level.
 */
static int
load_channel_newest(struct load_channel *l, const struct reader *r)
{
    uint64_t newest = 0;
    uint32_t n;
    int rc;

    for (n = 0; n < l->record.n_members; n++) {
        if (l->markers[n].delivered > newest) {
            newest = l->markers[n].delivered;
        }
    }

    rc = load_channel_message(l, r, newest + 1);

    if (rc == 0 && newest != 0) {
        rc = load_channel_message(l, r, newest);

        if (rc == 0) {
            return load_channel_last(l, r);
        }

        return rc < 0 ? -1 : 0;
    }

    return rc <= 0 ? rc : load_channel_last(l, r);
}


/* Takes it for the newest one: 1, 0 there is none of that id, -1. */
static int
load_channel_message(struct load_channel *l, const struct reader *r,
                     uint64_t id)
{
    struct record_message message;
    struct buf value = {0};
    struct key key;
    int rc;

    key_message(&key, l->number, id);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc == 1 && record_get_message(buf_str(&value), &message) != 0) {
        load_channel_damaged(l);
        rc = -1;
    }

    if (rc == 1) {
        l->newest = id;
        l->sent_at = message.sent_at;
    }

    buf_clear(&value);
    return rc;
}


/* After a crash markers may be behind. */
static int
load_channel_last(struct load_channel *l, const struct reader *r)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct key prefix;
    struct key_parts parts;
    struct record_message message;
    int rc;

    if (i == NULL) {
        return -1;
    }

    l->newest = 0;
    key_prefix_number(&prefix, KEY_MESSAGE, l->number);
    rc = load_last(r, i, &prefix);

    if (rc == 1) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_message(r->ops->iter_value(i), &message) != 0) {
            load_channel_damaged(l);
            rc = -1;

        } else {
            l->newest = parts.second;
            l->sent_at = message.sent_at;
        }
    }

    r->ops->iter_close(i);
    return rc < 0 ? -1 : 0;
}


static void
load_channel_damaged(const struct load_channel *l)
{
    log_error("store: the newest message of channel %llu is damaged",
              (unsigned long long) l->number);
}


/* Most channels have no events, which a filter tells. */
static int
load_channel_events(struct load_channel *l, const struct reader *r)
{
    struct engine_iter *i;
    struct buf value = {0};
    struct key_parts parts;
    struct key key;
    int rc;

    key_event(&key, l->number, 1);
    rc = r->ops->get(r->engine, key_str(&key), &value);
    buf_clear(&value);

    if (rc <= 0) {
        return rc;
    }

    i = r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    key_prefix_number(&key, KEY_EVENT, l->number);
    rc = load_last(r, i, &key);

    if (rc == 1) {
        rc = key_parse(r->ops->iter_key(i), &parts);
        l->newest_event = parts.second;
    }

    r->ops->iter_close(i);
    return rc;
}


static int
load_channel_markers(struct load_channel *l, const struct reader *r)
{
    struct buf value = {0};
    struct key key;
    uint32_t n;
    int rc = 0;

    memset(l->markers, 0, l->record.n_members * sizeof(l->markers[0]));

    if (l->record.n_members > LOAD_POINTS) {
        return load_channel_marker_range(l, r);
    }

    for (n = 0; n < l->record.n_members && rc >= 0; n++) {
        key_markers(&key, l->number, l->record.members[n].user);
        value.len = 0;
        rc = r->ops->get(r->engine, key_str(&key), &value);

        if (rc == 1
            && record_get_markers(buf_str(&value), &l->markers[n]) != 0) {
            rc = -1;
        }
    }

    buf_clear(&value);
    return rc < 0 ? -1 : 0;
}


static int
load_channel_marker_range(struct load_channel *l, const struct reader *r)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct key prefix;
    struct key_parts parts;
    struct record_markers value;
    uint32_t n;
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    key_prefix_number(&prefix, KEY_MARKERS, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_markers(r->ops->iter_value(i), &value) != 0) {
            rc = -1;
            break;
        }

        for (n = 0; n < l->record.n_members; n++) {
            if (l->record.members[n].user == parts.second) {
                l->markers[n] = value;
                break;
            }
        }
    }

    if (rc == 0) {
        rc = r->ops->iter_error(i);
    }

    r->ops->iter_close(i);
    return rc;
}


static int
load_channel_invites(struct load_channel *l, const struct reader *r)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct key prefix;
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    key_prefix_number(&prefix, KEY_INVITE, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         rc == 0 && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix)
         && l->n_invites < STATE_INVITES_MAX;
         r->ops->iter_next(i)) {
        rc =
            load_channel_invite(l, r->ops->iter_key(i), r->ops->iter_value(i));
    }

    if (rc == 0) {
        rc = r->ops->iter_error(i);
    }

    r->ops->iter_close(i);
    return rc;
}


/* Few groups have any: memory grows one by one. */
static int
load_channel_invite(struct load_channel *l, struct str key, struct str value)
{
    struct record_invite record;
    struct key_parts parts;
    struct invite *v;

    if (key_parse(key, &parts) != 0 || parts.name.len != KEY_SECRET_LEN
        || record_get_invite(value, &record) != 0) {
        return -1;
    }

    v = realloc(l->invites, (l->n_invites + 1) * sizeof(*v));
    if (v == NULL) {
        return -1;
    }

    l->invites = v;
    v += l->n_invites++;
    *v = (struct invite){.created_at = record.created_at,
                         .expires_at = record.expires_at,
                         .max_uses = record.max_uses,
                         .uses = record.uses,
                         .revoked = record.revoked,
                         .creator_len = (uint8_t) record.creator.len};
    memcpy(v->creator, record.creator.data, record.creator.len);
    memcpy(v->secret, parts.name.data, KEY_SECRET_LEN);
    return 0;
}


int
load_last(const struct reader *r, struct engine_iter *i,
          const struct key *prefix)
{
    struct key end;

    /*
     * Backwards from where there is none one comes to whatever stands before
     * all of this kind, and LevelDB walks over each version of a key that its
     * memory tables have: of the number that is in each batch, thousands.
     */
    r->ops->iter_seek(i, key_str(prefix));

    if (!r->ops->iter_valid(i)) {
        return r->ops->iter_error(i);
    }

    if (!key_has_prefix(r->ops->iter_key(i), prefix)) {
        return 0;
    }

    key_prefix_end(&end, prefix);
    r->ops->iter_seek_before(i, key_str(&end));

    if (r->ops->iter_valid(i)) {
        return key_has_prefix(r->ops->iter_key(i), prefix);
    }

    return r->ops->iter_error(i);
}


int
load_number(const struct reader *r, const struct key *key, uint64_t *v)
{
    struct buf value = {0};
    int rc = r->ops->get(r->engine, key_str(key), &value);

    if (rc == 1 && record_get_u64(buf_str(&value), v) != 0) {
        log_error("store: a number's record is damaged");
        rc = -1;
    }

    buf_clear(&value);
    return rc;
}
