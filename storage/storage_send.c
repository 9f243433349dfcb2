/*
 * SEND: the message into the channel's log, a reference into the inbox of
 * each member, the outcome under its client_id, in one batch; then one event.
 */

#include "storage_channel.h"
#include "storage_contact.h"
#include "storage_marker.h"
#include "storage_outcome.h"


static enum step send_enter(struct embedded *e, struct request *r,
                            struct user **sender, struct user **to);
static enum storage_status send_allowed(struct embedded *e, struct request *r,
                                        struct user *sender, struct user *to);
static enum storage_status send_direct(const struct channel *ch,
                                       const struct user *sender);
static int send_open_direct(struct embedded *e, struct channel *ch,
                            struct user *sender, struct user *to, uint64_t now);
static int send_append(struct embedded *e, struct request *r,
                       struct user *sender, uint64_t now);
static int send_put_message(struct embedded *e, struct request *r,
                            struct user *sender, uint64_t sent_at,
                            struct str *tail);
static struct str send_result(struct embedded *e, const struct request *r,
                              const struct record_outcome *o);
static struct str send_tail(struct embedded *e, struct str json);


enum step
send_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch = r->channel;
    struct user *sender, *to;
    enum storage_status status;
    uint64_t now;

    step = send_enter(e, r, &sender, &to);

    if (step != STEP_GO) {
        return step;
    }

    status = send_allowed(e, r, sender, to);
    if (status != STORAGE_OK) {
        return request_answer(e, r, status);
    }

    now = embedded_now();

    if ((ch->state == OBJECT_ABSENT
         && send_open_direct(e, ch, sender, to, now) != 0)
        || (!sender->connected && user_make(e, sender, true) != 0)
        || send_append(e, r, sender, now) != 0) {
        return request_poison(e, r);
    }

    return STEP_DONE;
}


static enum step
send_enter(struct embedded *e, struct request *r, struct user **sender,
           struct user **to)
{
    enum step step = user_await(e, r, r->op.user, sender);

    if (step == STEP_GO) {
        *to = *sender;
        step = r->op.to.len == 0 ? STEP_GO : user_await(e, r, r->op.to, to);
    }

    if (step != STEP_GO) {
        return step;
    }

    if (r->channel->state == OBJECT_FAILED) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    return outcome_check(e, r, *sender);
}


static enum storage_status
send_allowed(struct embedded *e, struct request *r, struct user *sender,
             struct user *to)
{
    struct channel *ch = r->channel;
    enum storage_status status;

    (void) e;

    if (r->op.to.len == 0) {
        if (channel_member_of(ch, sender) == NULL) {
            return STORAGE_NO_CHANNEL;
        }

        if (ch->kind == RECORD_DIRECT
            && (status = send_direct(ch, sender)) != STORAGE_OK) {
            return status;
        }

    } else if (to->deleted) {
        return STORAGE_NO_USER;

    } else if (contact_blocks(to, sender)) {
        return STORAGE_BLOCKED;
    }

    if (r->op.message_id > ch->newest) {
        return STORAGE_NO_MESSAGE;
    }

    if (r->op.to.len != 0 && (r->op.flags & STORAGE_REFUSE_UNKNOWN) != 0
        && to != sender && (to->state == OBJECT_ABSENT || !to->connected)) {
        return STORAGE_NO_USER;
    }

    return STORAGE_OK;
}


/* The other one has to be there, and to want it. */
static enum storage_status
send_direct(const struct channel *ch, const struct user *sender)
{
    uint32_t i;

    for (i = 0; i < ch->n_members; i++) {
        if (ch->members[i].user->deleted) {
            return STORAGE_NO_USER;
        }
    }

    return contact_blocks_direct(ch, sender) ? STORAGE_BLOCKED : STORAGE_OK;
}


static int
send_open_direct(struct embedded *e, struct channel *ch, struct user *sender,
                 struct user *to, uint64_t now)
{
    if ((sender->state == OBJECT_ABSENT && user_make(e, sender, true) != 0)
        || (to->state == OBJECT_ABSENT && user_make(e, to, false) != 0)
        || channel_make(e, ch, RECORD_DIRECT, now) != 0) {
        return -1;
    }

