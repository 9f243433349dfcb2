/* Loading users; see storage_load.h. */

#include "storage_load.h"

#include <stdlib.h>

#include "log.h"

static int load_user_newest(struct load_user *l, const struct reader *r,
                            struct engine_iter *i);
static int load_user_lists(struct load_user *l, const struct reader *r,
                           struct engine_iter *i);
static int load_user_profile(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_account(struct load_user *l, const struct reader *r);


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
        rc = load_user_lists(l, r, i);
    }
    if (rc == 0) {
        rc = load_user_profile(l, r, i);
    }
    if (rc == 0) {
        rc = load_user_account(l, r);
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
load_user_device(struct load_user *l, const struct key_parts *key,
                 struct str value)
{
    struct record_device record;
    struct device *d;
    void *room;

    if (record_get_device(value, &record) != 0) {
        return -1;
    }

    if (l->n_devices == STATE_DEVICES_MAX) {
        return 0;
    }

    room =
        load_user_room(l->devices, sizeof(*d), l->n_devices, &l->devices_cap);
    if (room == NULL) {
        return -1;
    }

    l->devices = room;
    d = &l->devices[l->n_devices++];
    memset(d, 0, sizeof(*d));
    d->inbox_id = record.inbox_id;
    d->at = record.at;
    d->id_len = (uint8_t) key->name.len;
    memcpy(d->id, key->name.data, key->name.len);
    return channel_set_text(&d->name, record.name);
}


static int
load_user_removal(struct load_user *l, const struct key_parts *key,
                  struct str value)
{
    struct removal *w;
    uint64_t at;
    void *room;

    if (record_get_u64(value, &at) != 0) {
        return -1;
    }

    if (l->n_removals == STATE_REMOVALS_MAX) {
        return 0;
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
    w->id_len = (uint8_t) key->name.len;
    memcpy(w->id, key->name.data, key->name.len);
    return 0;
}


static int
load_user_contact(struct load_user *l, const struct key_parts *key,
                  struct str value)
{
    struct record_contact record;
    struct contact *c;
    void *room;

    if (record_get_contact(value, &record) != 0) {
        return -1;
    }

    room = load_user_room(l->contacts, sizeof(*c), l->n_contacts,
                          &l->contacts_cap);
    if (room == NULL) {
        return -1;
    }

    l->contacts = room;
    c = &l->contacts[l->n_contacts++];
    *c = (struct contact){key->second, record.state, record.flags};
    return 0;
}


/* One that were forgotten would be good again: too many are an error. */
static int
load_user_ending(struct load_user *l, const struct key_parts *key,
                 struct str value)
{
    struct ending *w;
    uint64_t until;
    void *room;

    if (record_get_u64(value, &until) != 0
        || l->n_endings == STATE_ENDINGS_MAX) {
        return -1;
    }

    room =
        load_user_room(l->endings, sizeof(*w), l->n_endings, &l->endings_cap);
    if (room == NULL) {
        return -1;
    }

    l->endings = room;
    w = &l->endings[l->n_endings++];
    memset(w, 0, sizeof(*w));
    w->until = until;
    w->jti_len = (uint8_t) key->name.len;
    memcpy(w->jti, key->name.data, key->name.len);
    return 0;
}


/* What a user has many of, in the order of their keys. */
static int
load_user_lists(struct load_user *l, const struct reader *r,
                struct engine_iter *i)
{
    static const struct {
        enum key_kind kind;
        int (*take)(struct load_user *l, const struct key_parts *key,
                    struct str value);
    } lists[] = {
        {KEY_DEVICE,  load_user_device },
        {KEY_REMOVAL, load_user_removal},
        {KEY_CONTACT, load_user_contact},
        {KEY_ENDED,   load_user_ending },
    };
    struct key prefix;
    struct key_parts parts;
    size_t n;
    int rc = 0;

    for (n = 0; rc == 0 && n < sizeof(lists) / sizeof(lists[0]); n++) {
        key_prefix_number(&prefix, lists[n].kind, l->number);

        for (r->ops->iter_seek(i, key_str(&prefix));
             r->ops->iter_valid(i)
             && key_has_prefix(r->ops->iter_key(i), &prefix);
             r->ops->iter_next(i)) {
            if (key_parse(r->ops->iter_key(i), &parts) != 0
                || lists[n].take(l, &parts, r->ops->iter_value(i)) != 0) {
                return -1;
            }
        }

        rc = r->ops->iter_error(i);
    }

    return rc;
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
load_user_account(struct load_user *l, const struct reader *r)
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
