/*
 * EXPORT: all that a user may take with him, as lines of JSON, in pages: who
 * he is, his devices and contacts, then each of his channels with its
 * messages, and last what he wrote in channels that he has left.  A page says
 * where it ended: (0, number of a contact), (channel, message id) when that
 * channel's own line is out and its messages up to that id, or (EXPORT_LEFT,
 * inbox id).  Each page is true of the time it was read at.
 */

#include <stdlib.h>

#include "log.h"
#include "storage_channel.h"
#include "storage_contact.h"
#include "storage_load.h"
#include "storage_profile.h"
#include "storage_text.h"

#define EXPORT_BYTES   ((size_t) 256 << 10) /* a page ends past this */
#define EXPORT_ENTRIES 4096                 /* of the inbox, for a page */
#define EXPORT_LEFT    STORAGE_MAX_ID       /* in the place of a channel */

struct export
{
    struct read_job job;
    struct request *request;
    uint64_t user; /* 0: there is none */
    uint64_t created_at;
    uint64_t channel, id; /* where the page goes on from; where it ended */
    bool more;
    uint64_t seen; /* the channel asked for last: is he a member? */
    bool is_member;
    uint32_t n_entries;
    struct buf text;
};

static int export_run(struct read_job *job, const struct reader *r);
static int export_user(struct export *x, const struct reader *r,
                       struct engine_iter *i);
static int export_profile(struct export *x, const struct reader *r);
static int export_devices(struct export *x, const struct reader *r,
                          struct engine_iter *i);
static int export_contacts(struct export *x, const struct reader *r,
                           struct engine_iter *i);
static int export_channels(struct export *x, const struct reader *r,
                           struct engine_iter *i);
static int export_next_channel(struct export *x, const struct reader *r,
                               struct engine_iter *i);
static int export_is_member(const struct export *x, const struct reader *r);
static int export_channel(struct export *x, const struct reader *r);
static int export_members(struct export *x, const struct reader *r,
                          const struct record_channel *channel);
static int export_markers(struct export *x, const struct reader *r,
                          uint64_t user, struct record_markers *m);
static int export_messages(struct export *x, const struct reader *r,
                           struct engine_iter *i);
static void export_message(struct export *x,
                           const struct record_message *message);
static int export_left(struct export *x, const struct reader *r,
                       struct engine_iter *i);
static int export_left_run(struct export *x, const struct reader *r,
                           const struct engine_iter *i,
                           struct engine_iter *look);
static int export_left_message(struct export *x, const struct reader *r,
                               struct engine_iter *look,
                               const struct record_inbox *entry);
static int export_name(const struct reader *r, uint64_t user, struct buf *value,
                       struct str *name);
static void export_done(struct embedded *e, struct read_job *job);


enum step
export_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct export *x;
    struct user *u;

    step = user_await(e, r, r->op.user, &u);

    if (step != STEP_GO) {
        return step;
    }

    x = calloc(1, sizeof(*x));
    if (x == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    x->job.run = export_run;
    x->job.done = export_done;
    x->request = r;
    x->user = u->state == OBJECT_ABSENT ? 0 : u->number;
    x->created_at = u->created_at;
    x->channel = r->op.number;
    x->id = r->op.after;
    readers_submit(e->readers, &x->job);
    return request_detach(e, r);
}


static int
export_run(struct read_job *job, const struct reader *r)
{
    struct export *x = (struct export *) job;
    struct engine_iter *i = r->ops->iter_open(r->engine);
    int rc = 0;

    if (i == NULL) {
        return -1;
    }

    if (x->channel == 0 && x->id == 0) {
        rc = export_user(x, r, i);
    }

    if (rc == 0 && x->channel == 0 && x->user != 0) {
        rc = export_contacts(x, r, i);
    }

    if (rc == 0 && !x->more && x->user != 0 && x->channel != EXPORT_LEFT) {
        rc = export_channels(x, r, i);
    }

    if (rc == 0 && !x->more && x->user != 0) {
        rc = export_left(x, r, i);
    }

    if (rc == 0) {
        rc = r->ops->iter_error(i);
    }

    r->ops->iter_close(i);

    if (!x->more) {
        buf_put_lit(&x->text, "{\"end\":true}\n");
    }

    return rc != 0 || buf_failed(&x->text) ? -1 : 0;
}


