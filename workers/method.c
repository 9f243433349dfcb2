/*
 * From the bytes of a request to its calls; see method.h.
 *
 * The checks stand in the order a client can rely on: JSON, form of the
 * request, rate, method, each parameter as written, missing ones, what the
 * method itself checks.  What is left is decided by the storage.
 */

#include "method.h"

#include <string.h>

#include <uv.h>

#include "account.h"
#include "bounds.h"
#include "call.h"
#include "channel.h"
#include "contact.h"
#include "device.h"
#include "front.h"
#include "inbox.h"
#include "invite.h"
#include "json.h"
#include "log.h"
#include "message.h"
#include "presence.h"
#include "profile.h"
#include "rate.h"
#include "session.h"
#include "worker.h"

#define CLOSE_POLICY 1008

static const struct family *const families[] = {
    &message_family, &inbox_family,    &account_family,
    &channel_family, &contact_family,  &profile_family,
    &device_family,  &presence_family, &invite_family,
};

#define N_FAMILIES (sizeof(families) / sizeof(families[0]))

/* A call's parameters on their way to the storage. */
struct arguments {
    struct storage_op op;
    struct str users[STORAGE_USERS_LIMIT];
    uint64_t given; /* bits of the rows that were given */
    struct str at_fault;
};

const struct method *
method_find(struct str name)
{
    for (unsigned f = 0; f < N_FAMILIES; f++) {
        for (unsigned i = 0; i < families[f]->n; i++) {
            const struct method *m = &families[f]->methods[i];

            if (strlen(m->name) == name.len
                && memcmp(m->name, name.data, name.len) == 0) {
                return m;
            }
        }
    }
    return NULL;
}

/* Parameters */

static bool
is_user_id(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9') || (c != '\0' && strchr("_.@+-", c)))) {
            return false;
        }
    }
    return true;
}

static enum chat_error
check_string(const struct json *v)
{
    if (v->type != JSON_STRING) {
        return CHAT_ERROR_WRONG_TYPE;
    }
    return v->bad_unicode ? CHAT_ERROR_BAD_UNICODE : CHAT_OK;
}

static enum chat_error
take_user(const struct json *v, struct str *out)
{
    enum chat_error error = check_string(v);

    if (error != CHAT_OK) {
        return error;
    }
    if (v->text.len == 0 || v->text.len > STORAGE_ID_MAX) {
        return CHAT_ERROR_OUT_OF_RANGE;
    }
    *out = v->text;
    return is_user_id(v->text) ? CHAT_OK : CHAT_ERROR_BAD_USER;
}

static enum chat_error
take_users(const struct json *v, const struct param *p, struct arguments *a)
{
    if (v->type != JSON_ARRAY) {
        return CHAT_ERROR_WRONG_TYPE;
    }
    if (v->n > p->max) {
        return p->type == PARAM_MENTIONS || p->max != STORAGE_MEMBERS_MAX
                   ? CHAT_ERROR_OUT_OF_RANGE
                   : CHAT_ERROR_TOO_MANY;
    }
    if (v->n < p->min) {
        return CHAT_ERROR_OUT_OF_RANGE;
    }
    for (const struct json *u = v->child; u != NULL; u = u->next) {
        enum chat_error error = take_user(u, &a->users[a->op.n_users++]);

        if (error != CHAT_OK) {
            return error;
        }
    }
    a->op.users = a->users;
    return CHAT_OK;
}

static enum chat_error
take_string(const struct json *v, const struct param *p, struct str *out)
{
    enum chat_error error = check_string(v);
    size_t len = v->text.len;

    if (error != CHAT_OK) {
        return error;
    }
    /* a code point has 4 bytes at most: do not count what cannot fit */
    if (p->type == PARAM_CHARS && len <= p->max * 4) {
        len = json_code_points(v->text);
    }
    *out = v->text.len == 0 ? STR("") : v->text;
    return len < p->min || len > p->max ? CHAT_ERROR_OUT_OF_RANGE : CHAT_OK;
}

static enum chat_error
take_number(const struct json *v, const struct param *p, uint64_t *out)
{
    if (v->type != JSON_NUMBER) {
        return CHAT_ERROR_WRONG_TYPE;
    }
    if (json_get_u53(v, out) != 0 || *out < p->min || *out > p->max) {
        return CHAT_ERROR_OUT_OF_RANGE;
    }
    return CHAT_OK;
}

static enum chat_error
take_bool(const struct json *v, uint64_t *out)
{
    *out = v->boolean;
    return v->type == JSON_BOOL ? CHAT_OK : CHAT_ERROR_WRONG_TYPE;
}

