/*
 * The values of storage_record.h, byte by byte.  What may be damaged or made
 * by another program is judged here, so callers need not look at it again.
 */

#include "storage_record.h"

#include "storage_field.h"
#include "storage_key.h"

#define INBOX_ENTRY (1 + 8 + 8 + 4) /* bytes */

static void record_put_changed_message(struct buf *b,
                                       const struct record_message *m);
static int record_get_changed_message(struct record_reader *r,
                                      struct record_message *m);
static int record_reactions_check(struct str reactions);
static void record_get_members(struct record_reader *r,
                               struct record_channel *c);


void
record_put_u32(struct buf *b, uint32_t v)
{
    record_put_start(b);
    record_put_number(b, v, 4);
}


int
record_get_u32(struct str value, uint32_t *v)
{
    struct record_reader r;

    record_read(&r, value);
    *v = (uint32_t) record_get_number(&r, 4);
    return record_end(&r);
}


void
record_put_u64(struct buf *b, uint64_t v)
{
    record_put_start(b);
    record_put_number(b, v, 8);
}


int
record_get_u64(struct str value, uint64_t *v)
{
    struct record_reader r;

    record_read(&r, value);
    *v = record_get_number(&r, 8);
    return record_end(&r);
}


void
record_put_user(struct buf *b, const struct record_user *u)
{
    record_put_start(b);
    record_put_number(b, u->flags, 1);
    record_put_number(b, u->created_at, 8);
    record_put_bytes(b, u->name, 1, STORAGE_ID_MAX);
}


int
record_get_user(struct str value, struct record_user *u)
{
    struct record_reader r;

    record_read(&r, value);
    u->flags = (uint8_t) record_get_number(&r, 1);
    u->created_at = record_get_number(&r, 8);
    u->name = record_get_bytes(&r, 1, STORAGE_ID_MAX);

    if ((u->flags & ~RECORD_USER_FLAGS) != 0 || u->name.len == 0) {
        return -1;
    }

    return record_end(&r);
}


void
record_put_channel(struct buf *b, const struct record_channel *c)
{
    if (c->n_members > STORAGE_MEMBERS_MAX) {
        b->failed = true;
        return;
    }

    record_put_number(b, c->wrote_known ? RECORD_VERSION_2 : RECORD_VERSION, 1);
    record_put_number(b, c->kind, 1);
    record_put_number(b, c->created_at, 8);
    record_put_bytes(b, c->id, 1, STORAGE_CHANNEL_MAX);
    record_put_bytes(b, c->name, 2, RECORD_NAME_MAX);
    record_put_bytes(b, c->avatar, 2, STORAGE_AVATAR_MAX);
    record_put_number(b, c->n_members, 1);

    for (uint32_t i = 0; i < c->n_members; i++) {
        record_put_number(b, c->members[i].user, 8);
        record_put_number(b, c->members[i].role, 1);
    }

    if (c->wrote_known) {
        record_put_number(b, c->wrote, 1);
    }
}


int
record_get_channel(struct str value, struct record_channel *c)
{
    struct record_reader r;
    unsigned version = record_read_either(&r, value);

    c->kind = (enum record_channel_kind) record_get_number(&r, 1);
    c->created_at = record_get_number(&r, 8);
    c->id = record_get_bytes(&r, 1, STORAGE_CHANNEL_MAX);
    c->name = record_get_bytes(&r, 2, RECORD_NAME_MAX);
    c->avatar = record_get_bytes(&r, 2, STORAGE_AVATAR_MAX);
    record_get_members(&r, c);
    c->wrote_known = version == RECORD_VERSION_2;
    c->wrote = c->wrote_known ? (uint8_t) record_get_number(&r, 1) : 0;

    if ((c->kind != RECORD_DIRECT && c->kind != RECORD_GROUP) || c->id.len == 0
        || (c->wrote_known
            && (c->kind != RECORD_DIRECT || c->n_members > 2
                || c->wrote >> c->n_members != 0))) {
        return -1;
    }

    return record_end(&r);
}


static void
record_get_members(struct record_reader *r, struct record_channel *c)
{
    size_t n = record_get_number(r, 1);

    c->n_members = 0;

    if (n > STORAGE_MEMBERS_MAX) {
        r->failed = true;
        return;
    }

    for (size_t i = 0; i < n; i++) {
        c->members[i].user = record_get_number(r, 8);
        c->members[i].role = (uint8_t) record_get_number(r, 1);

        if (c->members[i].user == 0 || c->members[i].role > STORAGE_OWNER) {
            r->failed = true;
            return;
        }
    }

    c->n_members = (uint32_t) n;
}


void
record_put_message_head(struct buf *b, uint64_t sender, uint64_t sent_at)
{
    record_put_start(b);
    record_put_number(b, sender, 8);
    record_put_number(b, sent_at, 8);
}