static bool
export_full(const struct export *x)
{
    return x->text.len >= EXPORT_BYTES;
}


static int
export_user(struct export *x, const struct reader *r, struct engine_iter *i)
{
    buf_put_lit(&x->text, "{\"export\":{\"user\":\"");
    buf_put_str(&x->text, x->request->op.user);
    buf_put_lit(&x->text, "\",\"format\":1,\"at\":");
    buf_put_u64(&x->text, embedded_now());
    buf_put_lit(&x->text, ",\"created_at\":");

    if (x->user == 0) {
        buf_put_lit(&x->text, "null}}\n");
        return 0;
    }

    buf_put_u64(&x->text, x->created_at);
    buf_put_lit(&x->text, "}}\n");

    return export_profile(x, r) != 0 || export_devices(x, r, i) != 0 ? -1 : 0;
}


static int
export_profile(struct export *x, const struct reader *r)
{
    struct record_profile profile = {
        .status = {NULL, 0}
    };
    struct buf value = {0};
    struct key key;
    int rc;

    key_profile(&key, x->user);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc == 1 && record_get_profile(buf_str(&value), &profile) != 0) {
        rc = -1;
    }

    buf_put_lit(&x->text, "{\"profile\":");
    profile_json(&x->text, x->request->op.user, &profile);
    buf_put_lit(&x->text, "}\n");
    buf_clear(&value);
    return rc < 0 ? -1 : 0;
}


/* At most a second older than what device.list shows. */
static int
export_devices(struct export *x, const struct reader *r, struct engine_iter *i)
{
    struct record_device device;
    struct key_parts parts;
    struct key prefix;

    key_prefix_number(&prefix, KEY_DEVICE, x->user);

    for (r->ops->iter_seek(i, key_str(&prefix));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_device(r->ops->iter_value(i), &device) != 0) {
            return -1;
        }

        buf_put_lit(&x->text, "{\"device\":{\"device\":\"");
        buf_put_str(&x->text, parts.name);
        buf_put_lit(&x->text, "\",\"name\":");

        if (device.name.len == 0) {
            buf_put_lit(&x->text, "null");

        } else {
            buf_put_json_str(&x->text, device.name);
        }

        buf_put_lit(&x->text, ",\"last_active_at\":");
        buf_put_u64(&x->text, device.at);
        buf_put_lit(&x->text, ",\"inbox_id\":");
        buf_put_u64(&x->text, device.inbox_id);
        buf_put_lit(&x->text, "}}\n");
    }

    return 0;
}


static int
export_contacts(struct export *x, const struct reader *r, struct engine_iter *i)
{
    struct record_contact contact;
    struct buf value = {0};
    struct key_parts parts;
    struct key prefix, key;
    struct str name;
    int rc = 0;

    key_prefix_number(&prefix, KEY_CONTACT, x->user);
    key_contact(&key, x->user, x->id + 1);

    for (r->ops->iter_seek(i, key_str(&key));
         rc == 0 && r->ops->iter_valid(i)
         && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (export_full(x)) {
            x->more = true;
            break;
        }

        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_contact(r->ops->iter_value(i), &contact) != 0
            || export_name(r, parts.second, &value, &name) != 0) {
            rc = -1;
            break;
        }

        buf_put_lit(&x->text, "{\"contact\":");
        contact_json(&x->text, name, contact_shown(contact));
        buf_put_lit(&x->text, "}\n");
        x->id = parts.second;
    }

    buf_clear(&value);
    return rc;
}


static int
export_channels(struct export *x, const struct reader *r, struct engine_iter *i)
{
    int rc = x->channel == 0 ? 0 : export_is_member(x, r);

    if (rc == 1) {
        rc = export_messages(x, r, i);
    }

    while (rc == 0 && !x->more) {
        rc = export_next_channel(x, r, i);

        if (rc == 0) {
            x->channel = EXPORT_LEFT;
            x->id = 0;
        }

        if (rc <= 0) {
            return rc;
        }

        if (export_full(x)) {
            x->more = true;
            return 0;
        }

        rc = export_messages(x, r, i);
    }

    return rc < 0 ? -1 : 0;
}


