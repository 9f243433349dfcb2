/*
 * What concerns one member of a channel alone: MUTE and TYPING.
 */

#include "storage_channel.h"
#include "storage_contact.h"
#include "storage_marker.h"

#define TYPING_EVERY_MS 2000 /* per channel and user */

static bool typing_blocked(const struct channel *ch);
static struct event *typing_event(struct embedded *e, struct channel *ch,
                                  const struct user *u);


enum step
mute_channel_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct user *u;
    struct member *m;

    step = channel_enter(e, r, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    if (m->muted != r->op.number) {
        m->muted = r->op.number;
        marker_put(e, r->channel, m);
    }

    return channel_answer(e, r, u, channel_result_own(e, r->channel, m));
}


enum step
typing_step(struct embedded *e, struct request *r)
{
    enum step step;
    struct channel *ch = r->channel;
    struct event *event;
    struct user *u;
    struct member *m;

    step = channel_enter(e, r, &u, &m);

    if (step != STEP_GO) {
        return step;
    }

    (void) request_answer_json(e, r, STR("{}"));

    if (ch->n_members < 2 || typing_blocked(ch)
        || (m->typing_at != 0
            && m->typing_at + TYPING_EVERY_MS > uv_now(e->loop))) {
        return STEP_DONE;
    }

    m->typing_at = uv_now(e->loop);
    event = typing_event(e, ch, u);

    if (event != NULL) {
        embedded_event(e, event);
    }

    return STEP_DONE;
}


/* Between two of whom one blocks the other nothing is to be seen. */
static bool
typing_blocked(const struct channel *ch)
{
    const struct user *a = ch->members[0].user, *b = ch->members[1].user;

    return ch->kind == RECORD_DIRECT
           && (contact_blocks(a, b) || contact_blocks(b, a));
}


/* NULL: no memory, and nobody misses it. */
static struct event *
typing_event(struct embedded *e, struct channel *ch, const struct user *u)
{
    struct event *event = embedded_event_create(e, ch->n_members - 1);
    struct buf *b = embedded_text(e);
    uint32_t i, n = 0;

    buf_put_lit(b, "\"channel\":\"");
    buf_put_str(b, channel_id(ch));
    buf_put_lit(b, "\",\"user\":\"");
    buf_put_str(b, user_name(u));
    buf_put_lit(b, "\"}}");

    if (event == NULL || buf_failed(b)) {
        return NULL;
    }

    event->method = STORAGE_EVENT_TYPING;
    event->tail = arena_copy(&e->collecting->arena, buf_str(b));

    for (i = 0; i < ch->n_members; i++) {
        if (ch->members[i].user != u) {
            event->fans[n++] = (struct fan){ch->members[i].user, 0};
        }
    }

    return event->tail.data == NULL ? NULL : event;
}
