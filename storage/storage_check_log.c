/*
 * The half of `chatd check` that judges what grows: messages and events of a
 * channel, the inbox of a user.  Ids are gapless, so an inbox is judged by
 * its runs: between joining a channel and leaving it a member's inbox holds
 * every message of it, once, in order.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "storage_check.h"

#define CHECK_DEPTH_MAX 64

/* A channel as one user's inbox shows it. */
struct check_run {
    struct map_entry entry;
    uint64_t channel;
    uint64_t newest_message;
    uint64_t newest_event;
    uint64_t last_message; /* of those in the inbox */
    uint64_t last_event;
    bool member; /* still is one                                       */
    bool gap_ok; /* has joined (again) since last_message              */
    bool absent; /* an event told that he was removed                  */
};

static void check_inbox_entry(struct check *c, const struct record_inbox *i);
static bool check_sequel(struct check *c, const char *what);
static struct check_run *check_run_find(struct check *c, uint64_t channel);
static void check_run_message(struct check *c, struct check_run *run,
                              uint64_t id);
static void check_run_event(struct check *c, struct check_run *run,
                            uint64_t id);
static int check_run_event_at(struct check *c, struct check_run *run,
                              uint64_t id, struct str *tail);
static void check_run_reaction(struct check *c, struct check_run *run,
                               uint64_t id);
static void check_run_end(struct check *c, const struct check_run *run);
static void check_unlisted(struct check *c);
static bool check_has_written(const struct record_channel *channel,
                              uint64_t user);
static void check_bucket_add(struct check *c, int sign, uint64_t sender,
                             uint64_t channel, uint64_t id);
static uint64_t check_bucket_hash(uint64_t sender, uint64_t channel,
                                  uint64_t id);


