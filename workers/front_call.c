/*
 * HTTP requests on their way in.  A token that names its device and its time
 * may have been ended: the storage is asked first.  Others go on at once, and
 * the storage is told that the user is active.
 */

#include "front_peer.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "method.h"
#include "worker.h"

#define RETRY_AFTER_S 1

/* A call that waits; peer is NULL once its link ended. */
struct gate {
    TAILQ_ENTRY(gate) link;
    struct peer *peer;
    struct origin origin;
    struct str text;
    char bytes[]; /* of user, device, text */
};


int
front_check_identity(const struct chat_wire_identity *id)
{
    return id->user_len == 0 || id->user_len > STORAGE_ID_MAX
                   || id->device_len > STORAGE_ID_MAX
               ? -1
               : 0;
}

void
front_count_replay(struct peer *p, const struct chat_wire_header *h)
{
    if (h->replays != 0) {
        p->front->worker->counters.replays++;
    }
}

static void
refuse(struct peer *p, uint64_t number, enum storage_status status)
{
    if (status == STORAGE_TOKEN_ENDED) {
        front_refuse(&p->sessions, number, 401, 0, STR("token_ended"),
                     STR("the device was removed"));
    } else {
        front_refuse(&p->sessions, number, 503, RETRY_AFTER_S,
                     STR("unavailable"),
                     STR("the message store does not answer"));
    }
}

static void
gate_done(const struct storage_result *r, void *data)
{
    struct gate *g = data;

    if (g->peer != NULL) {
        TAILQ_REMOVE(&g->peer->gates, g, link);
        if (r->status == STORAGE_OK) {
            method_receive(&g->origin, g->text);
        } else {
            refuse(g->peer, g->origin.number, r->status);
        }
    }
    free(g);
}

static void
touch_done(const struct storage_result *r, void *data)
{
    (void) r;
    (void) data;
}

static struct str
keep(char **at, struct str s)
{
    struct str kept = {*at, s.len};

    if (s.len != 0) {
        memcpy(*at, s.data, s.len);
    }
    *at += s.len;
    return kept;
}

static struct gate *
gate_create(struct peer *p, const struct origin *o, struct str text)
{
    struct gate *g =
        malloc(sizeof(*g) + o->user.len + o->device.len + text.len);
    char *at;

    if (g == NULL) {
        return NULL;
    }
    at = g->bytes;
    g->peer = p;
    g->origin = *o;
    g->origin.user = keep(&at, o->user);
    g->origin.device = keep(&at, o->device);
    g->text = keep(&at, text);
    TAILQ_INSERT_TAIL(&p->gates, g, link);
    return g;
}

int
front_call(struct peer *p, const struct chat_wire_header *h,
           struct chat_wire_reader *r)
{
    struct chat_wire_identity id;
    struct chat_wire_limits limits;
    struct storage_op op = {.type = STORAGE_TOUCH};
    struct origin o;
    struct gate *g;
    struct str text;

    chat_wire_get_identity(r, &id);
    chat_wire_get_limits(r, &limits);
    text.data = (const char *) chat_wire_get_rest(r, &text.len);
    if (chat_wire_end(r) != 0 || front_check_identity(&id) != 0) {
        return -1;
    }
    front_count_replay(p, h);
    o = (struct origin){
        .worker = p->front->worker,
        .link = &p->sessions,
        .number = h->id,
        .replays = h->replays,
        .refuse_unknown = (h->flags & CHAT_WIRE_REFUSE_UNKNOWN) != 0,
        .rate = limits.rate,
        .burst = limits.burst,
        .user = front_str(id.user, id.user_len),
        .device = front_str(id.device, id.device_len),
    };

    op.user = o.user;
    op.device = o.device;
    op.number = o.device.len == 0 ? 0 : id.issued_at;
    if (op.number == 0) {
        storage_submit(o.worker->storage, &op, touch_done, NULL);
        method_receive(&o, text);
        return 0;
    }
    g = gate_create(p, &o, text);
    if (g == NULL) {
        refuse(p, o.number, STORAGE_EXHAUSTED);
    } else {
        storage_submit(o.worker->storage, &op, gate_done, g);
    }
    return 0;
}

void
front_forget_calls(struct peer *p)
{
    struct gate *g;

    while ((g = TAILQ_FIRST(&p->gates)) != NULL) {
        TAILQ_REMOVE(&p->gates, g, link);
        g->peer = NULL;
    }
}