static enum chat_error
take_until(const struct json *v, const struct param *p, uint64_t *out)
{
    if (v->type == JSON_NULL) {
        *out = STORAGE_MUTE_FOREVER;
        return CHAT_OK;
    }
    return take_number(v, p, out);
}

static enum chat_error
take_role(const struct json *v, uint8_t *out)
{
    static const char *const roles[] = {
        [STORAGE_MEMBER] = "member",
        [STORAGE_ADMIN] = "admin",
        [STORAGE_OWNER] = "owner",
    };
    enum chat_error error = check_string(v);

    if (error != CHAT_OK) {
        return error;
    }
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (str_eq(v->text, (struct str){roles[i], strlen(roles[i])})) {
            *out = (uint8_t) i;
            return CHAT_OK;
        }
    }
    return CHAT_ERROR_OUT_OF_RANGE;
}

static enum chat_error
take_text_word(const struct json *v)
{
    enum chat_error error = check_string(v);

    if (error != CHAT_OK) {
        return error;
    }
    return str_eq(v->text, STR("text")) ? CHAT_OK : CHAT_ERROR_OUT_OF_RANGE;
}

static enum chat_error
take_param(const struct json *v, const struct param *p, struct arguments *a)
{
    void *field = (char *) &a->op + p->field;
    enum chat_error error;
    uint64_t number = 0;

    switch (p->type) {
    case PARAM_USER:
        return take_user(v, field);
    case PARAM_USERS:
    case PARAM_MENTIONS:
        return take_users(v, p, a);
    case PARAM_BYTES:
    case PARAM_CHARS:
        return take_string(v, p, field);
    case PARAM_AFTER:
        a->op.flags |= STORAGE_AFTER;
        return take_number(v, p, field);
    case PARAM_NUMBER:
        return take_number(v, p, field);
    case PARAM_LIMIT:
        error = take_number(v, p, &number);
        *(uint32_t *) field = (uint32_t) number;
        return error;
    case PARAM_ROLE:
        return take_role(v, field);
    case PARAM_TEXT:
        return take_text_word(v);
    case PARAM_BOOL:
        return take_bool(v, field);
    case PARAM_UNTIL:
        return take_until(v, p, field);
    }
    return CHAT_ERROR_INTERNAL;
}

static enum chat_error
take_member(const struct json *v, const struct method *m, struct arguments *a)
{
    a->at_fault = v->key;
    for (unsigned i = 0; i < m->n_params; i++) {
        const char *name = m->params[i].name;

        if (str_eq(v->key, (struct str){name, strlen(name)})) {
            a->given |= 1ull << i;
            return take_param(v, &m->params[i], a);
        }
    }
    return CHAT_ERROR_UNKNOWN_PARAM;
}

static enum chat_error
take_params(const struct json *params, const struct method *m,
            struct arguments *a)
{
    if (params != NULL && params->type != JSON_OBJECT) {
        return CHAT_ERROR_WRONG_TYPE;
    }
    for (const struct json *v = params == NULL ? NULL : params->child;
         v != NULL; v = v->next) {
        enum chat_error error = take_member(v, m, a);

        if (error != CHAT_OK) {
            return error;
        }
    }
    for (unsigned i = 0; i < m->n_params; i++) {
        const char *name = m->params[i].name;

        if (m->params[i].required && (a->given & 1ull << i) == 0) {
            a->at_fault = (struct str){name, strlen(name)};
            return CHAT_ERROR_MISSING;
        }
    }
    return CHAT_OK;
}

/* Calls */

void
method_start(struct call *c, const struct origin *o, const struct json *params)
{
    struct arguments a = {.op.limit = c->method->limit != 0 ? c->method->limit
                                                            : LIMIT_PAGE};
    enum chat_error error = take_params(params, c->method, &a);

    if (error == CHAT_OK && c->method->check != NULL) {
        const char *param = "";

        error = c->method->check(o, &a.op, &param);
        a.at_fault = (struct str){param, strlen(param)};
    }
    if (error != CHAT_OK) {
        call_fail(c, error, a.at_fault);
    } else if (c->method->handle != NULL) {
        c->method->handle(c, o, &a.op);
    } else {
        call_submit(c, o, &a.op);
    }
}

/* The id as it goes back; false: of a type that is none. */
static bool
take_id(struct call *c, const struct json *id)
{
    if (id == NULL) {
        return true;
    }
    switch (id->type) {
    case JSON_NULL:
        buf_put_lit(&c->id, "null");
        return true;
    case JSON_NUMBER:
        buf_put_str(&c->id, id->text);
        return true;
    case JSON_STRING:
        if (!id->bad_unicode) {
            buf_put_json_str(&c->id, id->text);
            return true;
        }
        return false;
    default:
        return false;
    }
}

