/*
 * EDIT_MESSAGE, DELETE_MESSAGE, REACT: changes of a message that is there.
 *
 * The record of the message is always the newest: history copies it.  What an
 * edit's event told is kept beside it as a revision, and so is the first text
 * (revision 0) from the first edit on.  A deletion leaves one record that
 * says so and takes all revisions away; storage_erase.c sees to the disk.
 * A reaction stands in the record of the message, its event among those of
 * the channel.
 *
 * Who is blocked tells the other nothing in a direct channel, by an edit or a
 * reaction either; what takes away he may.
 */

#include "storage_channel.h"
#include "storage_contact.h"
#include "storage_erase.h"
#include "storage_message.h"
#include "storage_outcome.h"
#include "storage_text.h"

/* What a change is about to do. */
struct revise {
    struct user *user;
    struct member *member;
    struct message *message;
    struct record_message record; /* strings in message->value or the commit */
};

enum react_change {
    REACT_NONE,
    REACT_CHANGED,
    REACT_FULL,
};

static enum step revise_enter(struct embedded *e, struct request *r,
                              struct revise *v);
static enum step revise_enter_own(struct embedded *e, struct request *r,
                                  struct revise *v);
static uint64_t revise_now(const struct revise *v);
static int revise_keep(struct embedded *e, const struct revise *v, uint32_t rev,
                       struct str json);
static int revise_put(struct embedded *e, struct revise *v);
static struct str revise_tail(struct embedded *e, const struct revise *v);
static struct str revise_json(struct str tail);
static enum step revise_answer(struct embedded *e, struct request *r,
                               const struct revise *v, uint32_t rev);
static enum step revise_tell(struct embedded *e, struct request *r,
                             const struct revise *v, struct event *event,
                             uint64_t id);
static enum step edit_message(struct embedded *e, struct request *r,
                              struct revise *v);
static enum step delete_message(struct embedded *e, struct request *r,
                                struct revise *v);
static enum react_change react_build(struct buf *b, const struct revise *v,
                                     struct str emoji, bool remove);
static bool react_user(struct record_reaction *reaction, struct str user,
                       bool remove);
static enum step react(struct embedded *e, struct request *r, struct revise *v);
static struct str react_tail(struct embedded *e, const struct request *r,
                             const struct revise *v);


enum step
edit_message_step(struct embedded *e, struct request *r)
{
    enum step step;
    enum storage_status status = STORAGE_OK;
    struct revise v;

    step = revise_enter(e, r, &v);

    if (step != STEP_GO) {
        return step;
    }

    if (v.record.sender != v.user->number) {
        status = STORAGE_FORBIDDEN;

    } else if (v.record.deleted) {
        status = STORAGE_DELETED;

    } else if (contact_blocks_direct(r->channel, v.user)) {
        status = STORAGE_BLOCKED;

    } else if (str_eq(text_value(v.record.json, STR("text")), r->op.text)) {
        return revise_answer(e, r, &v, 0);

    } else if (v.record.rev >= STORAGE_REVISIONS_MAX) {
        status = STORAGE_REVISIONS_FULL;
    }

    return status == STORAGE_OK ? edit_message(e, r, &v)
                                : request_answer(e, r, status);
}


enum step
delete_message_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct revise v;

    step = revise_enter(e, r, &v);

    if (step != STEP_GO) {
        return step;
    }

    if (v.record.sender != v.user->number
        && (v.member == NULL || v.member->role < STORAGE_ADMIN)) {
        return request_answer(e, r, STORAGE_FORBIDDEN);
    }

    return v.record.deleted ? revise_answer(e, r, &v, 0)
                            : delete_message(e, r, &v);
}


enum step
react_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct revise v;

    step = revise_enter(e, r, &v);

    if (step != STEP_GO) {
        return step;
    }

    if (v.record.deleted) {
        return request_answer(e, r, STORAGE_DELETED);
    }

    return r->op.number == 0 && contact_blocks_direct(r->channel, v.user)
               ? request_answer(e, r, STORAGE_BLOCKED)
               : react(e, r, &v);
}


/* The sender may have left the channel, and nobody waits for the answer. */
static enum step
revise_enter_own(struct embedded *e, struct request *r, struct revise *v)
{
    v->member = NULL;

    if (r->channel->state != OBJECT_READY) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    return user_await(e, r, r->op.user, &v->user);
}


static enum step
revise_enter(struct embedded *e, struct request *r, struct revise *v)
{
    enum step step = r->own ? revise_enter_own(e, r, v)
                            : channel_enter(e, r, &v->user, &v->member);
    uint64_t id = r->op.message_id;

    if (step != STEP_GO) {
        return step;
    }

    if (id == 0 || id > r->channel->newest) {
        return request_answer(e, r, STORAGE_NO_MESSAGE);
    }

    step = message_await(e, r, id, &v->message);

    if (step != STEP_GO) {
        return step;
    }

    if (record_get_message(buf_str(&v->message->value), &v->record) != 0) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    return STEP_GO;
}