int
record_get_message(struct str value, struct record_message *m)
{
    struct record_reader r;
    unsigned version = record_read_either(&r, value);

    m->sender = record_get_number(&r, 8);
    m->sent_at = record_get_number(&r, 8);
    m->rev = 0;
    m->deleted = false;
    m->reactions = (struct str){NULL, 0};

    if (version == RECORD_VERSION_2 && record_get_changed_message(&r, m) != 0) {
        return -1;
    }

    m->json = record_get_rest(&r);

    if (m->sender == 0 || m->json.len == 0) {
        return -1;
    }

    return record_end(&r);
}


static int
record_get_changed_message(struct record_reader *r, struct record_message *m)
{
    uint64_t deleted;

    m->rev = (uint32_t) record_get_number(r, 4);
    deleted = record_get_number(r, 1);
    m->deleted = deleted == 1;
    m->reactions = record_get_bytes(r, 4, UINT32_MAX);

    if (r->failed || deleted > 1
        || (m->rev == 0 && deleted == 0 && m->reactions.len == 0)) {
        return -1;
    }

    return record_reactions_check(m->reactions);
}


static int
record_reactions_check(struct str reactions)
{
    struct record_reaction reaction;
    unsigned n = 0;
    int rc;

    do {
        rc = record_next_reaction(&reactions, &reaction);
    } while (rc == 1 && ++n <= STORAGE_REACTIONS_MAX);

    return rc;
}


int
record_next_reaction(struct str *rest, struct record_reaction *reaction)
{
    struct record_reader r = {.failed = false};

    if (rest->len == 0) {
        return 0;
    }

    r.pos = (const unsigned char *) rest->data;
    r.end = r.pos + rest->len;
    reaction->emoji = record_get_bytes(&r, 1, STORAGE_EMOJI_MAX);
    reaction->n_users = (uint32_t) record_get_number(&r, 1);

    if (r.failed || reaction->emoji.len == 0 || reaction->n_users == 0
        || reaction->n_users > STORAGE_MEMBERS_MAX) {
        return -1;
    }

    for (uint32_t i = 0; i < reaction->n_users; i++) {
        reaction->users[i] = record_get_bytes(&r, 1, STORAGE_ID_MAX);

        if (reaction->users[i].len == 0) {
            return -1;
        }
    }

    *rest = (struct str){(const char *) r.pos, (size_t) (r.end - r.pos)};
    return 1;
}


void
record_put_reaction(struct buf *b, const struct record_reaction *r)
{
    record_put_bytes(b, r->emoji, 1, STORAGE_EMOJI_MAX);
    record_put_number(b, r->n_users, 1);

    for (uint32_t i = 0; i < r->n_users; i++) {
        record_put_bytes(b, r->users[i], 1, STORAGE_ID_MAX);
    }
}


void
record_put_message(struct buf *b, const struct record_message *m)
{
    if (m->rev == 0 && !m->deleted && m->reactions.len == 0) {
        record_put_message_head(b, m->sender, m->sent_at);

    } else {
        record_put_changed_message(b, m);
    }

    buf_put_str(b, m->json);
}


static void
record_put_changed_message(struct buf *b, const struct record_message *m)
{
    record_put_number(b, RECORD_VERSION_2, 1);
    record_put_number(b, m->sender, 8);
    record_put_number(b, m->sent_at, 8);
    record_put_number(b, m->rev, 4);
    record_put_number(b, m->deleted, 1);
    record_put_bytes(b, m->reactions, 4, UINT32_MAX);
}


void
record_put_message_json(struct buf *b, struct str channel, uint64_t message_id,
                        struct str sender, uint64_t sent_at)
{
    buf_put_lit(b, "{\"channel\":");
    buf_put_json_str(b, channel);
    buf_put_lit(b, ",\"message_id\":");
    buf_put_u64(b, message_id);
    buf_put_lit(b, ",\"sender\":");
    buf_put_json_str(b, sender);
    buf_put_lit(b, ",\"sent_at\":");
    buf_put_u64(b, sent_at);
    buf_put_char(b, ',');
}


void
record_put_event(struct buf *b, struct str tail)
{
    record_put_start(b);
    buf_put_str(b, tail);
}


int
record_get_event(struct str value, struct str *tail)
{
    struct record_reader r;

    record_read(&r, value);
    *tail = record_get_rest(&r);

    if (tail->len == 0) {
        return -1;
    }

    return record_end(&r);
}


void
record_put_revision(struct buf *b, struct str json)
{
    record_put_event(b, json);
}


int
record_get_revision(struct str value, struct str *json)
{
    return record_get_event(value, json);
}


void
record_put_inbox(struct buf *b, const struct record_inbox *i)
{
    if (b->len == 0) {
        record_put_start(b);
    }

    record_put_number(b, i->method, 1);
    record_put_number(b, i->channel, 8);
    record_put_number(b, i->id, 8);
    record_put_number(b, i->rev, 4);
}


uint32_t
record_count_inbox(struct str value)
{
    struct record_reader r;
    size_t n;

    record_read(&r, value);
    n = record_get_rest(&r).len;

    if (n % INBOX_ENTRY != 0 || n > (size_t) INBOX_ENTRY * RECORD_INBOX_MAX
        || record_end(&r) != 0) {
        return 0;
    }

    return (uint32_t) (n / INBOX_ENTRY);
}


