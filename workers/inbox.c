/*
 * The inbox: the pull form of the stream, and what a device has of it.
 */

#include "inbox.h"

#include "bounds.h"
#include "call.h"

static const struct param sync_params[] = {
    {"after", PARAM_AFTER, true,  PARAM_FIELD(after), 0, STORAGE_MAX_ID     },
    {"limit", PARAM_LIMIT, false, PARAM_FIELD(limit), 1, STORAGE_INBOX_LIMIT},
};

static const struct param ack_params[] = {
    {"inbox_id", PARAM_NUMBER, true, PARAM_FIELD(inbox_id), 0, STORAGE_MAX_ID},
    PARAM_CLIENT_ID,
};

static void
answer_sync(struct call *c, const struct storage_result *r)
{
    struct buf b = {0};

    buf_put_lit(&b, "{\"events\":[");
    for (uint32_t i = 0; i < r->n_entries; i++) {
        const struct storage_entry *e = &r->entries[i];

        if (i != 0) {
            buf_put_char(&b, ',');
        }
        buf_put_str(&b, storage_event_sync_head(e->method));
        buf_put_u64(&b, e->inbox_id);
        buf_put_str(&b, e->tail);
    }
    buf_put_lit(&b, "],\"more\":");
    buf_put_str(&b, r->more ? STR("true") : STR("false"));
    buf_put_lit(&b, ",\"inbox_id\":");
    buf_put_u64(&b, r->inbox_id);
    buf_put_char(&b, '}');
    if (buf_failed(&b)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else if (r->n_entries == 0 && c->request->resource.wait_s != 0) {
        call_reply_wait(c, c->request->resource.after, buf_str(&b));
    } else {
        call_reply(c, buf_str(&b));
    }
    buf_clear(&b);
}

/* Where a wait for something newer goes on from. */
static void
handle_sync(struct call *c, const struct origin *o, struct storage_op *op)
{
    c->request->resource.after = op->after;
    call_submit(c, o, op);
}

static enum chat_error
check_ack(const struct origin *o, const struct storage_op *op,
          const char **param)
{
    (void) op;
    (void) param;
    return o->device.len == 0 ? CHAT_ERROR_NO_DEVICE : CHAT_OK;
}

static void
handle_ack(struct call *c, const struct origin *o, struct storage_op *op)
{
    op->device = o->device;
    call_submit(c, o, op);
}

static const struct method methods[] = {
    METHOD("inbox.sync", STORAGE_READ_INBOX, sync_params, .pages = true,
           .handle = handle_sync, .answer = answer_sync),
    METHOD("inbox.ack", STORAGE_ACK, ack_params, .check = check_ack,
           .handle = handle_ack),
};

const struct family inbox_family = FAMILY(methods);
