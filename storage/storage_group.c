/*
 * Groups: CREATE, ADD, REMOVE, LEAVE, UPDATE, ROLE.  Each change is one
 * channel.updated event to all members, kept in the channel's own log.
 *
 * Owners may do everything.  Admins add members, rename, and remove those
 * that have no role.  The last owner cannot lose his role but by leaving;
 * then the oldest admin takes it, else the oldest member.
 */

#include <stdio.h>

#include "storage_channel.h"
#include "storage_contact.h"
#include "storage_invite.h"
#include "storage_outcome.h"

static enum step group_users(struct embedded *e, struct request *r);
static enum storage_status
group_newcomers(struct embedded *e, struct request *r, const struct channel *ch,
                const struct user *creator, struct user **list, uint32_t *n);
static int group_add_all(struct embedded *e, struct channel *ch,
                         struct user **list, uint32_t n);
static struct channel *group_create(struct embedded *e, struct request *r,
                                    struct user *creator, struct user **list,
                                    uint32_t n);
static struct member *group_find(const struct channel *ch, struct str name);
static uint32_t group_owners(const struct channel *ch);
static void group_part(struct embedded *e, struct channel *ch,
                       struct member *m);
static void group_hand_over(struct channel *ch);
static struct event *group_event(struct embedded *e, struct channel *ch,
                                 uint32_t n_fans, bool removed);
static struct str group_left_result(struct embedded *e,
                                    const struct channel *ch);


enum step
create_channel_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *creator, *list[STORAGE_MEMBERS_MAX];
    struct channel *ch;
    enum storage_status status;
    uint32_t n = 0;

    step = outcome_enter(e, r, &creator);

    if (step == STEP_GO) {
        step = group_users(e, r);
    }

    if (step != STEP_GO) {
        return step;
    }

    status = group_newcomers(e, r, NULL, creator, list, &n);
    if (status != STORAGE_OK) {
        return request_answer(e, r, status);
    }

    ch = group_create(e, r, creator, list, n);
    if (ch == NULL) {
        return request_poison(e, r);
    }

    return group_changed(e, r, ch, creator, NULL, 0);
}


enum step
add_members_step(struct embedded *e, struct request *r)
{
    struct user *u, *list[STORAGE_MEMBERS_MAX];
    struct member *m;
    struct channel *ch = r->channel;
    enum storage_status status;
    enum step step;
    uint32_t n = 0;

    step = group_enter(e, r, STORAGE_ADMIN, &u, &m);

    if (step == STEP_GO) {
        step = group_users(e, r);
    }

    if (step != STEP_GO) {
        return step;
    }

    status = group_newcomers(e, r, ch, NULL, list, &n);
    if (status != STORAGE_OK) {
        return request_answer(e, r, status);
    }

    if (n == 0) {
        return channel_answer(e, r, u, channel_result(e, ch, false));
    }

    if (group_add_all(e, ch, list, n) != 0) {
        return request_poison(e, r);
    }

    return group_changed(e, r, ch, u, NULL, 0);
}


enum step
remove_members_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u, *gone[STORAGE_MEMBERS_MAX];
    struct member *m, *other;
    struct channel *ch = r->channel;
    uint32_t i, n = 0;

    step = group_enter(e, r, STORAGE_ADMIN, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    for (i = 0; i < r->op.n_users; i++) {
        other = group_find(ch, r->op.users[i]);

        if (other != NULL && other != m && m->role != STORAGE_OWNER
            && other->role != STORAGE_MEMBER) {
            return request_answer(e, r, STORAGE_FORBIDDEN);
        }
    }

    for (i = 0; i < r->op.n_users; i++) {
        other = group_find(ch, r->op.users[i]);

        if (other != NULL) {
            gone[n++] = other->user;
            group_part(e, ch, other);
        }
    }

    if (n == 0) {
        return channel_answer(e, r, u, channel_result(e, ch, false));
    }

    return group_changed(e, r, ch, u, gone, n);
}


enum step
leave_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct member *m;

    step = group_enter(e, r, STORAGE_MEMBER, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    group_part(e, r->channel, m);
    return group_changed(e, r, r->channel, u, &u, 1);
}


enum step
update_channel_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct member *m;
    struct channel *ch = r->channel;
    bool name, avatar;

    step = group_enter(e, r, STORAGE_ADMIN, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    name = r->op.name.data != NULL && !str_eq(r->op.name, ch->name);
    avatar = r->op.avatar.data != NULL && !str_eq(r->op.avatar, ch->avatar);

    if (!name && !avatar) {
        return channel_answer(e, r, u, channel_result(e, ch, false));
    }

    if ((name && channel_set_text(&ch->name, r->op.name) != 0)
        || (avatar && channel_set_text(&ch->avatar, r->op.avatar) != 0)) {
        return request_poison(e, r);
    }

    channel_count(e, ch);
    return group_changed(e, r, ch, u, NULL, 0);
}


