/*
 * HTTP requests on their way in.  A token that names its device and its time,
 * or a login, may have been ended: the storage is asked first, and before any
 * request about an account.  Others go on at once, and the storage is told
 * that the user is active; it refuses what a barred one asks of it.
 */

#include "front_peer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "barred.h"
#include "call.h"
#include "login.h"
#include "login_id.h"
#include "method.h"
#include "route.h"
#include "worker.h"

#define RETRY_AFTER_S 1
#define ADDRESS_MAX   128

/* What is called: a resource, or JSON-RPC in the body. */
struct subject {
    bool resource;
    struct route_request route;
};

/* A call that waits; peer is NULL once its link ended. */
struct gate {
    TAILQ_ENTRY(gate) link;
    struct peer *peer;
    struct origin origin;
    struct origin_account account; /* where origin.account is set */
    struct subject subject;
    char bytes[]; /* of all their strings */
};


int
front_check_identity(const struct chat_wire_identity *id)
{
    return id->user_len == 0 || id->user_len > STORAGE_ID_MAX
                   || id->device_len > STORAGE_ID_MAX
                   || id->jti_len > STORAGE_JTI_MAX
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
    struct str reason, detail;
    unsigned code;

    if (barred_is(status)) {
        code = barred_refusal(status, &reason, &detail);
        front_refuse(&p->sessions, number, code, 0, reason, detail);
    } else if (status == STORAGE_TOKEN_ENDED) {
        front_refuse(&p->sessions, number, 401, 0, STR("token_ended"),
                     STR("the log-in was ended or the device removed"));
    } else {
        front_refuse(&p->sessions, number, 503, RETRY_AFTER_S,
                     STR("unavailable"),
                     STR("the message store does not answer"));
    }
}

static void
receive(struct origin *o, const struct subject *s)
{
    if (s->resource) {
        route_receive(o, &s->route);
    } else {
        method_receive(o, s->route.body);
    }
}

/* Bodies may hold passwords. */
static void
gate_free(struct gate *g)
{
    const struct str *body = &g->subject.route.body;

    if (g->origin.account != NULL && body->len != 0) {
        OPENSSL_cleanse((char *) body->data, body->len);
    }
    free(g);
}

static bool
was_done(const struct gate *g, enum storage_status status)
{
    return g->origin.account != NULL && g->origin.replays != 0
           && login_may_be_done(g->subject.route.path, status);
}