void
check_message(struct check *c, struct str value)
{
    bool first = check_sequel(c, "message");
    const struct record_channel *channel = check_channel(c, c->at.first);
    struct record_message m;

    if (record_get_message(value, &m) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (!first && m.sent_at < c->log_sent_at) {
        check_defect(c, CHECK_TIME, "sent at %" PRIu64 " after %" PRIu64,
                     m.sent_at, c->log_sent_at);
    }

    c->log_sent_at = m.sent_at;

    const struct check_user *sender = check_user(c, m.sender);

    if (sender == NULL) {
        check_defect(c, CHECK_USER, "sent by %" PRIu64 ", who is nobody",
                     m.sender);
    }

    if (channel == NULL) {
        check_defect(c, CHECK_CHANNEL, "a message in no channel");
        return;
    }

    if (channel->wrote_known && !check_has_written(channel, m.sender)) {
        check_defect(c, CHECK_MEMBER,
                     "sent by %" PRIu64
                     ", who is not one of the channel that have written",
                     m.sender);
    }

    check_message_json(c, m.json, &m, c->at.second);
    check_changed_message(c, &m);

    if (!check_is_member(channel, m.sender)) {
        check_bucket_add(c, 1, m.sender, c->at.first, c->at.second);
    }
}


static bool
check_has_written(const struct record_channel *channel, uint64_t user)
{
    for (uint32_t i = 0; i < channel->n_members; i++) {
        if (channel->members[i].user == user) {
            return (channel->wrote >> i & 1) != 0;
        }
    }

    return false;
}


void
check_event(struct check *c, struct str value)
{
    static const struct str updated = {",\"channel\":{", 12};
    static const struct str reacted = {",\"channel\":\"", 12};
    struct str tail;

    check_sequel(c, "event");

    if (record_get_event(value, &tail) != 0) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    if (check_channel(c, c->at.first) == NULL) {
        check_defect(c, CHECK_CHANNEL, "an event in no channel");
    }

    /* the tail closes params and notification, which the head opened */
    if (tail.len < updated.len
        || (memcmp(tail.data, updated.data, updated.len) != 0
            && memcmp(tail.data, reacted.data, reacted.len) != 0)
        || !check_json(tail, 2)) {
        check_defect(c, CHECK_JSON, "the text is not that of an event");
    }
}


/* A run of entries: each is judged under its own id. */
void
check_inbox(struct check *c, struct str value)
{
    struct record_inbox i;
    uint64_t last = c->at.second;
    uint32_t k, n = record_count_inbox(value);

    if (c->log_kind == KEY_INBOX && c->log_number != c->at.first) {
        check_inbox_end(c);
    }

    c->at.second = n == 0 || n > last ? last : last - n + 1;

    if (check_sequel(c, "inbox") && check_user(c, c->at.first) == NULL) {
        check_defect(c, CHECK_USER, "an inbox of nobody");
    }

    c->log_next = last + 1;

    if (n == 0 || n > last) {
        check_defect(c, CHECK_VALUE, "damaged");
        return;
    }

    c->keys[KEY_INBOX] += n - 1; /* entries are what is counted */

    for (k = 0; k < n; k++) {
        c->at.second = last - n + 1 + k;

        if (record_get_inbox(value, k, &i) != 0) {
            check_defect(c, CHECK_VALUE, "damaged");
        } else {
            check_inbox_entry(c, &i);
        }
    }
}


static void
check_inbox_entry(struct check *c, const struct record_inbox *i)
{
    struct check_run *run;

    if (i->method == STORAGE_EVENT_CONTACT_UPDATED) {
        if (check_user(c, i->channel) == NULL) {
            check_defect(c, CHECK_REFERENCE, "there is no user %" PRIu64,
                         i->channel);
        }

        return;
    }

    run = check_run_find(c, i->channel);

    if (run == NULL) {
        return;
    }

    if (i->method == STORAGE_EVENT_CHANNEL_UPDATED) {
        check_run_event(c, run, i->id);
    } else if (i->method == STORAGE_EVENT_MESSAGE_NEW) {
        check_run_message(c, run, i->id);
    } else if (i->method == STORAGE_EVENT_MESSAGE_REACTED) {
        check_run_reaction(c, run, i->id);
    } else if (i->id > run->newest_message) {
        check_defect(c, CHECK_REFERENCE,
                     "there is no message %" PRIu64 " in channel %" PRIu64,
                     i->id, i->channel);
    } else {
        check_inbox_revision(c, i);
    }
}


void
check_inbox_end(struct check *c)
{
    struct key_parts at = c->at;
    struct map_entry *entry;
    size_t pos = 0;

    c->at = (struct key_parts){.kind = KEY_INBOX, .first = c->log_number};
    check_unlisted(c);

    while ((entry = map_next(&c->runs, &pos)) != NULL) {
        struct check_run *run = map_container(entry, struct check_run, entry);

        check_run_end(c, run);
        map_remove(&c->runs, entry);
        free(run);
    }

    c->at = at;
}


void
check_buckets(struct check *c)
{
    for (size_t n = 0; n < CHECK_BUCKETS; n++) {
        const struct check_bucket *b = &c->buckets[n];

        if (b->count == 1
            && b->hash == check_bucket_hash(b->sender, b->channel, b->id)) {
            check_defect(c, CHECK_MISSING,
                         "message %" PRIu64 " of channel %" PRIu64
                         " is not in the inbox of its sender %" PRIu64
                         ", who has left",
                         b->id, b->channel, b->sender);
        } else if (b->count != 0 || b->hash != 0) {
            check_defect(c, CHECK_MISSING,
                         "messages of senders who have left and the inboxes "
                         "of these do not agree (by %" PRId64 ")",
                         b->count);
        }
    }
}


/*
 * Ids under one first number count from 1 without a gap.  True for the first
 * record of a log.
 */
static bool
check_sequel(struct check *c, const char *what)
{
    bool first = c->log_kind != c->at.kind || c->log_number != c->at.first;

    if (first) {
        c->log_kind = c->at.kind;
        c->log_number = c->at.first;
        c->log_next = 1;
    }

    if (c->at.second != c->log_next) {
        check_defect(c, CHECK_GAP, "%s %" PRIu64 " is not there", what,
                     c->log_next);
    }

    c->log_next = c->at.second + 1;
    return first;
}


bool
check_json(struct str json, unsigned depth)
{
    uint64_t arrays = 0; /* bit d: what opened at depth d is an array */
    bool in_string = false;

    for (size_t i = 0; i < json.len; i++) {
        char ch = json.data[i];

        if (in_string) {
            in_string = ch != '"';
            i += ch == '\\';
            continue;
        }

        switch (ch) {
        case '"':
            in_string = true;
            break;
        case '{':
        case '[':
            if (depth == CHECK_DEPTH_MAX) {
                return false;
            }
            arrays &= ~((uint64_t) 1 << depth);
            arrays |= (uint64_t) (ch == '[') << depth;
            depth++;
            break;
        case '}':
        case ']':
            if (depth == 0 || (arrays >> (depth - 1) & 1) != (ch == ']')) {
                return false;
            }
            depth--;
            if (depth == 0) {
                return i == json.len - 1;
            }
            break;
        }
    }

    return false;
}


void
check_message_json(struct check *c, struct str json,
                   const struct record_message *m, uint64_t id)
{
    const struct check_user *sender = check_user(c, m->sender);
    struct buf *head = &c->text;

    if (sender == NULL) {
        return; /* told where the message is */
    }

    buf_reset(head, STORAGE_PAGE_BYTES);
    record_put_message_json(head, c->channel.id, id,
                            (struct str){sender->name, sender->len},
                            m->sent_at);

    if (buf_failed(head)) {
        c->unreadable = true;
        return;
    }

    if (json.len < head->len || memcmp(json.data, head->data, head->len) != 0
        || !check_json(json, 0)) {
        check_defect(c, CHECK_JSON, "the text is not that of this message");
    }
}


static const void *
check_run_key(const struct map_entry *e, size_t *len)
{
    const struct check_run *run = map_container(e, struct check_run, entry);

    *len = sizeof(run->channel);
    return &run->channel;
}


/* Finds or makes it; NULL: there is no such channel, or no memory. */
static struct check_run *
check_run_find(struct check *c, uint64_t channel)
{
    struct map_entry *entry;
    struct check_run *run;

    if (c->runs.key == NULL) {
        map_init(&c->runs, check_run_key);
    }

    entry = map_find(&c->runs, &channel, sizeof(channel));

    if (entry != NULL) {
        return map_container(entry, struct check_run, entry);
    }

    const struct record_channel *record = check_channel(c, channel);

    if (record == NULL) {
        check_defect(c, CHECK_REFERENCE, "there is no channel %" PRIu64,
                     channel);
        return NULL;
    }

    run = calloc(1, sizeof(*run));

    if (run == NULL) {
        c->unreadable = true;
        return NULL;
    }

    run->channel = channel;
    run->newest_message = c->channel_newest;
    run->newest_event = check_newest(c, KEY_EVENT, channel);
    run->member = check_is_member(record, c->at.first);

    if (map_insert(&c->runs, &run->entry) != 0) {
        c->unreadable = true;
        free(run);
        return NULL;
    }

    return run;
}


static void
check_run_message(struct check *c, struct check_run *run, uint64_t id)
{
    struct record_message m;
    struct key k;

    if (id > run->newest_message) {
        check_defect(c, CHECK_REFERENCE,
                     "there is no message %" PRIu64 " in channel %" PRIu64, id,
                     run->channel);
        return;
    }

    if (id <= run->last_message) {
        check_defect(c, CHECK_ORDER,
                     "message %" PRIu64 " of channel %" PRIu64
                     " after message %" PRIu64,
                     id, run->channel, run->last_message);
    } else if (id > run->last_message + 1 && !run->gap_ok) {
        check_defect(c, CHECK_MISSING,
                     "messages %" PRIu64 " to %" PRIu64 " of channel %" PRIu64
                     " are not before it",
                     run->last_message + 1, id - 1, run->channel);
    }

    run->last_message = id;
    run->gap_ok = false;

    if (run->member) {
        return;
    }

    key_message(&k, run->channel, id);

    if (check_get(c, &k, &c->value)
        && record_get_message(buf_str(&c->value), &m) == 0
        && m.sender == c->at.first) {
        check_bucket_add(c, -1, m.sender, run->channel, id);
    }
}


/* Finds the event and its place; 0, or -1: there is none. */
static int
check_run_event_at(struct check *c, struct check_run *run, uint64_t id,
                   struct str *tail)
{
    struct key k;

    key_event(&k, run->channel, id);

    if (!check_get(c, &k, &c->value)
        || record_get_event(buf_str(&c->value), tail) != 0) {
        check_defect(c, CHECK_REFERENCE,
                     "there is no event %" PRIu64 " in channel %" PRIu64, id,
                     run->channel);
        return -1;
    }

    if (id <= run->last_event) {
        check_defect(c, CHECK_ORDER,
                     "event %" PRIu64 " of channel %" PRIu64
                     " after event %" PRIu64,
                     id, run->channel, run->last_event);
    }

    return 0;
}


/* Says nothing of who comes and goes. */
static void
check_run_reaction(struct check *c, struct check_run *run, uint64_t id)
{
    struct str tail;

    if (check_run_event_at(c, run, id, &tail) == 0) {
        run->last_event = id;
    }
}


static void
check_run_event(struct check *c, struct check_run *run, uint64_t id)
{
    static const struct str gone = {"\"removed\":true}}", 16};
    struct str tail;

    if (check_run_event_at(c, run, id, &tail) != 0) {
        return;
    }

    /* the first event, or the first after a removal, is his joining */
    if (run->last_event == 0 || run->absent) {
        run->gap_ok = true;
    }

    run->absent =
        tail.len >= gone.len
        && memcmp(tail.data + tail.len - gone.len, gone.data, gone.len) == 0;
    run->last_event = id;
}


static void
check_run_end(struct check *c, const struct check_run *run)
{
    if (run->member && !run->gap_ok
        && run->last_message < run->newest_message) {
        check_defect(c, CHECK_MISSING,
                     "messages %" PRIu64 " to %" PRIu64 " of channel %" PRIu64
                     " are not in it",
                     run->last_message + 1, run->newest_message, run->channel);
    }
}


/* Channels of his with messages that his inbox says nothing of. */
static void
check_unlisted(struct check *c)
{
    struct key prefix, k;
    struct key_parts p;
    uint64_t user = c->at.first;
    uint64_t channel = 0;

    key_prefix_number(&prefix, KEY_MEMBERSHIP, user);

    /* looking up a channel moves the iterator: seek anew behind each */
    for (;;) {
        key_membership(&k, user, channel + 1);
        c->ops->iter_seek(c->look, key_str(&k));

        if (!c->ops->iter_valid(c->look)
            || !key_has_prefix(c->ops->iter_key(c->look), &prefix)
            || key_parse(c->ops->iter_key(c->look), &p) != 0
            || p.second == UINT64_MAX) {
            break;
        }

        channel = p.second;

        if (map_find(&c->runs, &channel, sizeof(channel)) == NULL
            && check_newest(c, KEY_MESSAGE, channel) > 0) {
            check_defect(c, CHECK_MISSING, "nothing of channel %" PRIu64,
                         channel);
        }
    }
}


static void
check_bucket_add(struct check *c, int sign, uint64_t sender, uint64_t channel,
                 uint64_t id)
{
    uint64_t hash = check_bucket_hash(sender, channel, id);
    struct check_bucket *b = &c->buckets[hash % CHECK_BUCKETS];
    uint64_t times = (uint64_t) (int64_t) sign; /* modulo 2^64 */

    b->count += sign;
    b->sender += times * sender;
    b->channel += times * channel;
    b->id += times * id;
    b->hash += times * hash;
}


static uint64_t
check_bucket_hash(uint64_t sender, uint64_t channel, uint64_t id)
{
    uint64_t numbers[3] = {sender, channel, id};

    return map_hash(numbers, sizeof(numbers));
}