    /* Who has written stands in the channel from its first message on. */
    ch->wrote_known = true;

    if (channel_add(e, ch, sender, STORAGE_MEMBER) == NULL
        || (to != sender && channel_add(e, ch, to, STORAGE_MEMBER) == NULL)) {
        return -1;
    }

    channel_member(ch, sender)->wrote = true;
    channel_put(e, ch);
    return 0;
}


static int
send_append(struct embedded *e, struct request *r, struct user *sender,
            uint64_t now)
{
    struct channel *ch = r->channel;
    struct record_outcome o = {
        .kind = RECORD_OUTCOME_SEND,
        .channel = ch->number,
        .message_id = ch->newest + 1,
        .inbox_id = sender->newest + 1,
        .sent_at = now > ch->sent_at ? now : ch->sent_at,
    };
    struct member *m = channel_member(ch, sender);
    struct event *event;
    struct str json;

    event = embedded_event_create(e, ch->n_members);
    json = send_result(e, r, &o);

    if (event == NULL || json.data == NULL
        || send_put_message(e, r, sender, o.sent_at, &event->tail) != 0) {
        return -1;
    }

    /* From here on nothing can fail but the batch as a whole. */
    event->method = STORAGE_EVENT_MESSAGE_NEW;
    event->channel = ch;
    event->message_id = o.message_id;
    channel_fan_out(e, ch, event, o.message_id);
    outcome_put(e, r, sender, &o);

    ch->newest = o.message_id;
    ch->sent_at = o.sent_at;
    marker_own(e, ch, m, o.message_id);

    if (ch->wrote_known && !m->wrote) {
        m->wrote = true;
        channel_put(e, ch);
    }

    e->collecting->n_messages++;

    r->result.inbox_id = o.inbox_id;
    (void) request_answer_json(e, r, json);
    embedded_event(e, event);
    return 0;
}


static int
send_put_message(struct embedded *e, struct request *r, struct user *sender,
                 uint64_t sent_at, struct str *tail)
{
    struct channel *ch = r->channel;
    struct buf *value = embedded_record(e);
    struct str json;
    struct key key;
    size_t head;

    record_put_message_head(value, sender->number, sent_at);
    head = value->len;
    record_put_message_json(value, channel_id(ch), ch->newest + 1,
                            user_name(sender), sent_at);
    buf_put_str(value, r->op.text);

    if (buf_failed(value)) {
        return -1;
    }

    json = (struct str){value->data + head, value->len - head};
    *tail = send_tail(e, json);
    if (tail->data == NULL) {
        return -1;
    }

    key_message(&key, ch->number, ch->newest + 1);
    embedded_put(e, &key, value);
    return 0;
}


static struct str
send_tail(struct embedded *e, struct str json)
{
    static const char before[] = ",\"message\":";
    static const char after[] = "}}";
    size_t n = sizeof(before) - 1;
    char *p;

    p = arena_alloc(&e->collecting->arena, n + json.len + sizeof(after) - 1);
    if (p == NULL) {
        return (struct str){NULL, 0};
    }

    memcpy(p, before, n);
    memcpy(p + n, json.data, json.len);
    memcpy(p + n + json.len, after, sizeof(after) - 1);
    return (struct str){p, n + json.len + sizeof(after) - 1};
}


static struct str
send_result(struct embedded *e, const struct request *r,
            const struct record_outcome *o)
{
    struct buf *b = embedded_text(e);

    buf_put_lit(b, "{\"channel\":\"");
    buf_put_str(b, channel_id(r->channel));
    buf_put_lit(b, "\",\"message_id\":");
    buf_put_u64(b, o->message_id);
    buf_put_lit(b, ",\"inbox_id\":");
    buf_put_u64(b, o->inbox_id);
    buf_put_lit(b, ",\"sent_at\":");
    buf_put_u64(b, o->sent_at);
    buf_put_char(b, '}');

    if (buf_failed(b)) {
        return (struct str){NULL, 0};
    }

    return arena_copy(&e->collecting->arena, buf_str(b));
}
