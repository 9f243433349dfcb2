/*
 * Presence: who may see whom is decided by the storage, watch.c keeps what a
 * connection asked to be told of.
 */

#include "presence.h"

#include "call.h"
#include "watch.h"

static const struct param users_params[] = {
    {"users", PARAM_USERS, true, 0, 1, STORAGE_USERS_LIMIT},
};

static enum chat_error
check_connection(const struct origin *o, const struct storage_op *op,
                 const char **param)
{
    (void) op;
    (void) param;
    return o->session == NULL ? CHAT_ERROR_NO_CONNECTION : CHAT_OK;
}

static void
handle_watch(struct call *c, const struct origin *o, struct storage_op *op)
{
    switch (watch_add(o->session, op)) {
    case 0:
        call_submit(c, o, op);
        break;
    case -1:
        call_fail(c, CHAT_ERROR_WATCHES_FULL, STR("users"));
        break;
    default:
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
        break;
    }
}

/* The answer is that of a get. */
static void
handle_unwatch(struct call *c, const struct origin *o, struct storage_op *op)
{
    watch_remove(o->session, op);
    call_submit(c, o, op);
}

static const struct method methods[] = {
    METHOD("presence.get", STORAGE_PRESENCE_GET, users_params),
    METHOD("presence.watch", STORAGE_PRESENCE_WATCH, users_params,
           .check = check_connection, .handle = handle_watch),
    METHOD("presence.unwatch", STORAGE_PRESENCE_GET, users_params,
           .check = check_connection, .handle = handle_unwatch),
};

const struct family presence_family = FAMILY(methods);
