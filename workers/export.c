/*
 * Pages of an export.  nginx asks for the next one when the client has taken
 * the one before, with the cursor that came with it; nothing is kept here.
 * The cursor is a channel's number and a message id (storage_export.c).
 */

#include "export.h"

#include "call.h"

#define CURSOR_MAX 40 /* bytes */

static const struct param export_params[] = {
    {"after", PARAM_BYTES, false, PARAM_FIELD(cursor), 1, CURSOR_MAX},
};

static int
take_number(struct str *s, uint64_t *v)
{
    size_t n = 0;

    *v = 0;
    while (n < s->len && s->data[n] >= '0' && s->data[n] <= '9') {
        *v = *v * 10 + (uint64_t) (s->data[n++] - '0');
        if (*v > STORAGE_MAX_ID) {
            return -1;
        }
    }
    s->data += n;
    s->len -= n;
    return n == 0 ? -1 : 0;
}

/* `CHANNEL-ID` */
static int
take_cursor(struct str s, struct storage_op *op)
{
    if (take_number(&s, &op->number) != 0 || s.len == 0 || *s.data != '-') {
        return -1;
    }
    s.data++;
    s.len--;
    return take_number(&s, &op->after) != 0 || s.len != 0 ? -1 : 0;
}

static void
handle_export(struct call *c, const struct origin *o, struct storage_op *op)
{
    if (op->cursor.len != 0 && take_cursor(op->cursor, op) != 0) {
        call_fail(c, CHAT_ERROR_BAD_CURSOR, STR("after"));
        return;
    }
    op->cursor = (struct str){NULL, 0};
    call_submit(c, o, op);
}

static void
answer_export(struct call *c, const struct storage_result *r)
{
    struct buf next = {0};

    if (r->more) {
        buf_put_u64(&next, r->number);
        buf_put_char(&next, '-');
        buf_put_u64(&next, r->inbox_id);
    }
    if (buf_failed(&next)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        call_reply_page(c, buf_str(&next), r->json);
    }
    buf_clear(&next);
}

const struct method export_method =
    METHOD("account.export", STORAGE_EXPORT, export_params,
           .handle = handle_export, .answer = answer_export);