/* A request that is none is answered also without an id: with null. */
static void
fail_invalid(struct call *c, enum chat_error error)
{
    if (c->id.len == 0) {
        buf_put_lit(&c->id, "null");
    }
    call_fail(c, error, STR(""));
}

/* Is it a request at all? */
static enum chat_error
check_form(struct call *c, const struct json *v)
{
    const struct json *id, *version, *method;

    if (v->type != JSON_OBJECT) {
        return CHAT_ERROR_INVALID;
    }
    id = json_member(v, "id");
    if (!take_id(c, id)) {
        return id->bad_unicode ? CHAT_ERROR_BAD_UNICODE : CHAT_ERROR_INVALID;
    }
    version = json_member(v, "jsonrpc");
    method = json_member(v, "method");
    if (version == NULL || version->type != JSON_STRING
        || !str_eq(version->text, STR("2.0")) || method == NULL
        || method->type != JSON_STRING) {
        return CHAT_ERROR_INVALID;
    }
    return method->bad_unicode ? CHAT_ERROR_BAD_UNICODE : CHAT_OK;
}

/*
 * 0: may pass.  A request that is sent again after a restart was counted the
 * first time.
 */
unsigned
method_take_rate(const struct origin *o)
{
    uint64_t now = uv_now(o->worker->loop);
    unsigned wait;

    if (o->replays != 0) {
        return 0;
    }
    wait = rate_take(
        o->worker->rate,
        o->user.len == 0 && o->account != NULL ? o->account->address : o->user,
        o->rate, o->burst, now);
    if (wait != 0 && o->session != NULL) {
        o->session->limited_until_ms = now + wait * 1000ull;
    }
    return wait;
}

static void
start_call(struct call *c, const struct origin *o, const struct json *v)
{
    enum chat_error error = check_form(c, v);
    unsigned wait = method_take_rate(o);

    o->worker->counters.requests++;
    if (buf_failed(&c->id)) {
        buf_clear(&c->id);
        error = CHAT_ERROR_UNAVAILABLE;
    }
    if (error != CHAT_OK) {
        fail_invalid(c, error);
        return;
    }
    if (wait != 0) {
        call_fail_limited(c, wait);
        return;
    }

    c->method = method_find(json_member(v, "method")->text);
    if (c->method == NULL) {
        call_fail(c, CHAT_ERROR_NO_METHOD, STR(""));
        return;
    }
    method_start(c, o, json_member(v, "params"));
}

enum chat_error
method_parse(const struct origin *o, struct str text, const struct json **root)
{
    switch (json_parse(o->worker->json, text, root)) {
    case JSON_OK:
        return CHAT_OK;
    case JSON_SYNTAX:
        return CHAT_ERROR_PARSE;
    case JSON_DEPTH:
        return CHAT_ERROR_TOO_DEEP;
    case JSON_DUPLICATE:
        return CHAT_ERROR_DUPLICATE_KEY;
    case JSON_NOMEM:
        break;
    }
    return CHAT_ERROR_UNAVAILABLE;
}

static enum chat_error
parse(const struct origin *o, struct str text, const struct json **root)
{
    enum chat_error error = method_parse(o, text, root);

    if (error == CHAT_OK && (*root)->type == JSON_ARRAY
        && ((*root)->n == 0 || (*root)->n > LIMIT_BATCH)) {
        return CHAT_ERROR_BAD_BATCH;
    }
    return error;
}

/* Whoever was told to wait and did not is sent away. */
static bool
is_too_soon(const struct origin *o)
{
    return o->session != NULL && o->replays == 0
           && uv_now(o->worker->loop) < o->session->limited_until_ms;
}

void
method_receive(const struct origin *o, struct str text)
{
    const struct json *root = NULL;
    enum chat_error error = parse(o, text, &root);
    struct request *r;
    bool batch;
    uint32_t i = 0;

    if (is_too_soon(o)) {
        o->worker->counters.limited++;
        front_reply_nothing(o->link, o->number, o->handle);
        front_end(o->link, o->handle, CLOSE_POLICY, STR("rate_limited"));
        return;
    }
    if (error != CHAT_OK) {
        o->worker->counters.requests++;
        (void) method_take_rate(o);
        call_request_refuse(o, error);
        return;
    }

    batch = root->type == JSON_ARRAY;
    r = call_request_create(o, batch, batch ? root->n : 1);
    if (r == NULL) {
        call_request_refuse(o, CHAT_ERROR_UNAVAILABLE);
        return;
    }
    r->text_len = text.len;
    if (!batch) {
        start_call(&r->calls[0], o, root);
    } else {
        for (const struct json *v = root->child; v != NULL; v = v->next) {
            start_call(&r->calls[i++], o, v);
        }
    }
    call_request_started(r);
}
