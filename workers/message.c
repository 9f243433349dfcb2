/*
 * Messages.  The worker writes the JSON of a message once; the storage puts
 * ids and time in front, and what lies there is what is sent.
 */

#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "call.h"
#include "front.h"
#include "pages.h"
#include "session.h"
#include "worker.h"

/*
 * Fault injection for the tests of crashes, in builds with -DCHATD_FAULTS
 * only: a message.send with the text `CHATD_FAULT crash worker` ends the
 * worker before anything was submitted.  store.c has the store's.
 */
#ifdef CHATD_FAULTS
#define FAULT_CRASH_WORKER(text)                                               \
    if (str_eq(text, STR("CHATD_FAULT crash worker")))                         \
    abort()
#else
#define FAULT_CRASH_WORKER(text) (void) 0
#endif

static const struct param send_params[] = {
    {"to",        PARAM_USER,     false, PARAM_FIELD(to),         0, 0               },
    {"channel",   PARAM_BYTES,    false, PARAM_FIELD(channel),    1,
     STORAGE_CHANNEL_MAX                                                             },
    {"client_id", PARAM_BYTES,    true,  PARAM_FIELD(client_id),  1, STORAGE_ID_MAX  },
    {"text",      PARAM_CHARS,    true,  PARAM_FIELD(text),       1, LIMIT_TEXT_CHARS},
    {"type",      PARAM_TEXT,     false, 0,                       0, 0               },
    {"reply_to",  PARAM_NUMBER,   false, PARAM_FIELD(message_id), 1,
     STORAGE_MAX_ID                                                                  },
    {"mentions",  PARAM_MENTIONS, false, 0,                       0, LIMIT_MENTIONS  },
};

#define PARAM_MESSAGE_ID                                                       \
    {                                                                          \
        "message_id", PARAM_NUMBER, true, PARAM_FIELD(message_id), 1,          \
            STORAGE_MAX_ID                                                     \
    }

static const struct param get_params[] = {PARAM_CHANNEL, PARAM_MESSAGE_ID};

static const struct param edit_params[] = {
    PARAM_CHANNEL,
    PARAM_MESSAGE_ID,
    {"text", PARAM_CHARS, true, PARAM_FIELD(text), 1, LIMIT_TEXT_CHARS},
    PARAM_CLIENT_ID,
};

static const struct param delete_params[] = {
    PARAM_CHANNEL,
    PARAM_MESSAGE_ID,
    PARAM_CLIENT_ID,
};

static const struct param react_params[] = {
    PARAM_CHANNEL,
    PARAM_MESSAGE_ID,
    {"emoji",  PARAM_BYTES, true,  PARAM_FIELD(name),   1, STORAGE_EMOJI_MAX},
    {"remove", PARAM_BOOL,  false, PARAM_FIELD(number), 0, 0                },
    PARAM_CLIENT_ID,
};

static const struct param history_params[] = {
    PARAM_CHANNEL,
    {"before", PARAM_NUMBER, false, PARAM_FIELD(before), 1, STORAGE_MAX_ID       },
    {"after",  PARAM_AFTER,  false, PARAM_FIELD(after),  0, STORAGE_MAX_ID       },
    {"around", PARAM_NUMBER, false, PARAM_FIELD(around), 1, STORAGE_MAX_ID       },
    {"limit",  PARAM_LIMIT,  false, PARAM_FIELD(limit),  1, STORAGE_HISTORY_LIMIT},
};

static enum chat_error
check_send(const struct origin *o, const struct storage_op *op,
           const char **param)
{
    (void) o;
    *param = "to";
    if (op->to.data == NULL && op->channel.data == NULL) {
        return CHAT_ERROR_MISSING;
    }
    if (op->to.data != NULL && op->channel.data != NULL) {
        return CHAT_ERROR_CONFLICT;
    }
    return CHAT_OK;
}

/* Whom it mentions is the message's own affair: the storage is not told. */
static void
put_mentions(struct buf *text, struct storage_op *op)
{
    if (op->users == NULL) {
        return;
    }
    buf_put_lit(text, ",\"mentions\":[");
    for (uint32_t i = 0; i < op->n_users; i++) {
        if (i != 0) {
            buf_put_char(text, ',');
        }
        buf_put_json_str(text, op->users[i]);
    }
    buf_put_char(text, ']');
    op->users = NULL;
    op->n_users = 0;
}