static enum step
edit_message(struct embedded *e, struct request *r, struct revise *v)
{
    struct event *event = embedded_event_create(e, r->channel->n_members);
    struct buf *text = embedded_text(e);

    if (event == NULL
        || text_put_edited(text, v->record.json, r->op.text, revise_now(v))
               != 0) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    if (v->record.rev == 0 && revise_keep(e, v, 0, v->record.json) != 0) {
        return request_poison(e, r);
    }

    v->record.json = arena_copy(&e->collecting->arena, buf_str(text));
    v->record.rev++;
    event->method = STORAGE_EVENT_MESSAGE_EDITED;
    event->rev = v->record.rev;
    event->tail = revise_tail(e, v);

    if (v->record.json.data == NULL || event->tail.data == NULL
        || revise_keep(e, v, event->rev, revise_json(event->tail)) != 0
        || revise_put(e, v) != 0) {
        return request_poison(e, r);
    }

    return revise_tell(e, r, v, event, v->message->key[1]);
}


static enum step
delete_message(struct embedded *e, struct request *r, struct revise *v)
{
    struct event *event = embedded_event_create(e, r->channel->n_members);
    struct buf *text = embedded_text(e), *value;
    struct key key;
    uint32_t rev;

    if (event == NULL
        || text_put_deleted(text, v->record.json, revise_now(v)) != 0) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    v->record.json = arena_copy(&e->collecting->arena, buf_str(text));
    v->record.reactions = STR("");
    v->record.deleted = true;
    event->method = STORAGE_EVENT_MESSAGE_DELETED;
    event->rev = v->record.rev;
    event->tail = revise_tail(e, v);

    if (v->record.json.data == NULL || event->tail.data == NULL
        || revise_put(e, v) != 0) {
        return request_poison(e, r);
    }

    for (rev = 0; v->record.rev != 0 && rev <= v->record.rev; rev++) {
        key_revision(&key, v->message->key[0], v->message->key[1], rev);
        embedded_delete(e, &key);
    }

    key_erased(&key, v->message->key[0], v->message->key[1]);
    value = embedded_record(e);
    record_put_u32(value, v->record.rev);
    embedded_put(e, &key, value);
    erase_due(e);

    return revise_tell(e, r, v, event, v->message->key[1]);
}