enum step
set_role_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct member *m, *other;
    struct channel *ch = r->channel;

    step = group_enter(e, r, STORAGE_OWNER, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    other = group_find(ch, r->op.to);

    if (other == NULL) {
        return request_answer(e, r, STORAGE_NOT_MEMBER);
    }

    if (other->role == r->op.role) {
        return channel_answer(e, r, u, channel_result(e, ch, false));
    }

    if (other->role == STORAGE_OWNER && group_owners(ch) == 1) {
        return request_answer(e, r, STORAGE_FORBIDDEN);
    }

    other->role = r->op.role;
    return group_changed(e, r, ch, u, NULL, 0);
}


enum step
group_enter(struct embedded *e, struct request *r, enum storage_role role,
            struct user **u, struct member **m)
{
    enum step step = channel_enter(e, r, u, m);

    if (step != STEP_GO) {
        return step;
    }

    if (r->channel->kind != RECORD_GROUP) {
        return request_answer(e, r, STORAGE_NOT_GROUP);
    }

    if ((*m)->role < role) {
        return request_answer(e, r, STORAGE_FORBIDDEN);
    }

    return STEP_GO;
}


/* All of them are asked for before the first is waited for. */
static enum step
group_users(struct embedded *e, struct request *r)
{
    struct user *u, *loading = NULL;
    uint32_t i;

    for (i = 0; i < r->op.n_users; i++) {
        u = user_by_name(e, r->op.users[i]);

        if (u == NULL || u->state == OBJECT_FAILED) {
            return request_answer(e, r, STORAGE_UNAVAILABLE);
        }

        if (u->state == OBJECT_LOADING && loading == NULL) {
            loading = u;
        }
    }

    if (loading != NULL) {
        request_wait(&loading->waiters, r);
        return STEP_WAIT;
    }

    return STEP_GO;
}


/* Those of the op's users who are to be added, each once; ch is NULL, and the
 * creator a member already, when the group is still to be made. */
static enum storage_status
group_newcomers(struct embedded *e, struct request *r, const struct channel *ch,
                const struct user *creator, struct user **list, uint32_t *n)
{
    uint32_t i, k, present = ch == NULL ? 1 : ch->n_members;
    struct user *u, *actor = user_by_name(e, r->op.user);

    if (actor == NULL) {
        return STORAGE_EXHAUSTED;
    }

    for (i = 0; i < r->op.n_users; i++) {
        u = user_by_name(e, r->op.users[i]);

        if (u == NULL) {
            return STORAGE_EXHAUSTED;
        }

        if (u == creator || (ch != NULL && channel_member(ch, u) != NULL)) {
            continue;
        }

        for (k = 0; k < *n && list[k] != u; k++) {
        }

        if (k < *n) {
            continue;
        }

        if (u->deleted
            || ((r->op.flags & STORAGE_REFUSE_UNKNOWN) != 0
                && (u->state == OBJECT_ABSENT || !u->connected))) {
            return STORAGE_NO_USER;
        }

        if (contact_blocks(u, actor)) {
            return STORAGE_BLOCKED;
        }

        if (present + *n == STORAGE_MEMBERS_MAX) {
            return STORAGE_GROUP_FULL;
        }

        list[(*n)++] = u;
    }

    return STORAGE_OK;
}


static int
group_add_all(struct embedded *e, struct channel *ch, struct user **list,
              uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        if ((list[i]->state == OBJECT_ABSENT
             && user_make(e, list[i], false) != 0)
            || channel_add(e, ch, list[i], STORAGE_MEMBER) == NULL) {
            return -1;
        }
    }

    return 0;
}


static struct channel *
group_create(struct embedded *e, struct request *r, struct user *creator,
             struct user **list, uint32_t n)
{
    struct channel *ch;
    uint64_t random;
    char id[32];
    int len;

    if (uv_random(NULL, NULL, &random, sizeof(random), 0, NULL) != 0) {
        return NULL;
    }

    len = snprintf(id, sizeof(id), "g.%016llx", (unsigned long long) random);
    ch = channel_new(e, (struct str){id, (size_t) len});

