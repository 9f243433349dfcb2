/*
 * What operations on a channel share (storage_channel.h), and those that do
 * not change its members: GET, UPDATE, HIDE, READ.
 */

#include "storage_channel.h"

#include <stdlib.h>

#include "storage_gather.h"
#include "storage_load.h"
#include "storage_marker.h"
#include "storage_outcome.h"

static void channel_events_done(struct embedded *e, struct read_job *job);


enum step
channel_enter_user(struct embedded *e, struct request *r, struct user **u)
{
    if (r->channel->state == OBJECT_FAILED) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    return outcome_enter(e, r, u);
}


enum step
channel_enter(struct embedded *e, struct request *r, struct user **u,
              struct member **m)
{
    enum step step = channel_enter_user(e, r, u);

    if (step != STEP_GO) {
        return step;
    }

    *m = channel_member_of(r->channel, *u);

    return *m == NULL ? request_answer(e, r, STORAGE_NO_CHANNEL) : STEP_GO;
}


struct member *
channel_member_of(const struct channel *ch, const struct user *u)
{
    if (ch->state != OBJECT_READY || u->state != OBJECT_READY) {
        return NULL;
    }

    return channel_member(ch, u);
}


enum step
channel_await_events(struct embedded *e, struct request *r)
{
    struct channel *ch = r->channel;
    struct load_events *l;

    switch (ch->events) {
    case EVENTS_LOADING:
        return STEP_WAIT;
    case EVENTS_KNOWN:
        return STEP_GO;
    case EVENTS_FAILED:
        ch->events = EVENTS_UNKNOWN;
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    default:
        break;
    }

    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return request_answer(e, r, STORAGE_UNAVAILABLE);
    }

    l->job.run = load_events_run;
    l->job.done = channel_events_done;
    l->job.brief = true;
    l->channel = ch;
    l->epoch = e->epoch;
    l->number = ch->number;
    ch->events = EVENTS_LOADING;
    readers_submit(e->readers, &l->job);
    return STEP_WAIT;
}


/* The request that waits keeps the channel in memory. */
static void
channel_events_done(struct embedded *e, struct read_job *job)
{
    struct load_events *l = (struct load_events *) job;
    struct channel *ch = l->channel;

    if (l->epoch == e->epoch) {
        ch->events = job->status == 0 ? EVENTS_KNOWN : EVENTS_FAILED;
        ch->newest_event = l->newest;
        request_wake(e, ch->first);
    }

    free(l);
}


struct member *
channel_add(struct embedded *e, struct channel *ch, struct user *u,
            enum storage_role role)
{
    struct member *m = channel_join(e, ch, u, role);
    struct buf *value;
    struct key key;

    if (m == NULL) {
        return NULL;
    }

    m->read = ch->newest;
    m->delivered = ch->newest;

    key_membership(&key, u->number, ch->number);
    value = embedded_record(e);
    record_put_membership(value);
    embedded_put(e, &key, value);

    /* Also what is left of an earlier membership is to be overwritten. */
    if (ch->newest != 0) {
        marker_put(e, ch, m);
    }

    return m;
}


void
channel_fan_out(struct embedded *e, const struct channel *ch,
                struct event *event, uint64_t id)
{
    struct record_inbox to = {event->method, ch->number, id, event->rev};
    uint32_t i;

    for (i = 0; i < ch->n_members; i++) {
        event->fans[i].user = ch->members[i].user;
        event->fans[i].inbox_id = gather_inbox(e, ch->members[i].user, &to);
    }
}


void
channel_fan_out_to(struct embedded *e, const struct channel *ch,
                   struct event *event, uint64_t id, struct user **users)
{
    struct record_inbox to = {event->method, ch->number, id, event->rev};
    uint32_t i;

    for (i = 0; i < event->n_fans; i++) {
        event->fans[i].user = users[i];
        event->fans[i].inbox_id = gather_inbox(e, users[i], &to);
    }
}


void
channel_json(struct buf *b, const struct channel *ch, bool markers)
{
    struct channel_view view = {ch->kind, channel_id(ch), ch->name, ch->avatar,
                                ch->created_at};
    uint32_t i;

    channel_json_view(b, &view);

    for (i = 0; i < ch->n_members; i++) {
        const struct member *m = &ch->members[i];

        channel_json_member(b, i == 0, user_name(m->user), m->role);

        if (markers) {
            buf_put_lit(b, ",\"delivered\":");
            buf_put_u64(b, m->delivered);
            buf_put_lit(b, ",\"read\":");
            buf_put_u64(b, m->read);
        }

        buf_put_char(b, '}');
    }

    buf_put_lit(b, "]}");
}


