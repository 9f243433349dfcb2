/*
 * CREATE_INVITE, LIST_INVITES, REVOKE_INVITE, GET_INVITE, JOIN_INVITE.
 *
 * An invite is the 16 digits of the group's id and 32 random ones, so it leads
 * to its channel without an index, and every operation on it takes its turn in
 * that channel's queue.  One that ended is remembered, to say why, until
 * newer ones need its place.
 */

#include "storage_invite.h"

#include <stdlib.h>

#include "storage_channel.h"
#include "storage_contact.h"

#define INVITE_GROUP_LEN (STORAGE_INVITE_LEN - KEY_SECRET_LEN)

static enum step invite_enter(struct embedded *e, struct request *r,
                              struct user **u, struct invite **v);
static struct invite *invite_find(const struct channel *ch, struct str text);
static enum storage_status invite_status(const struct invite *v);
static struct invite *invite_new(struct embedded *e, struct channel *ch);
static struct invite *invite_oldest_ended(const struct channel *ch);
static uint32_t invites_good(const struct channel *ch);
static bool invite_blocked(const struct channel *ch, const struct invite *v,
                           const struct user *u);
static void invite_put(struct embedded *e, const struct channel *ch,
                       const struct invite *v);
static void invite_key(struct key *key, const struct channel *ch,
                       const struct invite *v);
static void invite_json(struct buf *b, const struct channel *ch,
                        const struct invite *v);
static struct str invite_result(struct embedded *e);


enum step
create_invite_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch = r->channel;
    struct user *u;
    struct member *m;
    struct invite *v;
    struct buf *b;

    step = group_enter(e, r, STORAGE_ADMIN, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    if (invites_good(ch) >= STORAGE_INVITES_MAX) {
        return request_answer(e, r, STORAGE_INVITES_FULL);
    }

    v = invite_new(e, ch);
    if (v == NULL) {
        return request_poison(e, r);
    }

    v->created_at = embedded_now();
    v->expires_at = r->op.before;
    v->max_uses = (uint32_t) r->op.number;
    v->creator_len = u->name_len;
    memcpy(v->creator, u->name, u->name_len);
    invite_put(e, ch, v);

    b = embedded_text(e);
    buf_put_lit(b, "{\"invite\":");
    invite_json(b, ch, v);
    buf_put_char(b, '}');
    return channel_answer(e, r, u, invite_result(e));
}


enum step
list_invites_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch = r->channel;
    struct user *u;
    struct member *m;
    struct str json;
    struct buf *b;
    uint32_t i, n = 0;

    step = group_enter(e, r, STORAGE_ADMIN, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    b = embedded_text(e);
    buf_put_lit(b, "{\"invites\":[");

    for (i = 0; i < ch->n_invites; i++) {
        if (invite_status(&ch->invites[i]) != STORAGE_OK) {
            continue;
        }

        if (n++ != 0) {
            buf_put_char(b, ',');
        }

        invite_json(b, ch, &ch->invites[i]);
    }

    buf_put_lit(b, "]}");
    json = invite_result(e);
    return json.data == NULL ? request_answer(e, r, STORAGE_EXHAUSTED)
                             : request_answer_json(e, r, json);
}


enum step
revoke_invite_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch = r->channel;
    struct user *u;
    struct member *m;
    struct invite *v;

    step = group_enter(e, r, STORAGE_ADMIN, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    v = invite_find(ch, r->op.text);

    if (v == NULL) {
        return request_answer(e, r, STORAGE_NO_INVITE);
    }

    if (!v->revoked) {
        v->revoked = true;
        invite_put(e, ch, v);
    }

    return channel_answer(e, r, u, STR("{}"));
}


