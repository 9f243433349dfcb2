/*
 * The connection itself: is it there, and how long its token is good.  Only
 * nginx has the keys, so a new token goes back to it for verification.
 */

#include "account.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "front.h"
#include "session.h"
#include "worker.h"

#define TOKEN_MAX 8192 /* bytes */

static const struct param renew_params[] = {
    {"token", PARAM_BYTES, true, PARAM_FIELD(text), 1, TOKEN_MAX},
};

static void
reply_number(struct call *c, struct str name, uint64_t value)
{
    struct buf b = {0};

    buf_put_str(&b, name);
    buf_put_u64(&b, value);
    buf_put_char(&b, '}');
    if (buf_failed(&b)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        call_reply(c, buf_str(&b));
    }
    buf_clear(&b);
}

static void
handle_ping(struct call *c, const struct origin *o, struct storage_op *op)
{
    (void) o;
    (void) op;
    reply_number(c, STR("{\"server_time\":"), worker_now_ms());
}

static enum chat_error
check_renew(const struct origin *o, const struct storage_op *op,
            const char **param)
{
    (void) op;
    (void) param;
    return o->session == NULL ? CHAT_ERROR_NO_CONNECTION : CHAT_OK;
}

static void
handle_renew(struct call *c, const struct origin *o, struct storage_op *op)
{
    if (front_verify(o->link, c, op->text) != 0) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    }
}

/* A token that nginx has found good, while the storage is asked about it. */
struct renewal {
    struct call *call;
    uint64_t issued_at;
    uint64_t expires_at;
    struct str jti;
    char jti_text[];
};

static struct session *
session_of(const struct call *c)
{
    return c->request->link == NULL
               ? NULL
               : session_find(c->request->link, c->request->handle);
}

static void
renew_done(const struct storage_result *r, void *data)
{
    struct renewal *w = data;
    struct call *c = w->call;
    struct session *s = session_of(c);
    struct token_claims t = {
        .jti = w->jti, .issued_at = w->issued_at, .expires_at = w->expires_at};

    if (r->status != STORAGE_OK) {
        call_fail_status(c, r->status);
    } else if (s == NULL || s->ended) {
        call_fail(c, CHAT_ERROR_TOKEN, STR("token"));
    } else if (session_set_token(s, w->jti, w->issued_at) != 0) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        front_renewed(c->request->link, c->request->handle, &t);
        reply_number(c, STR("{\"expires_at\":"), w->expires_at * 1000);
    }
    free(w);
}

/* Only the storage knows which tokens have ended. */
static void
renew(struct call *c, const struct session *s, const struct token_claims *t)
{
    struct storage_op op = {
        .type = STORAGE_TOUCH,
        .flags = STORAGE_KNOWN,
        .user = session_user(s),
        .device = t->device,
        .number = t->device.len == 0 ? 0 : t->issued_at,
        .cursor = t->jti,
    };
    struct renewal *w = malloc(sizeof(*w) + t->jti.len);

    if (w == NULL) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
        return;
    }
    w->call = c;
    w->issued_at = op.number;
    w->expires_at = t->expires_at;
    w->jti = (struct str){w->jti_text, t->jti.len};
    if (t->jti.len != 0) {
        memcpy(w->jti_text, t->jti.data, t->jti.len);
    }
    storage_submit(c->request->worker->storage, &op, renew_done, w);
}

void
account_verified(struct call *c, const struct account_token *t)
{
    struct session *s = session_of(c);
    const struct token_claims *claims = &t->claims;

    if (s == NULL || s->ended || !t->good
        || !str_eq(claims->user, session_user(s))
        || (claims->device.len != 0
            && !str_eq(claims->device, session_device(s)))) {
        call_fail(c, CHAT_ERROR_TOKEN, STR("token"));
        return;
    }
    renew(c, s, claims);
}

static const struct method methods[] = {
    {.name = "ping", .handle = handle_ping},
    METHOD("session.renew", 0, renew_params, .check = check_renew,
           .handle = handle_renew),
};

const struct family account_family = FAMILY(methods);
