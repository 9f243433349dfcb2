/*
 * The connection itself: is it there, and how long its token is good.  Only
 * nginx has the keys, so a new token goes back to it for verification.
 */

#include "account.h"

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

void
account_verified(struct call *c, const struct account_token *t)
{
    struct session *s = NULL;

    if (c->request->link != NULL) {
        s = session_find(c->request->link, c->request->handle);
    }
    if (s == NULL || !t->good || !str_eq(t->user, session_user(s))
        || (t->device.len != 0 && !str_eq(t->device, session_device(s)))) {
        call_fail(c, CHAT_ERROR_TOKEN, STR("token"));
        return;
    }
    reply_number(c, STR("{\"expires_at\":"), t->expires_at * 1000);
}

static const struct method methods[] = {
    {.name = "ping", .handle = handle_ping},
    METHOD("session.renew", 0, renew_params, .check = check_renew,
           .handle = handle_renew),
};

const struct family account_family = FAMILY(methods);
