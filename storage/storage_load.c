/* See storage_load.h. */

#include "storage_load.h"

#include <stdlib.h>

#include "log.h"

static int load_user_newest(struct load_user *l, const struct reader *r,
                            struct engine_iter *i);
static int load_user_devices(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_removals(struct load_user *l, const struct reader *r,
                              struct engine_iter *i);
static int load_user_profile(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_account(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_endings(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_contacts(struct load_user *l, const struct reader *r,
                              struct engine_iter *i);
static int load_user_device(struct load_user *l, const struct key_parts *key,
                            const struct record_device *value);
static int load_channel_markers(struct load_channel *l, const struct reader *r,
                                struct engine_iter *i);
static int load_channel_newest(struct load_channel *l, const struct reader *r,
                               struct engine_iter *i);
static int load_channel_message(struct load_channel *l, const struct reader *r,
                                struct engine_iter *i);
static int load_channel_events(struct load_channel *l, const struct reader *r,
                               struct engine_iter *i);
static int load_channel_invites(struct load_channel *l, const struct reader *r,
                                struct engine_iter *i);
static int load_channel_invite(struct load_channel *l, struct str key,
                               struct str value);
static int load_seek(const struct reader *r, struct engine_iter *i,
                     const struct key *key);
static int load_seek_number(const struct reader *r, struct engine_iter *i,
                            const struct key *key, uint64_t *v);


int
load_user_run(struct read_job *job, const struct reader *r)
{
    struct load_user *l = (struct load_user *) job;
    struct engine_iter *i = reader_iter(r);
    struct record_user record;
    struct key key;
    int rc;

    if (i == NULL) {
        return -1;
    }

    if (l->number == 0) {
        key_user_name(&key, (struct str){l->name, l->name_len});
        rc = load_seek_number(r, i, &key, &l->number);
        if (rc <= 0) {
            return rc;
        }
    }

    key_user(&key, l->number);
    rc = load_seek(r, i, &key);

    if (rc != 1 || record_get_user(r->ops->iter_value(i), &record) != 0) {
        log_error("store: user %llu has no good record",
                  (unsigned long long) l->number);
        return -1;
    }

    l->flags = record.flags;
    l->created_at = record.created_at;
    l->name_len = (uint8_t) record.name.len;
    memcpy(l->name, record.name.data, record.name.len);

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
        rc = load_user_profile(l, r, i);
    }
    if (rc == 0) {
        rc = load_user_account(l, r, i);
    }

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
load_user_profile(struct load_user *l, const struct reader *r,
                  struct engine_iter *i)
{
    struct record_profile profile;
    struct key key;
    int rc;

    key_active(&key, l->number);

    if (load_seek_number(r, i, &key, &l->active_at) < 0) {
        return -1;
    }

    key_profile(&key, l->number);
    rc = load_copy(r, &key, &l->profile);

    if (rc == 1 && record_get_profile(buf_str(&l->profile), &profile) != 0) {
        log_error("store: the profile of user %llu is damaged",
                  (unsigned long long) l->number);
        rc = -1;
    }

    return rc < 0 ? -1 : 0;
}


static int
load_user_account(struct load_user *l, const struct reader *r,
                  struct engine_iter *i)
{
    struct record_account account;
    struct key key;
    int rc;

    key_account(&key, l->number);
    rc = load_copy(r, &key, &l->account);

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
    struct engine_iter *i = reader_iter(r);
    struct key key;
    int rc;

    if (i == NULL) {
        return -1;
    }

    if (l->number == 0) {
        key_channel_name(&key, (struct str){l->id, l->id_len});
        rc = load_seek_number(r, i, &key, &l->number);
        if (rc <= 0) {
            return rc;
        }
    }

    key_channel(&key, l->number);
    rc = load_copy(r, &key, &l->value);

    if (rc != 1 || record_get_channel(buf_str(&l->value), &l->record) != 0) {
        log_error("store: channel %llu has no good record",
                  (unsigned long long) l->number);
        return -1;
    }

    l->id_len = (uint8_t) l->record.id.len;
    memcpy(l->id, l->record.id.data, l->record.id.len);

    rc = load_channel_markers(l, r, i);
    if (rc == 0) {
        rc = load_channel_newest(l, r, i);
    }
    if (rc == 0) {
        rc = load_channel_events(l, r, i);
    }
    if (rc == 0 && l->record.kind == RECORD_GROUP) {
        rc = load_channel_invites(l, r, i);
    }

    l->found = rc == 0;
    return rc;
}


static int
load_channel_markers(struct load_channel *l, const struct reader *r,
                     struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;
    struct record_markers value;
    uint32_t n;

    memset(l->markers, 0, l->record.n_members * sizeof(l->markers[0]));
    key_prefix_number(&prefix, KEY_MARKERS, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_markers(r->ops->iter_value(i), &value) != 0) {
            return -1;
        }

        for (n = 0; n < l->record.n_members; n++) {
            if (l->record.members[n].user == parts.second) {
                l->markers[n] = value;
                break;
            }
        }
    }

    return r->ops->iter_error(i);
}


/*
 * Who sends has his marker at his message: the highest of the markers mostly
 * is the newest id.  To find it and nothing behind it costs one seek; to look
 * for the last of a range costs three, for an iterator that turns round seeks
 * once more in each level.
 */
static int
load_channel_newest(struct load_channel *l, const struct reader *r,
                    struct engine_iter *i)
{
    uint64_t newest = 1;
    struct key key, prefix;
    uint32_t n;
    int rc;

    for (n = 0; n < l->record.n_members; n++) {
        if (l->markers[n].delivered > newest) {
            newest = l->markers[n].delivered;
        }
    }

    key_prefix_number(&prefix, KEY_MESSAGE, l->number);
    key_message(&key, l->number, newest);
    rc = load_seek(r, i, &key);

    if (rc == 1) {
        if (load_channel_message(l, r, i) != 0) {
            return -1;
        }

        r->ops->iter_next(i);

        if (!r->ops->iter_valid(i)
            || !key_has_prefix(r->ops->iter_key(i), &prefix)) {
            return r->ops->iter_error(i);
        }

    } else if (rc < 0 || newest == 1) {
        return rc;
    }

    /* after a crash markers may be behind */
    rc = load_last(r, i, &prefix);
    return rc == 1 ? load_channel_message(l, r, i) : rc;
}


/* Takes the message where the iterator stands for the newest. */
static int
load_channel_message(struct load_channel *l, const struct reader *r,
                     struct engine_iter *i)
{
    struct record_message message;
    struct key_parts parts;

    if (key_parse(r->ops->iter_key(i), &parts) != 0
        || record_get_message(r->ops->iter_value(i), &message) != 0) {
        log_error("store: the newest message of channel %llu is damaged",
                  (unsigned long long) l->number);
        return -1;
    }

    l->newest = parts.second;
    l->sent_at = message.sent_at;
    return 0;
}


/* Most channels have none: then one seek tells. */
static int
load_channel_events(struct load_channel *l, const struct reader *r,
                    struct engine_iter *i)
{
    struct key prefix;
    struct key_parts parts;
    int rc;

    key_prefix_number(&prefix, KEY_EVENT, l->number);
    r->ops->iter_seek(i, key_str(&prefix));

    if (!r->ops->iter_valid(i)
        || !key_has_prefix(r->ops->iter_key(i), &prefix)) {
        return r->ops->iter_error(i);
    }

    rc = load_last(r, i, &prefix);

    if (rc == 1) {
        rc = key_parse(r->ops->iter_key(i), &parts);
        l->newest_event = parts.second;
    }

    return rc;
}


static int
load_channel_invites(struct load_channel *l, const struct reader *r,
                     struct engine_iter *i)
{
    struct key prefix;
    int rc = 0;

    key_prefix_number(&prefix, KEY_INVITE, l->number);

    for (r->ops->iter_seek(i, key_str(&prefix));
         rc == 0 && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix)
         && l->n_invites < STATE_INVITES_MAX;
         r->ops->iter_next(i)) {
        rc =
            load_channel_invite(l, r->ops->iter_key(i), r->ops->iter_value(i));
    }

    return rc == 0 ? r->ops->iter_error(i) : rc;
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


/* 1 and the iterator stands on the key; 0; -1. */
static int
load_seek(const struct reader *r, struct engine_iter *i, const struct key *key)
{
    r->ops->iter_seek(i, key_str(key));

    if (r->ops->iter_valid(i)) {
        return str_eq(r->ops->iter_key(i), key_str(key));
    }

    return r->ops->iter_error(i);
}


static int
load_seek_number(const struct reader *r, struct engine_iter *i,
                 const struct key *key, uint64_t *v)
{
    int rc = load_seek(r, i, key);

    if (rc == 1 && record_get_u64(r->ops->iter_value(i), v) != 0) {
        log_error("store: a number's record is damaged");
        rc = -1;
    }

    return rc;
}


int
load_copy(const struct reader *r, const struct key *key, struct buf *value)
{
    struct engine_iter *i = reader_iter(r);
    int rc = i == NULL ? -1 : load_seek(r, i, key);

    if (rc == 1) {
        buf_put_str(value, r->ops->iter_value(i));
        rc = buf_failed(value) ? -1 : 1;
    }

    return rc;
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