static void
handle_send(struct call *c, const struct origin *o, struct storage_op *op)
{
    struct buf text = {0};

    FAULT_CRASH_WORKER(op->text);

    buf_put_lit(&text, "\"client_id\":");
    buf_put_json_str(&text, op->client_id);
    buf_put_lit(&text, ",\"type\":\"text\",\"text\":");
    buf_put_json_str(&text, op->text);
    if (op->message_id != 0) {
        buf_put_lit(&text, ",\"reply_to\":");
        buf_put_u64(&text, op->message_id);
    }
    put_mentions(&text, op);
    buf_put_char(&text, '}');
    if (buf_failed(&text)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        op->text = buf_str(&text);
        call_submit(c, o, op);
    }
    buf_clear(&text);
}

/* The note is which message is changed. */
static void
note_message(struct call *c, const struct storage_op *op)
{
    buf_put(&c->note, (const char *) &op->message_id, sizeof(op->message_id));
    buf_put_str(&c->note, op->channel);
}

/* The storage puts the text where the old one was, so it comes as JSON. */
static void
handle_edit(struct call *c, const struct origin *o, struct storage_op *op)
{
    struct buf text = {0};

    note_message(c, op);
    buf_put_json_str(&text, op->text);
    if (buf_failed(&text) || buf_failed(&c->note)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        op->text = buf_str(&text);
        call_submit(c, o, op);
    }
    buf_clear(&text);
}

static void
handle_react(struct call *c, const struct origin *o, struct storage_op *op)
{
    note_message(c, op);
    if (buf_failed(&c->note)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        call_submit(c, o, op);
    }
}

static void
answer_change(struct call *c, const struct storage_result *r)
{
    struct storage_op again = {.type = STORAGE_GET_MESSAGE};
    size_t n = sizeof(again.message_id);

    memcpy(&again.message_id, c->note.data, n);
    again.channel = (struct str){c->note.data + n, c->note.len - n};
    if (pages_answer(c, r->json.len, &again)) {
        call_reply(c, r->json);
    }
}

/* A result outside the sequence has to say so; the storage does for what it
 * knows to be a repeat. */
static void
reply_duplicate(struct call *c, struct str json)
{
    struct buf b = {0};

    buf_put(&b, json.data, json.len - 1);
    buf_put_lit(&b, ",\"duplicate\":true}");
    if (buf_failed(&b)) {
        call_fail(c, CHAT_ERROR_UNAVAILABLE, STR(""));
    } else {
        call_reply(c, buf_str(&b));
    }
    buf_clear(&b);
}

/*
 * The result of a first try by a single request with an id, over a WebSocket,
 * has a place in the sequence of that connection and stands for the event.
 */
static void
answer_send(struct call *c, const struct storage_result *r)
{
    const struct request *request = c->request;
    bool single = request->handle != 0 && !request->batch && c->id.len != 0;
    struct session *s;

    if (!single || r->duplicate) {
        call_reply(c, r->json);
        return;
    }
    s = request->link == NULL ? NULL
                              : session_find(request->link, request->handle);

    /* sent again after a restart, or its connection is: the message comes as
     * an event */
    if ((request->replays != 0 || (s != NULL && s->state == SESSION_OPENING))
        && r->json.len != 0) {
        reply_duplicate(c, r->json);
        return;
    }
    if (s != NULL) {
        session_replied(s, r->inbox_id);
    }
    call_reply_at(c, r->inbox_id, r->json);
}

static enum chat_error
check_history(const struct origin *o, const struct storage_op *op,
              const char **param)
{
    int n = (op->before != 0) + ((op->flags & STORAGE_AFTER) != 0)
            + (op->around != 0);

    (void) o;
    *param = "before";
    return n > 1 ? CHAT_ERROR_CONFLICT : CHAT_OK;
}

static const struct method methods[] = {
    METHOD("message.send", STORAGE_SEND, send_params, .check = check_send,
           .handle = handle_send, .answer = answer_send),
    METHOD("message.get", STORAGE_GET_MESSAGE, get_params, .pages = true),
    METHOD("message.history", STORAGE_HISTORY, history_params, .pages = true,
           .check = check_history),
    METHOD("message.edit", STORAGE_EDIT_MESSAGE, edit_params,
           .handle = handle_edit, .answer = answer_change),
    METHOD("message.delete", STORAGE_DELETE_MESSAGE, delete_params),
    METHOD("message.react", STORAGE_REACT, react_params, .handle = handle_react,
           .answer = answer_change),
};

const struct family message_family = FAMILY(methods);