/* 1 and its line is out; 0: that was the last one; -1 */
static int
export_next_channel(struct export *x, const struct reader *r,
                    struct engine_iter *i)
{
    struct key_parts parts;
    struct key prefix, key;

    key_prefix_number(&prefix, KEY_MEMBERSHIP, x->user);
    key_membership(&key, x->user, x->channel + 1);
    r->ops->iter_seek(i, key_str(&key));

    if (!r->ops->iter_valid(i)
        || !key_has_prefix(r->ops->iter_key(i), &prefix)) {
        return 0;
    }

    if (key_parse(r->ops->iter_key(i), &parts) != 0) {
        return -1;
    }

    x->channel = parts.second;
    x->id = 0;
    return export_channel(x, r) == 0 ? 1 : -1;
}


/* He may have left it since the page before. */
static int
export_is_member(const struct export *x, const struct reader *r)
{
    struct buf value = {0};
    struct key key;
    int rc;

    key_membership(&key, x->user, x->channel);
    rc = r->ops->get(r->engine, key_str(&key), &value);
    buf_clear(&value);
    return rc;
}


static int
export_channel(struct export *x, const struct reader *r)
{
    struct record_channel record;
    struct record_markers own;
    struct channel_view view;
    struct buf value = {0};
    struct key key;
    int rc;

    key_channel(&key, x->channel);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc != 1 || record_get_channel(buf_str(&value), &record) != 0
        || export_markers(x, r, x->user, &own) != 0) {
        log_error("store: channel %llu cannot be read",
                  (unsigned long long) x->channel);
        buf_clear(&value);
        return -1;
    }

    view = (struct channel_view){record.kind, record.id, record.name,
                                 record.avatar, record.created_at};
    buf_put_lit(&x->text, "{\"channel\":");
    channel_json_view(&x->text, &view);
    rc = export_members(x, r, &record);
    buf_put_lit(&x->text, "],\"read\":");
    buf_put_u64(&x->text, own.read);
    channel_json_muted(&x->text, own.muted);
    buf_put_lit(&x->text, "}}\n");
    buf_clear(&value);
    return rc;
}


static int
export_members(struct export *x, const struct reader *r,
               const struct record_channel *channel)
{
    struct record_markers markers;
    struct buf value = {0};
    struct str name;
    uint32_t n;
    int rc = 0;

    for (n = 0; n < channel->n_members && rc == 0; n++) {
        rc = export_name(r, channel->members[n].user, &value, &name);

        if (rc == 0) {
            channel_json_member(&x->text, n == 0, name,
                                channel->members[n].role);
            rc = export_markers(x, r, channel->members[n].user, &markers);
            buf_put_lit(&x->text, ",\"delivered\":");
            buf_put_u64(&x->text, markers.delivered);
            buf_put_lit(&x->text, ",\"read\":");
            buf_put_u64(&x->text, markers.read);
            buf_put_char(&x->text, '}');
        }
    }

    buf_clear(&value);
    return rc;
}


static int
export_markers(struct export *x, const struct reader *r, uint64_t user,
               struct record_markers *m)
{
    struct buf value = {0};
    struct key key;
    int rc;

    memset(m, 0, sizeof(*m));
    key_markers(&key, x->channel, user);
    rc = r->ops->get(r->engine, key_str(&key), &value);

    if (rc == 1) {
        rc = record_get_markers(buf_str(&value), m);
    }

    buf_clear(&value);
    return rc;
}


static int
export_messages(struct export *x, const struct reader *r, struct engine_iter *i)
{
    struct record_message message;
    struct key_parts parts;
    struct key prefix, key;

    key_prefix_number(&prefix, KEY_MESSAGE, x->channel);
    key_message(&key, x->channel, x->id + 1);

    for (r->ops->iter_seek(i, key_str(&key));
         r->ops->iter_valid(i) && key_has_prefix(r->ops->iter_key(i), &prefix);
         r->ops->iter_next(i)) {
        if (export_full(x)) {
            x->more = true;
            return 0;
        }

        if (key_parse(r->ops->iter_key(i), &parts) != 0
            || record_get_message(r->ops->iter_value(i), &message) != 0) {
            log_error("store: a message of channel %llu is damaged",
                      (unsigned long long) x->channel);
            return -1;
        }

        export_message(x, &message);
        x->id = parts.second;
    }

    return 0;
}


