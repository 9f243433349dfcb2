/*
 * Requests and calls from their creation to the one reply, and the table of
 * errors.
 */

#include "call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "front.h"
#include "log.h"
#include "pages.h"
#include "resource.h"
#include "worker.h"

/* What the answers of a batch may take; answers below the small size always
 * fit beside that in a frame. */
#define BATCH_ANSWERS_MAX ((size_t) 24 << 20)
#define SMALL_ANSWER      ((size_t) 64 << 10)

#define ERROR_SIZE 256 /* of an error without its data */

#define HEAD STR("{\"jsonrpc\":\"2.0\",\"id\":")

static const struct chat_error_text errors[] = {
#define ERROR_ROW(name, code, reason, message)                                 \
    [CHAT_ERROR_##name] = {code, reason, message},
    CHAT_ERRORS(ERROR_ROW)
#undef ERROR_ROW
};

static const enum chat_error status_errors[] = {
    [STORAGE_OK] = CHAT_ERROR_INTERNAL,
    [STORAGE_UNAVAILABLE] = CHAT_ERROR_UNAVAILABLE,
    [STORAGE_NO_USER] = CHAT_ERROR_NO_USER,
    [STORAGE_NO_CHANNEL] = CHAT_ERROR_NO_CHANNEL,
    [STORAGE_NO_MESSAGE] = CHAT_ERROR_NO_MESSAGE,
    [STORAGE_FORBIDDEN] = CHAT_ERROR_NOT_ALLOWED,
    [STORAGE_NOT_GROUP] = CHAT_ERROR_NOT_GROUP,
    [STORAGE_GROUP_FULL] = CHAT_ERROR_GROUP_FULL,
    [STORAGE_AHEAD] = CHAT_ERROR_AHEAD,
    [STORAGE_BEYOND] = CHAT_ERROR_BEYOND,
    [STORAGE_NOT_MEMBER] = CHAT_ERROR_NO_MEMBER,
    [STORAGE_BAD_CURSOR] = CHAT_ERROR_BAD_CURSOR,
    [STORAGE_EXHAUSTED] = CHAT_ERROR_UNAVAILABLE,
    [STORAGE_DELETED] = CHAT_ERROR_DELETED,
    [STORAGE_REACTIONS_FULL] = CHAT_ERROR_REACTIONS_FULL,
    [STORAGE_REVISIONS_FULL] = CHAT_ERROR_REVISIONS_FULL,
    [STORAGE_BLOCKED] = CHAT_ERROR_BLOCKED,
    [STORAGE_NO_CONTACT] = CHAT_ERROR_NO_CONTACT,
    [STORAGE_CONTACTS_FULL] = CHAT_ERROR_CONTACTS_FULL,
    [STORAGE_BLOCKING] = CHAT_ERROR_BLOCKING,
    [STORAGE_NO_DEVICE] = CHAT_ERROR_NOT_DEVICE,
    [STORAGE_TOKEN_ENDED] = CHAT_ERROR_TOKEN_ENDED,
    [STORAGE_NO_INVITE] = CHAT_ERROR_NO_INVITE,
    [STORAGE_INVITE_EXPIRED] = CHAT_ERROR_INVITE_EXPIRED,
    [STORAGE_INVITE_REVOKED] = CHAT_ERROR_INVITE_REVOKED,
    [STORAGE_INVITE_USED_UP] = CHAT_ERROR_INVITE_USED_UP,
    [STORAGE_INVITES_FULL] = CHAT_ERROR_INVITES_FULL,
    [STORAGE_TAKEN] = CHAT_ERROR_TAKEN,
    [STORAGE_NO_ACCOUNT] = CHAT_ERROR_NO_ACCOUNT,
    [STORAGE_DISABLED] = CHAT_ERROR_DISABLED,
    [STORAGE_USER_DELETED] = CHAT_ERROR_USER_DELETED,
};

#define N_STATUS_ERRORS (sizeof(status_errors) / sizeof(status_errors[0]))

const struct chat_error_text *
call_error_text(enum chat_error error)
{
    return &errors[error];
}

struct request *
call_request_create(const struct origin *o, bool batch, uint32_t n)
{
    struct request *r = calloc(1, sizeof(*r) + n * sizeof(r->calls[0]));

    if (r == NULL) {
        return NULL;
    }
    r->worker = o->worker;
    r->link = o->link;
    r->number = o->number;
    r->handle = o->handle;
    r->replays = o->replays;
    r->resource = o->resource;
    r->batch = batch;
    r->n_calls = n;
    r->n_open = n + 1;
    for (uint32_t i = 0; i < n; i++) {
        r->calls[i].request = r;
    }
    front_request_begin(r->link, r);
    return r;
}

static void
request_free(struct request *r)
{
    if (r->link != NULL) {
        front_request_end(r->link, r);
    }
    for (uint32_t i = 0; i < r->n_calls; i++) {
        buf_clear(&r->calls[i].id);
        buf_clear(&r->calls[i].answer);
        buf_clear(&r->calls[i].note);
    }
    free(r);
}

/* The one reply to a request of a connection or of JSON-RPC over HTTP. */
static void
reply(struct request *r, uint64_t inbox_id, const struct str *parts, unsigned n)
{
    if (r->paged) {
        pages_reply(r, parts, n);
    }
    front_reply(r->link, r, inbox_id, parts, n);
    if (r->paged) {
        pages_replied(r);
    }
}

/* The answers of those with an id; nothing when there are none. */
static void
reply_batch(struct request *r)
{
    struct buf all = {0};
    struct str text;

    for (uint32_t i = 0; i < r->n_calls; i++) {
        if (r->calls[i].answer.len == 0) {
            continue;
        }
        buf_put_char(&all, all.len == 0 ? '[' : ',');
        buf_put_str(&all, buf_str(&r->calls[i].answer));
    }
    if (all.len != 0) {
        buf_put_char(&all, ']');
    }

    /* what was done stays done: a repeat with its client_ids tells */
    text = buf_failed(&all)
               ? STR("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":503,"
                     "\"message\":\"out of memory\",\"data\":{\"reason\":"
                     "\"unavailable\"}}}")
               : buf_str(&all);
    reply(r, 0, &text, text.len == 0 ? 0 : 1);
    buf_clear(&all);
}

static void
request_release(struct request *r)
{
    if (--r->n_open != 0) {
        return;
    }
    if (r->batch && r->link != NULL) {
        reply_batch(r);
    }
    request_free(r);
}

void
call_request_started(struct request *r)
{
    request_release(r);
}

/* The text of an answer: sent, or kept for the batch's. */
static void
finish(struct call *c, uint64_t inbox_id, const struct str *parts, unsigned n)
{
    struct request *r = c->request;

    if (c->id.len == 0 || r->link == NULL) {
        n = 0;
    }
    if (r->batch) {
        for (unsigned i = 0; i < n; i++) {
            buf_put_str(&c->answer, parts[i]);
        }
        r->answer_len += c->answer.len;
    } else if (r->link != NULL) {
        reply(r, inbox_id, parts, n);
    }
    request_release(r);
}

static void
fail(struct call *c, enum chat_error error, struct str data)
{
    char text[ERROR_SIZE];
    int len = snprintf(text, sizeof(text),
                       ",\"error\":{\"code\":%d,\"message\":\"%s\","
                       "\"data\":{\"reason\":\"%s\"",
                       errors[error].code, errors[error].message,
                       errors[error].reason);
    struct str middle = {text, (size_t) len};
    const struct str parts[] = {HEAD, buf_str(&c->id), middle, data,
                                STR("}}}")};

    c->request->worker->counters.errors++;
    finish(c, 0, parts, sizeof(parts) / sizeof(parts[0]));
}

static void
fail_resource(struct call *c, enum chat_error error, unsigned retry_after_s,
              struct str param)
{
    struct request *r = c->request;

    r->worker->counters.errors++;
    if (r->link != NULL) {
        resource_fail(r, error, retry_after_s, param);
    }
    request_release(r);
}

void
call_fail(struct call *c, enum chat_error error, struct str param)
{
    struct buf data = {0};

    if (c->request->resource.status != 0) {
        fail_resource(c, error, 0, param);
        return;
    }
    if (param.len != 0 && param.len <= STORAGE_ID_MAX) {
        buf_put_lit(&data, ",\"param\":");
        buf_put_json_str(&data, param);
    }
    fail(c, error, buf_failed(&data) ? STR("") : buf_str(&data));
    buf_clear(&data);
}

void
call_fail_limited(struct call *c, unsigned retry_after_s)
{
    char data[40];
    int len =
        snprintf(data, sizeof(data), ",\"retry_after\":%u", retry_after_s);

    c->request->worker->counters.limited++;
    if (c->request->resource.status != 0) {
        fail_resource(c, CHAT_ERROR_LIMITED, retry_after_s, STR(""));
        return;
    }
    fail(c, CHAT_ERROR_LIMITED, (struct str){data, (size_t) len});
}

/* Which parameter the storage did not like. */
static struct str
status_param(const struct call *c, enum storage_status status)
{
    if (status == STORAGE_BAD_CURSOR || status == STORAGE_AHEAD) {
        return STR("after");
    }
    if (status == STORAGE_BEYOND) {
        return c->method->op == STORAGE_ACK ? STR("inbox_id")
                                            : STR("message_id");
    }
    return STR("");
}

void
call_fail_status(struct call *c, enum storage_status status)
{
    enum chat_error error = (unsigned) status < N_STATUS_ERRORS
                                ? status_errors[status]
                                : CHAT_ERROR_INTERNAL;

    /* a status of no row */
    if (error == CHAT_OK) {
        error = CHAT_ERROR_INTERNAL;
    }
    call_fail(c, error, status_param(c, status));
}

void
call_reply_at(struct call *c, uint64_t inbox_id, struct str result)
{
    const struct str parts[] = {HEAD, buf_str(&c->id), STR(",\"result\":"),
                                result, STR("}")};

    if (c->request->resource.status != 0) {
        if (c->request->link != NULL) {
            resource_reply(c->request, result);
        }
        request_release(c->request);
        return;
    }
    if (c->request->batch && result.len > SMALL_ANSWER
        && c->request->answer_len + result.len > BATCH_ANSWERS_MAX) {
        call_fail(c, CHAT_ERROR_BATCH_ANSWER, STR(""));
        return;
    }
    finish(c, inbox_id, parts, sizeof(parts) / sizeof(parts[0]));
}

void
call_reply_events(struct call *c, bool after_given, uint64_t after)
{
    if (c->request->link != NULL) {
        resource_reply_events(c->request, after_given, after);
    }
    request_release(c->request);
}

void
call_reply_wait(struct call *c, uint64_t after, struct str result)
{
    if (c->request->link != NULL) {
        resource_reply_wait(c->request, after, result);
    }
    request_release(c->request);
}

void
call_reply_token(struct call *c, const struct token_claims *t)
{
    if (c->request->link != NULL) {
        resource_reply_token(c->request, t);
    }
    request_release(c->request);
}

void
call_reply_page(struct call *c, struct str next, struct str page)
{
    if (c->request->link != NULL) {
        resource_reply_page(c->request, next, page);
    }
    request_release(c->request);
}

void
call_reply(struct call *c, struct str result)
{
    call_reply_at(c, 0, result);
}

void
call_request_refuse(const struct origin *o, enum chat_error error)
{
    struct request r = {.worker = o->worker,
                        .link = o->link,
                        .number = o->number,
                        .handle = o->handle,
                        .resource = o->resource};
    char text[ERROR_SIZE];
    int len = snprintf(
        text, sizeof(text),
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,"
        "\"message\":\"%s\",\"data\":{\"reason\":\"%s\"}}}",
        errors[error].code, errors[error].message, errors[error].reason);
    struct str part = {text, (size_t) len};

    o->worker->counters.errors++;
    if (o->resource.status != 0) {
        resource_fail(&r, error, 0, STR(""));
        return;
    }
    front_reply(o->link, &r, 0, &part, 1);
}

static void
submit_done(const struct storage_result *r, void *data)
{
    struct call *c = data;

    if (r->status != STORAGE_OK) {
        call_fail_status(c, r->status);
    } else if (c->method->answer != NULL) {
        c->method->answer(c, r);
    } else {
        call_reply(c, r->json);
    }
}

size_t
call_id(const struct call *c, const struct origin *o, char out[CALL_ID_SIZE])
{
    return (size_t) snprintf(out, CALL_ID_SIZE, "%016" PRIx64 "-%" PRIx64 "-%x",
                             front_instance(o->link), o->number,
                             (unsigned) (c - c->request->calls));
}

void
call_submit(struct call *c, const struct origin *o, struct storage_op *op)
{
    char id[CALL_ID_SIZE];

    op->type = c->method->op;
    op->user = o->user;
    if (o->refuse_unknown) {
        op->flags |= STORAGE_REFUSE_UNKNOWN;
    }
    if (o->replays != 0) {
        op->flags |= STORAGE_REPLAYED;
    }
    if (op->client_id.len == 0 && storage_op_changes(op->type)) {
        size_t len = call_id(c, o, id);

        op->request_id = (struct str){id, len};
    }
    if (!c->method->pages || pages_take(c, o, op)) {
        call_submit_kept(c, op);
    }
}

void
call_submit_kept(struct call *c, const struct storage_op *op)
{
    storage_submit(c->request->worker->storage, op, submit_done, c);
}