/* What one who is no member yet may see of a group. */
enum step
get_invite_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch = r->channel;
    enum storage_status status;
    struct invite *v;
    struct user *u;
    struct str json;
    struct buf *b;

    step = invite_enter(e, r, &u, &v);

    if (step != STEP_GO) {
        return step;
    }

    status = invite_status(v);

    if (status == STORAGE_OK && invite_blocked(ch, v, u)) {
        status = STORAGE_BLOCKED;
    }

    if (status != STORAGE_OK) {
        return request_answer(e, r, status);
    }

    b = embedded_text(e);
    buf_put_lit(b, "{\"invite\":{\"invite\":\"");
    buf_put_str(b, r->op.text);
    buf_put_lit(b, "\",\"name\":");
    buf_put_json_str(b, ch->name);
    buf_put_lit(b, ",\"avatar\":");

    if (ch->avatar.len == 0) {
        buf_put_lit(b, "null");

    } else {
        buf_put_json_str(b, ch->avatar);
    }

    buf_put_lit(b, ",\"members\":");
    buf_put_u64(b, ch->n_members);
    buf_put_lit(b, "}}");
    json = invite_result(e);
    return json.data == NULL ? request_answer(e, r, STORAGE_EXHAUSTED)
                             : request_answer_json(e, r, json);
}


enum step
join_invite_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch = r->channel;
    enum storage_status status;
    struct invite *v;
    struct user *u;

    step = invite_enter(e, r, &u, &v);

    if (step != STEP_GO) {
        return step;
    }

    /* who is in joins again, whatever has become of the invite */
    if (channel_member_of(ch, u) != NULL) {
        return channel_answer(e, r, u, channel_result(e, ch, false));
    }

    status = invite_status(v);

    if (status == STORAGE_OK && invite_blocked(ch, v, u)) {
        status = STORAGE_BLOCKED;
    }

    if (status == STORAGE_OK && ch->n_members == STORAGE_MEMBERS_MAX) {
        status = STORAGE_GROUP_FULL;
    }

    if (status != STORAGE_OK) {
        return request_answer(e, r, status);
    }

    v->uses++;
    invite_put(e, ch, v);

    if ((!u->connected && user_make(e, u, true) != 0)
        || channel_add(e, ch, u, STORAGE_MEMBER) == NULL) {
        return request_poison(e, r);
    }

    return group_changed(e, r, ch, u, NULL, 0);
}


void
invites_erase(struct embedded *e, struct channel *ch)
{
    struct key key;

    while (ch->n_invites != 0) {
        invite_key(&key, ch, &ch->invites[--ch->n_invites]);
        embedded_delete(e, &key);
    }
}


/* As channel_enter(), but it is the invite that opens. */
static enum step
invite_enter(struct embedded *e, struct request *r, struct user **u,
             struct invite **v)
{
    struct channel *ch = r->channel;
    enum step step = channel_enter_user(e, r, u);

    if (step != STEP_GO) {
        return step;
    }

    *v = ch->state == OBJECT_READY ? invite_find(ch, r->op.text) : NULL;

    return *v == NULL ? request_answer(e, r, STORAGE_NO_INVITE) : STEP_GO;
}


static struct invite *
invite_find(const struct channel *ch, struct str text)
{
    struct str id = channel_id(ch);
    uint32_t i;

    if (text.len != STORAGE_INVITE_LEN || id.len != 2 + INVITE_GROUP_LEN
        || memcmp(text.data, id.data + 2, INVITE_GROUP_LEN) != 0) {
        return NULL;
    }

    for (i = 0; i < ch->n_invites; i++) {
        if (memcmp(ch->invites[i].secret, text.data + INVITE_GROUP_LEN,
                   KEY_SECRET_LEN)
            == 0) {
            return &ch->invites[i];
        }
    }

    return NULL;
}


/* May one join by it? */
static enum storage_status
invite_status(const struct invite *v)
{
    if (v->revoked) {
        return STORAGE_INVITE_REVOKED;
    }

    if (v->expires_at != 0 && v->expires_at <= embedded_now()) {
        return STORAGE_INVITE_EXPIRED;
    }

    return v->max_uses != 0 && v->uses >= v->max_uses ? STORAGE_INVITE_USED_UP
                                                      : STORAGE_OK;
}