static void
export_message(struct export *x, const struct record_message *message)
{
    buf_put_lit(&x->text, "{\"message\":");
    text_put_shown(&x->text, message);
    buf_put_lit(&x->text, "}\n");
}


/* Where he is no member any more his inbox alone says what he wrote. */
static int
export_left(struct export *x, const struct reader *r, struct engine_iter *i)
{
    struct engine_iter *look = r->ops->iter_open(r->engine);
    struct key prefix, key;
    int rc = look == NULL ? -1 : 0;

    key_prefix_number(&prefix, KEY_INBOX, x->user);
    key_inbox(&key, x->user, x->id + 1);

    if (rc == 0) {
        r->ops->iter_seek(i, key_str(&key));
    }

    while (rc == 0 && !x->more && r->ops->iter_valid(i)
           && key_has_prefix(r->ops->iter_key(i), &prefix)) {
        rc = export_left_run(x, r, i, look);
        r->ops->iter_next(i);
    }

    if (look != NULL) {
        r->ops->iter_close(look);
    }

    return rc;
}


/* The entries of a record behind the last one looked at. */
static int
export_left_run(struct export *x, const struct reader *r,
                const struct engine_iter *i, struct engine_iter *look)
{
    struct str value = r->ops->iter_value(i);
    struct record_inbox_run run;
    struct record_inbox entry;
    uint64_t id;
    int rc;

    if (record_get_inbox_run(r->ops->iter_key(i), value, x->user, &run) != 0) {
        return -1;
    }

    id = run.first > x->id ? run.first : x->id + 1;

    for (; id <= run.last; id++) {
        if (x->n_entries++ == EXPORT_ENTRIES) {
            x->more = true;
            return 0;
        }

        rc = record_get_inbox(value, (uint32_t) (id - run.first), &entry);

        if (rc == 0 && entry.method == STORAGE_EVENT_MESSAGE_NEW) {
            rc = export_left_message(x, r, look, &entry);
        }

        if (rc == 1) {
            x->more = true;
            return 0;
        }

        if (rc != 0) {
            log_error("store: what user %llu wrote cannot be read",
                      (unsigned long long) x->user);
            return -1;
        }

        x->id = id;
    }

    return 0;
}


/* 1: the page is full without it. */
static int
export_left_message(struct export *x, const struct reader *r,
                    struct engine_iter *look, const struct record_inbox *entry)
{
    struct record_message message;
    struct key key;
    int rc;

    if (entry->channel != x->seen) {
        key_membership(&key, x->user, entry->channel);
        rc = load_seek(r, look, &key);

        if (rc < 0) {
            return -1;
        }

        x->seen = entry->channel;
        x->is_member = rc == 1;
    }

    if (x->is_member) {
        return 0;
    }

    key_message(&key, entry->channel, entry->id);

    if (load_seek(r, look, &key) != 1
        || record_get_message(r->ops->iter_value(look), &message) != 0) {
        return -1;
    }

    if (message.sender != x->user || message.deleted) {
        return 0;
    }

    if (export_full(x)) {
        return 1;
    }

    export_message(x, &message);
    return 0;
}


/* The name points into *value, which is emptied before. */
static int
export_name(const struct reader *r, uint64_t user, struct buf *value,
            struct str *name)
{
    struct record_user record;
    struct key key;

    key_user(&key, user);
    buf_reset(value, EMBEDDED_SCRATCH);

    if (r->ops->get(r->engine, key_str(&key), value) != 1
        || record_get_user(buf_str(value), &record) != 0) {
        return -1;
    }

    *name = record.name;
    return 0;
}


static void
export_done(struct embedded *e, struct read_job *job)
{
    struct export *x = (struct export *) job;
    struct storage_result result = {.status = STORAGE_UNAVAILABLE};

    if (job->status == 0) {
        result.status = STORAGE_OK;
        result.json = buf_str(&x->text);
        result.more = x->more;
        result.number = x->channel;
        result.inbox_id = x->id;
    }

    request_finish(e, x->request, &result);
    buf_clear(&x->text);
    free(x);
}