static enum step
react(struct embedded *e, struct request *r, struct revise *v)
{
    struct event *event;
    struct buf *value, built = {0};
    enum react_change change;
    enum step step;
    struct key key;

    step = channel_await_events(e, r);

    if (step != STEP_GO) {
        return step;
    }

    change = react_build(&built, v, r->op.name, r->op.number != 0);

    if (buf_failed(&built)) {
        buf_clear(&built);
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    if (change != REACT_CHANGED) {
        buf_clear(&built);
        return change == REACT_FULL
                   ? request_answer(e, r, STORAGE_REACTIONS_FULL)
                   : revise_answer(e, r, v, 0);
    }

    v->record.reactions = arena_copy(&e->collecting->arena, buf_str(&built));
    buf_clear(&built);
    event = embedded_event_create(e, r->channel->n_members);

    if (v->record.reactions.data == NULL || event == NULL) {
        return request_poison(e, r);
    }

    event->method = STORAGE_EVENT_MESSAGE_REACTED;
    event->tail = react_tail(e, r, v);

    if (event->tail.data == NULL || revise_put(e, v) != 0) {
        return request_poison(e, r);
    }

    key_event(&key, r->channel->number, ++r->channel->newest_event);
    value = embedded_record(e);
    record_put_event(value, event->tail);
    embedded_put(e, &key, value);

    return revise_tell(e, r, v, event, r->channel->newest_event);
}


/* The reactions as they will be. */
static enum react_change
react_build(struct buf *b, const struct revise *v, struct str emoji,
            bool remove)
{
    struct str rest = v->record.reactions, name = user_name(v->user);
    struct record_reaction reaction;
    unsigned n = 0;
    bool found = false, changed = false;

    while (record_next_reaction(&rest, &reaction) == 1) {
        if (str_eq(reaction.emoji, emoji)) {
            found = true;
            changed = react_user(&reaction, name, remove);

            if (reaction.n_users > STORAGE_MEMBERS_MAX) {
                return REACT_FULL;
            }
        }

        if (reaction.n_users != 0) {
            record_put_reaction(b, &reaction);
            n++;
        }
    }

    if (!found && !remove) {
        if (n == STORAGE_REACTIONS_MAX) {
            return REACT_FULL;
        }

        reaction.emoji = emoji;
        reaction.n_users = 1;
        reaction.users[0] = name;
        record_put_reaction(b, &reaction);
        changed = true;
    }

    return changed ? REACT_CHANGED : REACT_NONE;
}


/* Adds or takes out the user; n_users beyond the bound: there is no room. */
static bool
react_user(struct record_reaction *reaction, struct str user, bool remove)
{
    uint32_t i;

    for (i = 0; i < reaction->n_users; i++) {
        if (str_eq(reaction->users[i], user)) {
            break;
        }
    }

    if ((i < reaction->n_users) != remove) {
        return false;
    }

    if (remove) {
        reaction->n_users--;
        memmove(&reaction->users[i], &reaction->users[i + 1],
                (reaction->n_users - i) * sizeof(reaction->users[0]));

    } else {
        if (i < STORAGE_MEMBERS_MAX) {
            reaction->users[i] = user;
        }

        reaction->n_users++;
    }

    return true;
}


static struct str
react_tail(struct embedded *e, const struct request *r, const struct revise *v)
{
    struct buf *b = embedded_text(e);

    buf_put_lit(b, ",\"channel\":\"");
    buf_put_str(b, channel_id(r->channel));
    buf_put_lit(b, "\",\"message_id\":");
    buf_put_u64(b, r->op.message_id);
    buf_put_lit(b, ",\"user\":\"");
    buf_put_str(b, user_name(v->user));
    buf_put_lit(b, "\",\"emoji\":");
    buf_put_json_str(b, r->op.name);
    buf_put_str(b, r->op.number != 0 ? STR(",\"removed\":true}}")
                                     : STR(",\"removed\":false}}"));

    return buf_failed(b) ? (struct str){NULL, 0}
                         : arena_copy(&e->collecting->arena, buf_str(b));
}


/* Like sent_at, it never goes back. */
static uint64_t
revise_now(const struct revise *v)
{
    uint64_t now = embedded_now();

    return now > v->record.sent_at ? now : v->record.sent_at;
}


static int
revise_keep(struct embedded *e, const struct revise *v, uint32_t rev,
            struct str json)
{
    struct buf *value = embedded_record(e);
    struct key key;

    key_revision(&key, v->message->key[0], v->message->key[1], rev);
    record_put_revision(value, json);
    embedded_put(e, &key, value);
    return buf_failed(value) ? -1 : 0;
}


/* The record as it is to be; its strings lie in the message again. */
static int
revise_put(struct embedded *e, struct revise *v)
{
    return message_put(e, v->message, &v->record) != 0
                   || record_get_message(buf_str(&v->message->value),
                                         &v->record)
                          != 0
               ? -1
               : 0;
}


/* `,"message":{...}}}` in the commit's arena. */
static struct str
revise_tail(struct embedded *e, const struct revise *v)
{
    struct buf *b = embedded_text(e);

    buf_put_lit(b, ",\"message\":");
    text_put_shown(b, &v->record);
    buf_put_lit(b, "}}");

    return buf_failed(b) ? (struct str){NULL, 0}
                         : arena_copy(&e->collecting->arena, buf_str(b));
}


/* The message in it. */
static struct str
revise_json(struct str tail)
{
    size_t before = sizeof(",\"message\":") - 1, after = 2;

    return (struct str){tail.data + before, tail.len - before - after};
}


/* Ends with {message}, as it is now; rev as the outcome has it. */
static enum step
revise_answer(struct embedded *e, struct request *r, const struct revise *v,
              uint32_t rev)
{
    struct record_outcome o = {
        .kind = RECORD_OUTCOME_MESSAGE,
        .channel = v->message->key[0],
        .message_id = v->message->key[1],
        .rev = rev,
    };
    struct buf *b = embedded_text(e);
    struct str json;

    buf_put_lit(b, "{\"message\":");
    text_put_shown(b, &v->record);
    buf_put_char(b, '}');
    json = buf_failed(b) ? (struct str){NULL, 0}
                         : arena_copy(&e->collecting->arena, buf_str(b));

    if (json.data == NULL) {
        return request_poison(e, r);
    }

    outcome_put(e, r, v->user, &o);
    return request_answer_json(e, r, json);
}


/* To every member, behind the answer to the one who did it. */
static enum step
revise_tell(struct embedded *e, struct request *r, const struct revise *v,
            struct event *event, uint64_t id)
{
    bool edited = event->method == STORAGE_EVENT_MESSAGE_EDITED;

    event->channel = r->channel;
    event->message = v->message;
    channel_fan_out(e, r->channel, event, id);

    (void) revise_answer(e, r, v, edited ? event->rev : 0);
    embedded_event(e, event);
    return STEP_DONE;
}
