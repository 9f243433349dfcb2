/*
 * What a round does about a deleted user: found by a reader from what is on
 * the disk, bounded in operations, in inboxes they write to, and in what is
 * looked through.  See storage_ending.h.
 */

#include "storage_ending_round.h"

#include "log.h"

#define ENDING_FANS    2000 /* inboxes they may write to together       */
#define ENDING_ENTRIES 4096 /* inbox entries looked through for a round */

static int ending_look_user(struct ending_round *l, const struct reader *r);
static int ending_look_name(const struct reader *r, uint64_t user, char *name,
                            uint8_t *len);
static int ending_look_keys(struct ending_round *l, const struct reader *r,
                            struct engine_iter *i);
static int ending_look_contacts(struct ending_round *l, const struct reader *r,
                                struct engine_iter *i);
static int ending_look_groups(struct ending_round *l, const struct reader *r,
                              struct engine_iter *i);
static int ending_look_messages(struct ending_round *l, const struct reader *r,
                                struct engine_iter *i);
static int ending_look_run(struct ending_round *l, const struct reader *r,
                           const struct engine_iter *i, uint32_t *n);
static int ending_look_message(struct ending_round *l, const struct reader *r,
                               const struct record_inbox *entry);
static int ending_look_channel(struct ending_round *l, const struct reader *r,
                               uint64_t channel, bool groups_only,
                               struct ending_item *item);


int
ending_look(struct read_job *job, const struct reader *r)
{
    struct ending_round *l = (struct ending_round *) job;
    struct engine_iter *i;
    int rc = ending_look_user(l, r);

    if (rc != 0 || !l->found) {
        return rc;
    }

    i = r->ops->iter_open(r->engine);
    if (i == NULL) {
        return -1;
    }

    switch ((enum record_ending_phase) l->record.phase) {
    case RECORD_ENDING_DEVICES:
    case RECORD_ENDING_LAST:
        rc = ending_look_keys(l, r, i);
        break;
    case RECORD_ENDING_CONTACTS:
        rc = ending_look_contacts(l, r, i);
        break;
    case RECORD_ENDING_GROUPS:
        rc = ending_look_groups(l, r, i);
        break;
    case RECORD_ENDING_MESSAGES:
        rc = ending_look_messages(l, r, i);
        break;
    }

    if (rc == 0) {
        rc = r->ops->iter_error(i);
    }

    r->ops->iter_close(i);
    return rc;
}


/* The first of those about whom something is to be done. */
static int
ending_look_user(struct ending_round *l, const struct reader *r)
{
    struct engine_iter *i = r->ops->iter_open(r->engine);
    struct key_parts parts;
    struct key prefix;
    int rc;

    if (i == NULL) {
        return -1;
    }

    key_prefix(&prefix, KEY_ENDING);
    r->ops->iter_seek(i, key_str(&prefix));
    rc = r->ops->iter_error(i);

    if (rc == 0 && r->ops->iter_valid(i)
        && key_has_prefix(r->ops->iter_key(i), &prefix)) {
        l->found = true;

        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_ending(r->ops->iter_value(i), &l->record) != 0
            || ending_look_name(r, parts.first, l->name, &l->name_len) != 0) {
            log_error("store: what is left of a deleted user is damaged");
            rc = -1;
        }

        l->user = parts.first;
    }

    r->ops->iter_close(i);
    return rc;
}


static int
ending_look_name(const struct reader *r, uint64_t user, char *name,
                 uint8_t *len)
{
    struct record_user record;
    struct buf value = {0};
    struct key key;
    int rc = -1;

    key_user(&key, user);

    if (r->ops->get(r->engine, key_str(&key), &value) == 1
        && record_get_user(buf_str(&value), &record) == 0) {
        *len = (uint8_t) record.name.len;
        memcpy(name, record.name.data, record.name.len);
        rc = 0;
    }

    buf_clear(&value);
    return rc;
}


static int
ending_look_keys(struct ending_round *l, const struct reader *r,
                 struct engine_iter *i)
{
    static const enum key_kind kinds[] = {KEY_DEVICE, KEY_REMOVAL, KEY_ENDED,
                                          KEY_ACTIVE, KEY_ONLINE};
    struct key prefix, *key;
    size_t n;

    for (n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++) {
        key_prefix_number(&prefix, kinds[n], l->user);

        for (r->ops->iter_seek(i, key_str(&prefix));
             r->ops->iter_valid(i)
             && key_has_prefix(r->ops->iter_key(i), &prefix);
             r->ops->iter_next(i)) {
            if (l->n_keys == ENDING_ITEMS) {
                return 0;
            }

            key = &l->keys[l->n_keys++];
            key->len = r->ops->iter_key(i).len;
            memcpy(key->data, r->ops->iter_key(i).data, key->len);
        }
    }

    l->over = true;
    return 0;
}


/* Those that were done with are not there any more. */
static int
ending_look_contacts(struct ending_round *l, const struct reader *r,
                     struct engine_iter *i)
{
    struct record_contact contact;
    struct ending_item *item;
    struct key_parts parts;
    struct key prefix;