static void
gate_done(const struct storage_result *r, void *data)
{
    struct gate *g = data;

    if (g->peer != NULL) {
        TAILQ_REMOVE(&g->peer->gates, g, link);
        if (r->status == STORAGE_OK || was_done(g, r->status)) {
            receive(&g->origin, &g->subject);
        } else {
            refuse(g->peer, g->origin.number, r->status);
        }
    }
    gate_free(g);
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
gate_create(struct peer *p, const struct origin *o, const struct subject *s)
{
    const struct route_request *q = &s->route;
    struct origin_account a = {0};
    struct gate *g;
    char *at;

    if (o->account != NULL) {
        a = *o->account;
    }
    g = malloc(sizeof(*g) + o->user.len + o->device.len + q->method.len
               + q->path.len + q->args.len + q->last_event_id.len + q->body.len
               + a.jti.len + a.address.len + a.reserved.len);
    if (g == NULL) {
        return NULL;
    }
    at = g->bytes;
    g->peer = p;
    g->origin = *o;
    g->origin.user = keep(&at, o->user);
    g->origin.device = keep(&at, o->device);
    g->account = a;
    g->account.jti = keep(&at, a.jti);
    g->account.address = keep(&at, a.address);
    g->account.reserved = keep(&at, a.reserved);
    g->origin.account = o->account == NULL ? NULL : &g->account;
    g->subject.resource = s->resource;
    g->subject.route.method = keep(&at, q->method);
    g->subject.route.path = keep(&at, q->path);
    g->subject.route.args = keep(&at, q->args);
    g->subject.route.last_event_id = keep(&at, q->last_event_id);
    g->subject.route.body = keep(&at, q->body);
    TAILQ_INSERT_TAIL(&p->gates, g, link);
    return g;
}

static void
get_subject(struct chat_wire_reader *r, uint8_t flags, struct subject *s,
            struct origin_account *account)
{
    struct chat_wire_resource q = {0};
    struct chat_wire_account a;
    bool resource = (flags & CHAT_WIRE_RESOURCE) != 0;
    const unsigned char *body;
    size_t len;

    if (resource) {
        chat_wire_get_resource(r, &q);
    }
    if ((flags & CHAT_WIRE_ACCOUNT) != 0) {
        chat_wire_get_account(r, &a);
        account->address = front_str(a.address, a.address_len);
        account->reserved = front_str(a.reserved, a.reserved_len);
        account->lifetime_s = a.lifetime_s;
    }
    body = chat_wire_get_rest(r, &len);
    *s = (struct subject){
        .resource = resource,
        .route = {
                  .method = front_str(q.method, q.method_len),
                  .path = front_str(q.path, q.path_len),
                  .args = front_str(q.args, q.args_len),
                  .last_event_id = front_str(q.last_event_id, q.last_event_id_len),
                  .body = front_str(body, len),
                  }
    };
}

static int
check_account(uint8_t flags, const struct origin_account *a)
{
    if ((flags & CHAT_WIRE_ACCOUNT) == 0) {
        return 0;
    }
    return (flags & CHAT_WIRE_RESOURCE) == 0 || a->address.len > ADDRESS_MAX
                   || a->reserved.len > STORAGE_ID_MAX || a->lifetime_s == 0
                   || a->lifetime_s > LOGIN_LIFETIME_MAX_S
               ? -1
               : 0;
}

int
front_call(struct peer *p, const struct chat_wire_header *h,
           struct chat_wire_reader *r)
{
    struct chat_wire_identity id;
    struct chat_wire_limits limits;
    struct storage_op op = {.type = STORAGE_TOUCH};
    struct origin_account account = {0};
    struct origin o;
    struct subject subject;
    struct gate *g;
    bool anonymous;

    chat_wire_get_identity(r, &id);
    chat_wire_get_limits(r, &limits);
    get_subject(r, h->flags, &subject, &account);
    if (chat_wire_end(r) != 0 || check_account(h->flags, &account) != 0) {
        return -1;
    }
    anonymous = (h->flags & CHAT_WIRE_ACCOUNT) != 0 && id.user_len == 0;
    if (!anonymous && front_check_identity(&id) != 0) {
        return -1;
    }
    account.jti = front_str(id.jti, id.jti_len);
    account.issued_at = id.issued_at;
    account.expires_at = id.expires_at;
    account.received_at = worker_now_ms() / 1000;
    front_count_replay(p, h);
    o = (struct origin){
        .worker = p->front->worker,
        .link = &p->sessions,
        .number = h->id,
        .replays = h->replays,
        .refuse_unknown = (h->flags & CHAT_WIRE_REFUSE_UNKNOWN) != 0,
        .paged = (h->flags & CHAT_WIRE_NEXT) != 0,
        .rate = limits.rate,
        .burst = limits.burst,
        .user = front_str(id.user, id.user_len),
        .device = front_str(id.device, id.device_len),
        .account = (h->flags & CHAT_WIRE_ACCOUNT) != 0 ? &account : NULL,
    };

    if (anonymous) {
        o.user = STR("");
        o.device = STR("");
        receive(&o, &subject);
        return 0;
    }
    op.user = o.user;
    op.device = o.device;
    op.number = o.device.len == 0 ? 0 : id.issued_at;
    op.cursor = account.jti;
    if (op.number == 0 && op.cursor.len == 0 && o.account == NULL) {
        storage_submit(o.worker->storage, &op, touch_done, NULL);
        receive(&o, &subject);
        return 0;
    }
    g = gate_create(p, &o, &subject);
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
