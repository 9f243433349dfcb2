/*
 * Devices.  All sessions of a user are in his home worker, where the request
 * to remove one of his devices comes too: so their end needs no message.  One
 * that a restart overtakes is refused when it opens again.
 */

#include "device.h"

#include <string.h>

#include "call.h"
#include "session.h"
#include "worker.h"

static const struct param remove_params[] = {
    {"device", PARAM_USER, true, PARAM_FIELD(to), 0, 0},
    PARAM_CLIENT_ID,
};

static const struct param update_params[] = {
    {"device", PARAM_USER,  false, PARAM_FIELD(to),   0, 0                   },
    {"name",   PARAM_CHARS, true,  PARAM_FIELD(name), 0, STORAGE_DEVICE_CHARS},
    PARAM_CLIENT_ID,
};

static enum chat_error
check_update(const struct origin *o, const struct storage_op *op,
             const char **param)
{
    *param = "device";
    return op->to.len == 0 && o->device.len == 0 ? CHAT_ERROR_NO_DEVICE
                                                 : CHAT_OK;
}

static void
handle_update(struct call *c, const struct origin *o, struct storage_op *op)
{
    op->device = o->device;
    if (op->to.len == 0) {
        op->to = o->device;
    }
    call_submit(c, o, op);
}

static void
handle_list(struct call *c, const struct origin *o, struct storage_op *op)
{
    op->device = o->device;
    call_submit(c, o, op);
}

/* The note is the device and the user. */
static void
handle_remove(struct call *c, const struct origin *o, struct storage_op *op)
{
    buf_put_str(&c->note, op->to);
    buf_put_char(&c->note, '\0');
    buf_put_str(&c->note, o->user);
    if (buf_failed(&c->note)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        call_submit(c, o, op);
    }
}

static void
answer_remove(struct call *c, const struct storage_result *r)
{
    struct sessions *all = c->request->worker->sessions;
    struct buf note = c->note;
    struct str device = {note.data, strlen(note.data)};
    struct str user = {note.data + device.len + 1, note.len - device.len - 1};

    /* the answer goes out before the connection it may end */
    buf_init(&c->note);
    call_reply(c, r->json);
    sessions_end_device(all, user, device);
    buf_clear(&note);
}

static const struct method methods[] = {
    {.name = "device.list",
     .op = STORAGE_LIST_DEVICES,
     .pages = true,
     .handle = handle_list},
    METHOD("device.update", STORAGE_NAME_DEVICE, update_params,
           .check = check_update, .handle = handle_update),
    METHOD("device.remove", STORAGE_REMOVE_DEVICE, remove_params,
           .handle = handle_remove, .answer = answer_remove),
};

const struct family device_family = FAMILY(methods);
