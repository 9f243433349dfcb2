/* Loading users; see storage_load.h. */

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
static int load_user_account(struct load_user *l, const struct reader *r);
static int load_user_endings(struct load_user *l, const struct reader *r,
                             struct engine_iter *i);
static int load_user_contacts(struct load_user *l, const struct reader *r,
                              struct engine_iter *i);
static int load_user_device(struct load_user *l, const struct key_parts *key,
                            const struct record_device *value);


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
