/* Loading channels, and what all loading shares; see storage_load.h. */

#include "storage_load.h"

#include <stdlib.h>

#include "log.h"

static int load_channel_markers(struct load_channel *l, const struct reader *r,
                                struct engine_iter *i);
static int load_channel_newest(struct load_channel *l, const struct reader *r,
                               struct engine_iter *i);
static int load_channel_message(struct load_channel *l, const struct reader *r,
                                struct engine_iter *i);
static int load_newest_event(const struct reader *r, struct engine_iter *i,
                             uint64_t channel, uint64_t *newest);
static int load_channel_invites(struct load_channel *l, const struct reader *r,
                                struct engine_iter *i);
static int load_channel_invite(struct load_channel *l, struct str key,
                               struct str value);


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
    if (rc == 0 && l->record.kind == RECORD_GROUP) {
        rc = load_newest_event(r, i, l->number, &l->newest_event);
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
    l->sender = message.sender;
    return 0;
}


int
load_events_run(struct read_job *job, const struct reader *r)
{
    struct load_events *l = (struct load_events *) job;
    struct engine_iter *i = reader_iter(r);

    return i == NULL ? -1 : load_newest_event(r, i, l->number, &l->newest);
}


static int
load_newest_event(const struct reader *r, struct engine_iter *i,
                  uint64_t channel, uint64_t *newest)
{
    struct key prefix;
    struct key_parts parts;
    int rc;

    key_prefix_number(&prefix, KEY_EVENT, channel);
    rc = load_last(r, i, &prefix);

    if (rc == 1) {
        rc = key_parse(r->ops->iter_key(i), &parts);
        *newest = parts.second;
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
        rc = load_channel_invite(l, r->ops->iter_key(i), r->ops->iter_value(i));
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


int
load_seek(const struct reader *r, struct engine_iter *i, const struct key *key)
{
    r->ops->iter_seek(i, key_str(key));

    if (r->ops->iter_valid(i)) {
        return str_eq(r->ops->iter_key(i), key_str(key));
    }

    return r->ops->iter_error(i);
}


int
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