    if (ch == NULL || (!creator->connected && user_make(e, creator, true) != 0)
        || channel_make(e, ch, RECORD_GROUP, embedded_now()) != 0
        || channel_set_text(&ch->name, r->op.name) != 0
        || channel_set_text(&ch->avatar, r->op.avatar) != 0
        || channel_add(e, ch, creator, STORAGE_OWNER) == NULL
        || group_add_all(e, ch, list, n) != 0) {
        return NULL;
    }

    channel_count(e, ch);
    return ch;
}


static struct member *
group_find(const struct channel *ch, struct str name)
{
    uint32_t i;

    for (i = 0; i < ch->n_members; i++) {
        if (str_eq(user_name(ch->members[i].user), name)) {
            return &ch->members[i];
        }
    }

    return NULL;
}


static uint32_t
group_owners(const struct channel *ch)
{
    uint32_t i, n = 0;

    for (i = 0; i < ch->n_members; i++) {
        n += ch->members[i].role == STORAGE_OWNER;
    }

    return n;
}


static void
group_part(struct embedded *e, struct channel *ch, struct member *m)
{
    struct key key;

    key_membership(&key, m->user->number, ch->number);
    embedded_delete(e, &key);
    key_markers(&key, ch->number, m->user->number);
    embedded_delete(e, &key);

    channel_part(e, ch, m);
    group_hand_over(ch);

    if (ch->n_members == 0) {
        invites_erase(e, ch);
    }
}


/* Members stand in joining order. */
static void
group_hand_over(struct channel *ch)
{
    uint32_t i;

    if (ch->n_members == 0 || group_owners(ch) != 0) {
        return;
    }

    for (i = 0; i < ch->n_members; i++) {
        if (ch->members[i].role == STORAGE_ADMIN) {
            ch->members[i].role = STORAGE_OWNER;
            return;
        }
    }

    ch->members[0].role = STORAGE_OWNER;
}


enum step
group_changed(struct embedded *e, struct request *r, struct channel *ch,
              struct user *u, struct user **gone, uint32_t n_gone)
{
    struct event *members = NULL, *others = NULL;
    struct str json;

    channel_put(e, ch);

    if (ch->n_members != 0) {
        members = group_event(e, ch, ch->n_members, false);
        if (members == NULL) {
            return request_poison(e, r);
        }

        channel_fan_out(e, ch, members, ch->newest_event);
    }

    if (n_gone != 0) {
        others = group_event(e, ch, n_gone, true);
        if (others == NULL) {
            return request_poison(e, r);
        }

        channel_fan_out_to(e, ch, others, ch->newest_event, gone);
    }

    json = channel_member(ch, u) != NULL ? channel_result(e, ch, false)
                                         : group_left_result(e, ch);
    if (json.data == NULL) {
        return request_poison(e, r);
    }

    outcome_put_json(e, r, u, json);
    (void) request_answer_json(e, r, json);

    if (members != NULL) {
        embedded_event(e, members);
    }

    if (others != NULL) {
        embedded_event(e, others);
    }

    return STEP_DONE;
}


/* The next event of the channel's log, written and ready for its fans. */
static struct event *
group_event(struct embedded *e, struct channel *ch, uint32_t n_fans,
            bool removed)
{
    struct event *event = embedded_event_create(e, n_fans);
    struct buf *text = embedded_text(e), *value;
    struct key key;

    buf_put_lit(text, ",\"channel\":");

    if (removed) {
        channel_json_id(text, ch->kind, channel_id(ch));
        buf_put_lit(text, "},\"removed\":true}}");

    } else {
        channel_json(text, ch, false);
        buf_put_lit(text, "}}");
    }

    if (event == NULL || buf_failed(text)) {
        return NULL;
    }

    event->method = STORAGE_EVENT_CHANNEL_UPDATED;
    event->channel = ch;
    event->tail = arena_copy(&e->collecting->arena, buf_str(text));
    if (event->tail.data == NULL) {
        return NULL;
    }

    key_event(&key, ch->number, ++ch->newest_event);
    value = embedded_record(e);
    record_put_event(value, event->tail);
    embedded_put(e, &key, value);
    return event;
}


/* What one who is no member any more may still hear. */
static struct str
group_left_result(struct embedded *e, const struct channel *ch)
{
    struct buf *b = embedded_text(e);

    buf_put_lit(b, "{\"channel\":");
    channel_json_id(b, ch->kind, channel_id(ch));
    buf_put_lit(b, "}}");

    if (buf_failed(b)) {
        return (struct str){NULL, 0};
    }

    return arena_copy(&e->collecting->arena, buf_str(b));
}
