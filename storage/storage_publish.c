/*
 * What is said when a commit is durable, in its order: results, and events to
 * those of their recipients who are subscribed.
 */

#include "storage_embedded.h"

#include <stdlib.h>

#include "storage_message.h"
#include "storage_outcome.h"
#include "storage_presence.h"
#include "storage_state.h"

static void embedded_publish_event(struct embedded *e, struct event *event);
static void embedded_subscribe(struct embedded *e, const struct request *r);


struct event *
embedded_event_create(struct embedded *e, uint32_t n)
{
    struct event *event;

    event = arena_alloc(&e->collecting->arena,
                        sizeof(*event) + n * sizeof(struct fan));
    if (event == NULL) {
        return NULL;
    }

    memset(event, 0, sizeof(*event));
    event->out.is_event = true;
    event->n_fans = n;
    return event;
}


void
embedded_output(struct embedded *e, struct output *out)
{
    struct commit *c = e->collecting;

    out->next = NULL;
    *c->outputs_last = out;
    c->outputs_last = &out->next;

    if (e->committing == NULL) {
        (void) uv_idle_start(&e->idle, embedded_on_idle);
    }
}


void
embedded_event(struct embedded *e, struct event *event)
{
    uint32_t i;

    for (i = 0; i < event->n_fans; i++) {
        user_ref(e, event->fans[i].user);
    }

    if (event->channel != NULL) {
        event->channel->pins++;
    }

    if (event->message != NULL) {
        event->message->pins++;
    }

    embedded_output(e, &event->out);
}


void
embedded_publish(struct embedded *e, struct commit *c)
{
    struct output *out, *next;

    if (c->sequence != 0) {
        e->published = c->sequence;
    }

    for (out = c->outputs; out != NULL; out = next) {
        next = out->next;

        if (out->is_event) {
            embedded_publish_event(e, (struct event *) out);

        } else {
            struct request *r = (struct request *) out;

            request_unpin(e, r);
            embedded_subscribe(e, r);

            if (r->done != NULL) {
                r->done(&r->result, r->data);
            }

            outcome_end(e, r);
            request_free(e, r);
        }
    }

    commit_clear(c, e->ops);

    if (e->spare == NULL) {
        e->spare = c;

    } else {
        commit_free(c, e->ops);
    }

    messages_published(e);
    requests_run(e);
}


static void
embedded_publish_event(struct embedded *e, struct event *event)
{
    struct storage_event out;
    struct fan *fan;
    uint32_t i, n = 0;

    if (event->n_fans > e->n_targets) {
        void *p = realloc(e->targets, event->n_fans * sizeof(*e->targets));

        if (p != NULL) {
            e->targets = p;
            e->n_targets = event->n_fans;
        }
    }

    for (i = 0; i < event->n_fans; i++) {
        fan = &event->fans[i];

        if (fan->inbox_id != 0) {
            fan->user->published = fan->inbox_id;
        }

        if (n < e->n_targets && embedded_subscribed(e, fan->user->number)) {
            e->targets[n].number = fan->user->number;
            e->targets[n++].inbox_id = fan->inbox_id;
        }

        user_unref(e, fan->user);
    }

    if (event->message != NULL) {
        event->message->pins--;
    }

    if (event->channel != NULL) {
        event->channel->pins--;

        if (event->message_id != 0) {
            event->channel->published = event->message_id;
        }
    }

    if (n == 0 || e->handlers.event == NULL) {
        return;
    }

    out.sequence = e->published == 0 ? 1 : e->published;
    out.method = event->method;
    out.tail = event->tail;
    out.targets = e->targets;
    out.n_targets = n;
    e->handlers.event(&out, e->handlers.data);
}


bool
embedded_subscribed(const struct embedded *e, uint64_t number)
{
    return number / 8 < e->n_subscribed
           && (e->subscribed[number / 8] >> (number % 8) & 1) != 0;
}


static void
embedded_subscribe(struct embedded *e, const struct request *r)
{
    uint64_t number = r->result.number;
    bool was;

    if (r->result.status != STORAGE_OK || number == 0) {
        return;
    }

    if (r->op.type == STORAGE_SUBSCRIBE && number / 8 < e->n_subscribed) {
        was = embedded_subscribed(e, number);
        e->subscribed[number / 8] |= (uint8_t) (1u << (number % 8));
        presence_enter(e, number, was);
    }

    if (r->op.type == STORAGE_UNSUBSCRIBE) {
        embedded_left(e, number);
    }
}


void
embedded_left(struct embedded *e, uint64_t number)
{
    if (embedded_subscribed(e, number)) {
        e->subscribed[number / 8] &= (uint8_t) ~(1u << (number % 8));
        presence_leave(e, number);
    }
}