    key_prefix_number(&prefix, KEY_CONTACT, l->user);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (l->n_items + 2 > ENDING_ITEMS) {
            return 0;
        }

        item = &l->items[l->n_items];

        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_contact(r->ops->iter_value(i), &contact) != 0
            || ending_look_name(r, parts.second, item->name, &item->len) != 0) {
            return -1;
        }

        item->type = STORAGE_REMOVE_CONTACT;
        l->n_items++;

        if ((contact.flags & RECORD_CONTACT_BLOCKS) != 0) {
            item[1] = *item;
            item[1].type = STORAGE_UNBLOCK_CONTACT;
            l->n_items++;
        }
    }

    l->over = true;
    return 0;
}


/* Direct channels stay, for the other one. */
static int
ending_look_groups(struct ending_round *l, const struct reader *r,
                   struct engine_iter *i)
{
    struct key_parts parts;
    struct key prefix, key;
    int rc;

    key_prefix_number(&prefix, KEY_MEMBERSHIP, l->user);
    key_membership(&key, l->user, l->record.cursor + 1);

    for (r->ops->iter_seek(i, key_str(&key));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (l->n_items == ENDING_ITEMS || l->n_fans >= ENDING_FANS) {
            return 0;
        }

        if (key_parse(r->ops->iter_key(i), &parts) != 0) {
            return -1;
        }

        rc = ending_look_channel(l, r, parts.second, true,
                                 &l->items[l->n_items]);
        if (rc < 0) {
            return -1;
        }

        if (rc == 1) {
            l->items[l->n_items++].type = STORAGE_LEAVE;
        }

        l->record.cursor = parts.second;
    }

    l->over = true;
    return 0;
}


/* 1 and the channel's id; 0: not a group, where only these are meant; -1 */
static int
ending_look_channel(struct ending_round *l, const struct reader *r,
                    uint64_t channel, bool groups_only,
                    struct ending_item *item)
{
    struct record_channel record;
    struct buf value = {0};
    struct key key;
    int rc = -1;

    key_channel(&key, channel);

    if (r->ops->get(r->engine, key_str(&key), &value) == 1
        && record_get_channel(buf_str(&value), &record) == 0) {
        rc = !groups_only || record.kind == RECORD_GROUP;

        if (rc == 1) {
            l->n_fans += record.n_members + 1;
            item->len = (uint8_t) record.id.len;
            memcpy(item->name, record.id.data, record.id.len);
        }
    }

    buf_clear(&value);
    return rc;
}


/* What he sent stands in his inbox, also of channels that he has left. */
static int
ending_look_messages(struct ending_round *l, const struct reader *r,
                     struct engine_iter *i)
{
    struct key prefix, key;
    uint32_t n = 0;
    int rc = 0;

    key_prefix_number(&prefix, KEY_INBOX, l->user);
    key_inbox(&key, l->user, l->record.cursor + 1);

    for (r->ops->iter_seek(i, key_str(&key));
         rc == 0 && l->record.cursor < l->record.upto && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        rc = ending_look_run(l, r, i, &n);
    }

    l->over = rc == 0;
    return rc < 0 ? -1 : 0;
}


/* The entries of a record behind the cursor.  1: the round is full. */
static int
ending_look_run(struct ending_round *l, const struct reader *r,
                const struct engine_iter *i, uint32_t *n)
{
    struct str value = r->ops->iter_value(i);
    struct record_inbox_run run;
    struct record_inbox entry;
    uint64_t id;

    if (record_get_inbox_run(r->ops->iter_key(i), value, l->user, &run) != 0) {
        return -1;
    }

    id = run.first > l->record.cursor ? run.first : l->record.cursor + 1;

    for (; id <= run.last && id <= l->record.upto; id++) {
        if (l->n_items == ENDING_ITEMS || l->n_fans >= ENDING_FANS
            || (*n)++ == ENDING_ENTRIES) {
            return 1;
        }

        if (record_get_inbox(value, (uint32_t) (id - run.first), &entry) != 0
            || (entry.method == STORAGE_EVENT_MESSAGE_NEW
                && ending_look_message(l, r, &entry) != 0)) {
            return -1;
        }

        l->record.cursor = id;
    }

    return 0;
}


static int
ending_look_message(struct ending_round *l, const struct reader *r,
                    const struct record_inbox *entry)
{
    struct ending_item *item = &l->items[l->n_items];
    struct record_message message;
    struct buf value = {0};
    struct key key;
    bool own;
    int rc = -1;

    key_message(&key, entry->channel, entry->id);

    if (r->ops->get(r->engine, key_str(&key), &value) == 1
        && record_get_message(buf_str(&value), &message) == 0) {
        own = message.sender == l->user && !message.deleted;
        rc = own ? ending_look_channel(l, r, entry->channel, false, item) : 0;

        if (rc == 1) {
            item->type = STORAGE_DELETE_MESSAGE;
            item->message_id = entry->id;
            l->n_items++;
        }
    }

    buf_clear(&value);
    return rc < 0 ? -1 : 0;
}
