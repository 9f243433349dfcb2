/*
 * Invites to groups: the table, and when one ends; who may what is decided by
 * the storage.
 */

#include "invite.h"

#include "call.h"
#include "worker.h"

#define LIFETIME_MAX (10ull * 365 * 86400) /* s */

/* Where a lifetime waits to become a time. */
#define FIELD_LIFETIME PARAM_FIELD(after)
#define FIELD_END      PARAM_FIELD(before)

#define PARAM_INVITE                                                           \
    {                                                                          \
        "invite", PARAM_BYTES, true, PARAM_FIELD(text), 1, STORAGE_CHANNEL_MAX \
    }

static const struct param create_params[] = {
    PARAM_CHANNEL,
    {"expires_at", PARAM_NUMBER, false, FIELD_END,           1, STORAGE_MAX_ID},
    {"lifetime",   PARAM_NUMBER, false, FIELD_LIFETIME,      1, LIFETIME_MAX  },
    {"max_uses",   PARAM_NUMBER, false, PARAM_FIELD(number), 1,
      STORAGE_INVITE_USES                                                      },
    PARAM_CLIENT_ID,
};

static const struct param list_params[] = {PARAM_CHANNEL};

static const struct param revoke_params[] = {
    PARAM_CHANNEL,
    PARAM_INVITE,
    PARAM_CLIENT_ID,
};

static const struct param get_params[] = {PARAM_INVITE};

static const struct param join_params[] = {PARAM_INVITE, PARAM_CLIENT_ID};

static enum chat_error
check_create(const struct origin *o, const struct storage_op *op,
             const char **param)
{
    (void) o;
    *param = "expires_at";
    if (op->before != 0 && op->after != 0) {
        return CHAT_ERROR_CONFLICT;
    }
    return op->before != 0 && op->before <= worker_now_ms()
               ? CHAT_ERROR_OUT_OF_RANGE
               : CHAT_OK;
}

static void
handle_create(struct call *c, const struct origin *o, struct storage_op *op)
{
    if (op->after != 0) {
        op->before = worker_now_ms() + op->after * 1000;
        op->after = 0;
    }
    call_submit(c, o, op);
}

static const struct method methods[] = {
    METHOD("invite.create", STORAGE_CREATE_INVITE, create_params,
           .check = check_create, .handle = handle_create),
    METHOD("invite.list", STORAGE_LIST_INVITES, list_params, .pages = true),
    METHOD("invite.revoke", STORAGE_REVOKE_INVITE, revoke_params),
    METHOD("invite.get", STORAGE_GET_INVITE, get_params),
    METHOD("invite.join", STORAGE_JOIN_INVITE, join_params),
};

const struct family invite_family = FAMILY(methods);