int
record_get_inbox(struct str value, uint32_t index, struct record_inbox *i)
{
    struct record_reader r;

    if (index >= record_count_inbox(value)) {
        return -1;
    }

    record_read(&r, value);
    r.pos += (size_t) index * INBOX_ENTRY;
    i->method = (enum storage_event_method) record_get_number(&r, 1);
    i->channel = record_get_number(&r, 8);
    i->id = record_get_number(&r, 8);
    i->rev = (uint32_t) record_get_number(&r, 4);

    if (i->method < STORAGE_EVENT_MESSAGE_NEW
        || i->method > STORAGE_EVENT_CONTACT_UPDATED || i->channel == 0
        || i->id == 0
        || (i->method == STORAGE_EVENT_CONTACT_UPDATED
            && i->id > RECORD_CONTACT_REMOVED)) {
        return -1;
    }

    return 0;
}


int
record_get_inbox_run(struct str key, struct str value, uint64_t user,
                     struct record_inbox_run *run)
{
    struct key_parts at;
    uint32_t n = record_count_inbox(value);

    if (key_parse(key, &at) != 0 || at.kind != KEY_INBOX || at.first != user
        || n == 0 || n > at.second) {
        return -1;
    }

    run->first = at.second - n + 1;
    run->last = at.second;
    return 0;
}


void
record_put_membership(struct buf *b)
{
    record_put_start(b);
}


int
record_get_membership(struct str value)
{
    struct record_reader r;

    record_read(&r, value);
    return record_end(&r);
}


void
record_put_markers(struct buf *b, const struct record_markers *m)
{
    record_put_number(b, m->muted == 0 ? RECORD_VERSION : RECORD_VERSION_2, 1);
    record_put_number(b, m->read, 8);
    record_put_number(b, m->delivered, 8);
    record_put_number(b, m->hidden, 8);

    if (m->muted != 0) {
        record_put_number(b, m->muted, 8);
    }
}


int
record_get_markers(struct str value, struct record_markers *m)
{
    struct record_reader r;
    unsigned version = record_read_either(&r, value);

    m->read = record_get_number(&r, 8);
    m->delivered = record_get_number(&r, 8);
    m->hidden = record_get_number(&r, 8);
    m->muted = 0;

    if (version == RECORD_VERSION_2) {
        m->muted = record_get_number(&r, 8);

        if (m->muted == 0) {
            return -1;
        }
    }

    return record_end(&r);
}


void
record_put_device(struct buf *b, const struct record_device *d)
{
    record_put_number(b, d->name.len == 0 ? RECORD_VERSION : RECORD_VERSION_2,
                      1);
    record_put_number(b, d->inbox_id, 8);
    record_put_number(b, d->at, 8);

    if (d->name.len != 0) {
        record_put_bytes(b, d->name, 2, RECORD_DEVICE_NAME_MAX);
    }
}


int
record_get_device(struct str value, struct record_device *d)
{
    struct record_reader r;
    unsigned version = record_read_either(&r, value);

    d->inbox_id = record_get_number(&r, 8);
    d->at = record_get_number(&r, 8);
    d->name = (struct str){NULL, 0};

    if (version == RECORD_VERSION_2) {
        d->name = record_get_bytes(&r, 2, RECORD_DEVICE_NAME_MAX);

        if (d->name.len == 0) {
            return -1;
        }
    }

    return record_end(&r);
}


void
record_put_profile(struct buf *b, const struct record_profile *p)
{
    record_put_start(b);
    record_put_bytes(b, p->display_name, 2, RECORD_NAME_MAX);
    record_put_bytes(b, p->avatar, 2, STORAGE_AVATAR_MAX);
    record_put_bytes(b, p->status, 2, RECORD_STATUS_MAX);
}


int
record_get_profile(struct str value, struct record_profile *p)
{
    struct record_reader r;

    record_read(&r, value);
    p->display_name = record_get_bytes(&r, 2, RECORD_NAME_MAX);
    p->avatar = record_get_bytes(&r, 2, STORAGE_AVATAR_MAX);
    p->status = record_get_bytes(&r, 2, RECORD_STATUS_MAX);
    return record_end(&r);
}


void
record_put_contact(struct buf *b, const struct record_contact *c)
{
    record_put_start(b);
    record_put_number(b, c->state, 1);
    record_put_number(b, c->flags, 1);
}


int
record_get_contact(struct str value, struct record_contact *c)
{
    struct record_reader r;

    record_read(&r, value);
    c->state = (uint8_t) record_get_number(&r, 1);
    c->flags = (uint8_t) record_get_number(&r, 1);

    if (c->state > RECORD_CONTACT_INCOMING
        || (c->flags & ~RECORD_CONTACT_BLOCKS) != 0
        || (c->state == RECORD_CONTACT_NONE && c->flags == 0)) {
        return -1;
    }

    return record_end(&r);
}