/* One with nothing but its secret; NULL: no memory, or no random numbers. */
static struct invite *
invite_new(struct embedded *e, struct channel *ch)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[KEY_SECRET_LEN / 2];
    struct invite *v;
    struct key key;
    size_t i;

    if (uv_random(NULL, NULL, random, sizeof(random), 0, NULL) != 0) {
        return NULL;
    }

    if (ch->n_invites == STATE_INVITES_MAX) {
        v = invite_oldest_ended(ch);
        invite_key(&key, ch, v);
        embedded_delete(e, &key);

    } else {
        if (ch->n_invites == ch->invites_cap) {
            uint8_t cap = ch->invites_cap < STATE_INVITES_MAX / 2
                              ? (uint8_t) (ch->invites_cap * 2 + 1)
                              : STATE_INVITES_MAX;

            v = realloc(ch->invites, cap * sizeof(*v));
            if (v == NULL) {
                return NULL;
            }

            ch->invites = v;
            ch->invites_cap = cap;
            channel_count(e, ch);
        }

        v = &ch->invites[ch->n_invites++];
    }

    memset(v, 0, sizeof(*v));

    for (i = 0; i < sizeof(random); i++) {
        v->secret[2 * i] = digits[random[i] >> 4];
        v->secret[2 * i + 1] = digits[random[i] & 15];
    }

    return v;
}


/* Fewer than half of those remembered are good: there is one, but for a clock
 * that was set back. */
static struct invite *
invite_oldest_ended(const struct channel *ch)
{
    struct invite *oldest = NULL, *v;
    uint32_t i;

    for (i = 0; i < ch->n_invites; i++) {
        v = &ch->invites[i];

        if (invite_status(v) != STORAGE_OK
            && (oldest == NULL || v->created_at < oldest->created_at)) {
            oldest = v;
        }
    }

    return oldest == NULL ? &ch->invites[0] : oldest;
}


static uint32_t
invites_good(const struct channel *ch)
{
    uint32_t i, n = 0;

    for (i = 0; i < ch->n_invites; i++) {
        n += invite_status(&ch->invites[i]) == STORAGE_OK;
    }

    return n;
}


/* By who made the invite or owns the group, as long as he is in it. */
static bool
invite_blocked(const struct channel *ch, const struct invite *v,
               const struct user *u)
{
    struct str creator = {v->creator, v->creator_len};
    uint32_t i;

    for (i = 0; i < ch->n_members; i++) {
        const struct member *m = &ch->members[i];

        if ((m->role == STORAGE_OWNER || str_eq(user_name(m->user), creator))
            && contact_blocks(m->user, u)) {
            return true;
        }
    }

    return false;
}


static void
invite_put(struct embedded *e, const struct channel *ch, const struct invite *v)
{
    struct record_invite record = {
        .creator = {v->creator, v->creator_len},
        .created_at = v->created_at,
        .expires_at = v->expires_at,
        .max_uses = v->max_uses,
        .uses = v->uses,
        .revoked = v->revoked,
    };
    struct buf *value = embedded_record(e);
    struct key key;

    record_put_invite(value, &record);
    invite_key(&key, ch, v);
    embedded_put(e, &key, value);
}


static void
invite_key(struct key *key, const struct channel *ch, const struct invite *v)
{
    key_invite(key, ch->number, (struct str){v->secret, sizeof(v->secret)});
}


static void
invite_json_limit(struct buf *b, uint64_t n)
{
    if (n == 0) {
        buf_put_lit(b, "null");

    } else {
        buf_put_u64(b, n);
    }
}


static void
invite_json(struct buf *b, const struct channel *ch, const struct invite *v)
{
    buf_put_lit(b, "{\"invite\":\"");
    buf_put(b, ch->id + 2, INVITE_GROUP_LEN);
    buf_put(b, v->secret, sizeof(v->secret));
    buf_put_lit(b, "\",\"channel\":\"");
    buf_put_str(b, channel_id(ch));
    buf_put_lit(b, "\",\"created_by\":\"");
    buf_put(b, v->creator, v->creator_len);
    buf_put_lit(b, "\",\"created_at\":");
    buf_put_u64(b, v->created_at);
    buf_put_lit(b, ",\"expires_at\":");
    invite_json_limit(b, v->expires_at);
    buf_put_lit(b, ",\"max_uses\":");
    invite_json_limit(b, v->max_uses);
    buf_put_lit(b, ",\"uses\":");
    buf_put_u64(b, v->uses);
    buf_put_char(b, '}');
}


/* The scratch text in the commit's arena; .data NULL: no memory. */
static struct str
invite_result(struct embedded *e)
{
    return buf_failed(&e->text)
               ? (struct str){NULL, 0}
               : arena_copy(&e->collecting->arena, buf_str(&e->text));
}