void
channel_json_view(struct buf *b, const struct channel_view *view)
{
    channel_json_id(b, view->kind, view->id);

    if (view->kind == RECORD_GROUP) {
        buf_put_lit(b, ",\"name\":");
        buf_put_json_str(b, view->name);
    }

    if (view->avatar.len != 0) {
        buf_put_lit(b, ",\"avatar\":");
        buf_put_json_str(b, view->avatar);
    }

    buf_put_lit(b, ",\"created_at\":");
    buf_put_u64(b, view->created_at);
    buf_put_lit(b, ",\"members\":[");
}


void
channel_json_member(struct buf *b, bool first, struct str user, uint8_t role)
{
    static const struct str roles[] = {
        {"member", 6},
        {"admin",  5},
        {"owner",  5}
    };

    if (!first) {
        buf_put_char(b, ',');
    }

    buf_put_lit(b, "{\"user\":\"");
    buf_put_str(b, user);
    buf_put_lit(b, "\",\"role\":\"");
    buf_put_str(b, roles[role]);
    buf_put_char(b, '"');
}


void
channel_json_id(struct buf *b, enum record_channel_kind kind, struct str id)
{
    buf_put_lit(b, "{\"channel\":\"");
    buf_put_str(b, id);

    if (kind == RECORD_GROUP) {
        buf_put_lit(b, "\",\"kind\":\"group\"");

    } else {
        buf_put_lit(b, "\",\"kind\":\"direct\"");
    }
}


struct str
channel_result(struct embedded *e, const struct channel *ch, bool markers)
{
    struct buf *b = embedded_text(e);

    buf_put_lit(b, "{\"channel\":");
    channel_json(b, ch, markers);
    buf_put_char(b, '}');

    if (buf_failed(b)) {
        return (struct str){NULL, 0};
    }

    return arena_copy(&e->collecting->arena, buf_str(b));
}


struct str
channel_result_own(struct embedded *e, const struct channel *ch,
                   const struct member *m)
{
    struct buf *b = embedded_text(e);

    buf_put_lit(b, "{\"channel\":");
    channel_json(b, ch, true);

    if (buf_failed(b)) {
        return (struct str){NULL, 0};
    }

    b->len--; /* opens it again */
    channel_json_muted(b, m->muted);
    buf_put_lit(b, "}}");

    return buf_failed(b) ? (struct str){NULL, 0}
                         : arena_copy(&e->collecting->arena, buf_str(b));
}


void
channel_json_muted(struct buf *b, uint64_t muted)
{
    buf_put_lit(b, ",\"muted_until\":");

    if (muted == STORAGE_MUTE_FOREVER) {
        buf_put_lit(b, "null");

    } else {
        buf_put_u64(b, muted);
    }
}


enum step
channel_answer(struct embedded *e, struct request *r, struct user *u,
               struct str json)
{
    if (json.data == NULL) {
        return request_poison(e, r);
    }

    request_pin(e, r, NULL, r->channel);
    outcome_put_json(e, r, u, json);
    return request_answer_json(e, r, json);
}


enum step
get_channel_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct member *m;
    struct str json;

    step = channel_enter(e, r, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    json = channel_result_own(e, r->channel, m);

    if (json.data == NULL) {
        return request_answer(e, r, STORAGE_EXHAUSTED);
    }

    return request_answer_json(e, r, json);
}


enum step
hide_channel_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct member *m;

    step = channel_enter(e, r, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    m->hidden = r->channel->newest + 1;
    marker_put(e, r->channel, m);
    return channel_answer(e, r, u, channel_result(e, r->channel, false));
}


enum step
read_channel_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct member *m;

    step = channel_enter(e, r, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    if (r->op.message_id > r->channel->newest) {
        return request_answer(e, r, STORAGE_BEYOND);
    }

    /* Who wrote it, and so gets the receipt, is looked for on the disk. */
    if (r->op.message_id > r->channel->published) {
        request_wait(&e->unpublished, r);
        return STEP_WAIT;
    }

    (void) request_answer_json(e, r, STR("{}"));
    marker_advance(e, r->channel, m, r->op.message_id, 0);
    return STEP_DONE;
}
