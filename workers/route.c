/*
 * Resources; see route.h.
 *
 * Parameters from path and query become JSON nodes in front of the body's, by
 * the rows of the method: from there on a resource is a call like any other.
 */

#include "route.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "call.h"
#include "export.h"
#include "json.h"
#include "login.h"
#include "method.h"
#include "resource.h"
#include "utf8.h"
#include "worker.h"

#define WAIT_MAX  60
#define NODES_MAX 1200 /* parameters outside of the body, members of lists */
#define ALLOW_MAX 64
#define VARS_MAX  4

enum route_kind {
    ROUTE_CALL,
    ROUTE_WAIT,   /* takes `wait` too                                  */
    ROUTE_EVENTS, /* not a method: the stream of a connection          */
    ROUTE_TAGGED, /* the answer has an ETag                            */
    ROUTE_REACT,  /* the parameter `remove` is false                   */
    ROUTE_REMOVE, /* the parameter `remove` is true                    */
    ROUTE_LOGIN,  /* not a method; only where there are accounts       */
    ROUTE_EXPORT, /* not a method: pages of an export                  */
};

struct route {
    const char *method;
    const char *path; /* `{name}` stands for one segment              */
    const char *name; /* of the method; NULL: none                    */
    uint16_t status;  /* of success                                   */
    enum route_kind kind;
};

static const struct route routes[] = {
    {"POST",   "messages",                                          "message.send",    201, ROUTE_CALL  },
    {"GET",    "messages",                                          "message.history", 200, ROUTE_CALL  },
    {"GET",    "messages/{channel}/{message_id}",                   "message.get",     200, ROUTE_CALL  },
    {"PATCH",  "messages/{channel}/{message_id}",                   "message.edit",    200,
     ROUTE_CALL                                                                                         },
    {"DELETE", "messages/{channel}/{message_id}",                   "message.delete",  204,
     ROUTE_CALL                                                                                         },
    {"PUT",    "messages/{channel}/{message_id}/reactions/{emoji}",
     "message.react",                                                                  200, ROUTE_REACT },
    {"DELETE", "messages/{channel}/{message_id}/reactions/{emoji}",
     "message.react",                                                                  204, ROUTE_REMOVE},
    {"GET",    "inbox",                                             "inbox.sync",      200, ROUTE_WAIT  },
    {"POST",   "inbox/ack",                                         "inbox.ack",       200, ROUTE_CALL  },
    {"GET",    "events",                                            NULL,              200, ROUTE_EVENTS},
    {"GET",    "channels",                                          "channel.list",    200, ROUTE_CALL  },
    {"POST",   "channels",                                          "channel.create",  201, ROUTE_CALL  },
    {"GET",    "channels/{channel}",                                "channel.get",     200, ROUTE_CALL  },
    {"PATCH",  "channels/{channel}",                                "channel.update",  200, ROUTE_CALL  },
    {"POST",   "channels/{channel}/members",                        "channel.add",     200, ROUTE_CALL  },
    {"PATCH",  "channels/{channel}/members/{user}",                 "channel.role",    200,
     ROUTE_CALL                                                                                         },
    {"DELETE", "channels/{channel}/members/{users}",                "channel.remove",  204,
     ROUTE_CALL                                                                                         },
    {"POST",   "channels/{channel}/leave",                          "channel.leave",   200, ROUTE_CALL  },
    {"POST",   "channels/{channel}/hide",                           "channel.hide",    200, ROUTE_CALL  },
    {"POST",   "channels/{channel}/read",                           "channel.read",    200, ROUTE_CALL  },
    {"POST",   "channels/{channel}/mute",                           "channel.mute",    200, ROUTE_CALL  },
    {"POST",   "channels/{channel}/typing",                         "typing",          200, ROUTE_CALL  },
    {"POST",   "channels/{channel}/invites",                        "invite.create",   201, ROUTE_CALL  },
    {"GET",    "channels/{channel}/invites",                        "invite.list",     200, ROUTE_CALL  },
    {"DELETE", "channels/{channel}/invites/{invite}",               "invite.revoke",   204,
     ROUTE_CALL                                                                                         },
    {"GET",    "invites/{invite}",                                  "invite.get",      200, ROUTE_CALL  },
    {"POST",   "invites/{invite}/join",                             "invite.join",     200, ROUTE_CALL  },
    {"GET",    "users",                                             "user.search",     200, ROUTE_CALL  },
    {"GET",    "users/{user}",                                      "user.get",        200, ROUTE_TAGGED},
    {"PATCH",  "profile",                                           "user.update",     200, ROUTE_CALL  },
    {"GET",    "contacts",                                          "contact.list",    200, ROUTE_CALL  },
    {"POST",   "contacts",                                          "contact.request", 201, ROUTE_CALL  },
    {"DELETE", "contacts/{user}",                                   "contact.remove",  204, ROUTE_CALL  },
    {"POST",   "contacts/{user}/accept",                            "contact.accept",  200, ROUTE_CALL  },
    {"POST",   "contacts/{user}/decline",                           "contact.decline", 200, ROUTE_CALL  },
    {"POST",   "contacts/{user}/block",                             "contact.block",   200, ROUTE_CALL  },
    {"POST",   "contacts/{user}/unblock",                           "contact.unblock", 200, ROUTE_CALL  },
    {"GET",    "devices",                                           "device.list",     200, ROUTE_CALL  },
    {"PATCH",  "devices/{device}",                                  "device.update",   200, ROUTE_CALL  },
    {"DELETE", "devices/{device}",                                  "device.remove",   204, ROUTE_CALL  },
    {"GET",    "presence",                                          "presence.get",    200, ROUTE_CALL  },
    {"GET",    "ping",                                              "ping",            200, ROUTE_CALL  },
    {"POST",   "signup",                                            "signup",          201, ROUTE_LOGIN },
    {"POST",   "login",                                             "login",           200, ROUTE_LOGIN },
    {"POST",   "token",                                             "token",           200, ROUTE_LOGIN },
    {"POST",   "logout",                                            "logout",          204, ROUTE_LOGIN },
    {"POST",   "password",                                          "password",        204, ROUTE_LOGIN },
    {"DELETE", "account",                                           "account",         204, ROUTE_LOGIN },
    {"GET",    "account/export",                                    NULL,              200, ROUTE_EXPORT},
};

#define N_ROUTES (sizeof(routes) / sizeof(routes[0]))

/* The parameters of a request on their way to its method. */
struct params {
    const struct method *method;
    struct json *last; /* of the members of the object           */
    struct json object;
    char *text; /* the query decoded                      */
    size_t text_len;
    uint16_t wait_s;
    bool wait_allowed;
    bool body_only; /* what is secret must not stand in a query  */
    struct str at_fault;
    uint32_t n_nodes;
    uint32_t cap_nodes;
    struct json nodes[];
};

struct variable {
    struct str name;
    struct str value;
};

struct match {
    struct variable vars[VARS_MAX];
    unsigned n_vars;
};

/* Events */

static const struct param events_params[] = {
    {"after", PARAM_AFTER, false, PARAM_FIELD(after), 0, STORAGE_MAX_ID},
};

static void
handle_events(struct call *c, const struct origin *o, struct storage_op *op)
{
    if ((op->flags & STORAGE_AFTER) == 0) {
        call_reply_events(c, false, 0);
        return;
    }

    /* a cursor that is ahead is told before there is a stream */
    c->request->resource.after = op->after;
    op->limit = 1;
    call_submit(c, o, op);
}

static void
answer_events(struct call *c, const struct storage_result *r)
{
    (void) r;
    call_reply_events(c, true, c->request->resource.after);
}

static const struct method events_method =
    METHOD("events", STORAGE_READ_INBOX, events_params, .handle = handle_events,
           .answer = answer_events);

/* Paths */

static struct str
take_segment(struct str *path)
{
    const char *slash =
        path->len == 0 ? NULL : memchr(path->data, '/', path->len);
    struct str s = *path;

    if (slash == NULL) {
        *path = STR("");
        return s;
    }
    s.len = (size_t) (slash - s.data);
    path->data += s.len + 1;
    path->len -= s.len + 1;
    return s;
}

static bool
match_path(const char *pattern, struct str path, struct match *m)
{
    struct str left = {pattern, strlen(pattern)};

    m->n_vars = 0;
    while (left.len != 0 && path.len != 0) {
        struct str want = take_segment(&left);
        struct str got = take_segment(&path);

        if (want.data[0] == '{') {
            struct variable *v = &m->vars[m->n_vars++];

            v->name = (struct str){want.data + 1, want.len - 2};
            v->value = got;
        } else if (!str_eq(want, got)) {
            return false;
        }
    }
    return left.len == 0 && path.len == 0;
}

static bool
is_method(const struct route *r, struct str method)
{
    struct str own = {r->method, strlen(r->method)};

    return str_eq(method, own)
           || (str_eq(method, STR("HEAD")) && str_eq(own, STR("GET")));
}

/* NULL: none; *allow is empty then, or tells the methods of the path. */
static const struct route *
find_route(const struct origin *o, const struct route_request *q,
           struct match *m, struct buf *allow)
{
    struct str path = q->path;

    if (path.len != 0 && path.data[0] == '/') {
        path.data++;
        path.len--;
    }
    for (unsigned i = 0; i < N_ROUTES; i++) {
        const struct route *r = &routes[i];

        if ((r->kind == ROUTE_LOGIN) != (o->account != NULL)
            || !match_path(r->path, path, m)) {
            continue;
        }
        if (is_method(r, q->method)) {
            return r;
        }
        buf_put(allow, r->method, strlen(r->method));
        if (str_eq((struct str){r->method, strlen(r->method)}, STR("GET"))) {
            buf_put_lit(allow, ", HEAD");
        }
        buf_put_lit(allow, ", ");
    }
    if (allow->len != 0) {
        buf_put_lit(allow, "OPTIONS");
    }
    return NULL;
}

/* Parameters */

static int
hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Into p->text, which is as long as all of the query.  A `+` is one: ids may
 * hold it, and nothing here a space. */
static struct str
decode(struct params *p, struct str s)
{
    struct str out = {p->text + p->text_len, 0};

    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];

        if (c == '%' && s.len - i > 2 && hex(s.data[i + 1]) >= 0
            && hex(s.data[i + 2]) >= 0) {
            c = (char) (hex(s.data[i + 1]) * 16 + hex(s.data[i + 2]));
            i += 2;
        }
        p->text[p->text_len++] = c;
        out.len++;
    }
    return out;
}

static struct json *
new_node(struct params *p, enum json_type type, struct str text)
{
    struct json *v;

    if (p->n_nodes == p->cap_nodes) {
        return NULL;
    }
    v = &p->nodes[p->n_nodes++];
    *v = (struct json){.type = type, .text = text};
    return v;
}

static enum param_type
type_of(const struct method *m, struct str name)
{
    for (unsigned i = 0; i < m->n_params; i++) {
        if (str_eq(name, (struct str){m->params[i].name,
                                      strlen(m->params[i].name)})) {
            return m->params[i].type;
        }
    }
    return PARAM_BYTES;
}

static bool
is_bool(struct str s)
{
    return str_eq(s, STR("true")) || str_eq(s, STR("false"));
}

static bool
is_number(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9') {
            return false;
        }
    }
    return s.len != 0;
}

/* `a,b,c` */
static enum chat_error
add_list(struct params *p, struct json *array, struct str value)
{
    struct json **next = (struct json **) &array->child;

    while (value.len != 0) {
        const char *comma = memchr(value.data, ',', value.len);
        size_t len = comma == NULL ? value.len : (size_t) (comma - value.data);
        struct json *v =
            new_node(p, JSON_STRING, (struct str){value.data, len});

        if (v == NULL) {
            return CHAT_ERROR_OUT_OF_RANGE;
        }
        *next = v;
        next = (struct json **) &v->next;
        array->n++;
        len += comma == NULL ? 0 : 1;
        value.data += len;
        value.len -= len;
    }
    return CHAT_OK;
}

static enum chat_error
check_new(const struct params *p, struct str name)
{
    const struct json *v;

    for (v = p->object.child; v != NULL; v = v->next) {
        if (str_eq(v->key, name)) {
            return CHAT_ERROR_DUPLICATE_KEY;
        }
    }
    return CHAT_OK;
}

static enum chat_error
add_param(struct params *p, struct str name, struct str value)
{
    enum param_type type = type_of(p->method, name);
    bool number = type == PARAM_NUMBER || type == PARAM_AFTER
                  || type == PARAM_LIMIT || type == PARAM_UNTIL;
    struct json *v;

    p->at_fault = name;
    if (check_new(p, name) != CHAT_OK) {
        return CHAT_ERROR_DUPLICATE_KEY;
    }
    if (!utf8_valid(name) || !utf8_valid(value)) {
        p->at_fault = STR("");
        return CHAT_ERROR_BAD_UNICODE;
    }
    v = new_node(p,
                 type == PARAM_USERS                    ? JSON_ARRAY
                 : number && is_number(value)           ? JSON_NUMBER
                 : type == PARAM_BOOL && is_bool(value) ? JSON_BOOL
                                                        : JSON_STRING,
                 value);
    if (v == NULL) {
        return CHAT_ERROR_OUT_OF_RANGE;
    }
    v->key = name;
    v->boolean = v->type == JSON_BOOL && str_eq(value, STR("true"));
    if (p->last == NULL) {
        p->object.child = v;
    } else {
        p->last->next = v;
    }
    p->last = v;
    return type == PARAM_USERS ? add_list(p, v, value) : CHAT_OK;
}

static enum chat_error
take_wait(struct params *p, struct str value)
{
    uint64_t n = 0;
    struct json v = {.type = JSON_NUMBER, .text = value};

    p->at_fault = STR("wait");
    if (!is_number(value)) {
        return CHAT_ERROR_WRONG_TYPE;
    }
    if (json_get_u53(&v, &n) != 0 || n > WAIT_MAX) {
        return CHAT_ERROR_OUT_OF_RANGE;
    }
    p->wait_s = (uint16_t) n;
    return CHAT_OK;
}

static bool
is_named(struct str name, const char *want)
{
    if (name.len != strlen(want)) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if ((name.data[i] | 0x20) != want[i]) {
            return false;
        }
    }
    return true;
}

static enum chat_error
take_args(struct params *p, const struct route_request *q)
{
    struct str args = q->args;
    enum chat_error error = CHAT_OK;

    while (args.len != 0 && error == CHAT_OK) {
        const char *end = memchr(args.data, '&', args.len);
        size_t len = end == NULL ? args.len : (size_t) (end - args.data);
        const char *eq = memchr(args.data, '=', len);
        size_t name_len = eq == NULL ? len : (size_t) (eq - args.data);
        size_t value_at = eq == NULL ? len : name_len + 1;
        struct str name = decode(p, (struct str){args.data, name_len});
        struct str value =
            decode(p, (struct str){args.data + value_at, len - value_at});

        len += end == NULL ? 0 : 1;
        args.data += len;
        args.len -= len;
        if (name.len + value.len == 0 || is_named(name, "token")
            || is_named(name, "device")) {
            continue;
        }
        if (p->body_only) {
            p->at_fault = name;
            error = CHAT_ERROR_UNKNOWN_PARAM;
        } else if (p->wait_allowed && str_eq(name, STR("wait"))) {
            error = take_wait(p, value);
        } else if (p->method != &events_method || q->last_event_id.len == 0
                   || !str_eq(name, STR("after"))) {
            error = add_param(p, name, value);
        }
    }
    return error;
}

static enum chat_error
take_body(struct params *p, const struct origin *o, struct str body)
{
    const struct json *root = NULL;
    enum chat_error error;

    p->at_fault = STR("");
    if (body.len == 0) {
        return CHAT_OK;
    }
    error = method_parse(o, body, &root);
    if (error != CHAT_OK) {
        return error;
    }
    if (root->type != JSON_OBJECT) {
        return CHAT_ERROR_WRONG_TYPE;
    }
    for (const struct json *v = root->child; v != NULL; v = v->next) {
        if (check_new(p, v->key) != CHAT_OK) {
            p->at_fault = v->key;
            return CHAT_ERROR_DUPLICATE_KEY;
        }
    }
    if (p->last == NULL) {
        p->object.child = root->child;
    } else {
        p->last->next = root->child;
    }
    return CHAT_OK;
}

static enum chat_error
take_params(struct params *p, const struct origin *o,
            const struct route_request *q, const struct match *m,
            enum route_kind kind)
{
    enum chat_error error = CHAT_OK;

    p->object.type = JSON_OBJECT;
    p->text = malloc(q->args.len + 1);
    if (p->text == NULL) {
        return CHAT_ERROR_UNAVAILABLE;
    }
    for (unsigned i = 0; i < m->n_vars && error == CHAT_OK; i++) {
        error = add_param(p, m->vars[i].name, m->vars[i].value);
    }
    /* what the verb says is no parameter: a PUT that takes away is refused */
    if (error == CHAT_OK && (kind == ROUTE_REACT || kind == ROUTE_REMOVE)) {
        error = add_param(p, STR("remove"),
                          kind == ROUTE_REMOVE ? STR("true") : STR("false"));
    }
    if (error == CHAT_OK) {
        error = take_args(p, q);
    }
    if (error == CHAT_OK && p->method == &events_method
        && q->last_event_id.len != 0) {
        error = add_param(p, STR("after"), q->last_event_id);
    }
    return error == CHAT_OK ? take_body(p, o, q->body) : error;
}

/* Requests */

static struct params *
params_create(const struct route_request *q)
{
    uint32_t n = VARS_MAX + 2;
    struct params *p;

    for (size_t i = 0; i < q->args.len && n < NODES_MAX; i++) {
        n += q->args.data[i] == '&' || q->args.data[i] == ',';
        n += q->args.data[i] == '%'; /* may be either */
    }
    for (size_t i = 0; i < q->path.len && n < NODES_MAX; i++) {
        n += q->path.data[i] == ',';
    }
    p = calloc(1, sizeof(*p) + n * sizeof(p->nodes[0]));
    if (p != NULL) {
        p->cap_nodes = n;
    }
    return p;
}

static const struct method *
method_of(const struct route *r)
{
    struct str name;

    if (r->kind == ROUTE_EVENTS) {
        return &events_method;
    }
    if (r->kind == ROUTE_EXPORT) {
        return &export_method;
    }
    name = (struct str){r->name, strlen(r->name)};
    if (r->kind != ROUTE_LOGIN) {
        return method_find(name);
    }
    for (unsigned i = 0; i < login_family.n; i++) {
        const struct method *m = &login_family.methods[i];

        if (str_eq(name, (struct str){m->name, strlen(m->name)})) {
            return m;
        }
    }
    return NULL;
}

/* The copies that were made of a password on its way in. */
static void
forget_secrets(const struct params *p, struct str body)
{
    for (const struct json *v = p->object.child; v != NULL; v = v->next) {
        if (v->type == JSON_STRING && v->text.len != 0) {
            OPENSSL_cleanse((char *) v->text.data, v->text.len);
        }
    }
    if (body.len != 0) {
        OPENSSL_cleanse((char *) body.data, body.len);
    }
}

static void
start(struct origin *o, const struct route_request *q, const struct route *r,
      const struct match *m)
{
    struct params *p = params_create(q);
    struct request *request;
    enum chat_error error;

    if (p == NULL) {
        call_request_refuse(o, CHAT_ERROR_UNAVAILABLE);
        return;
    }
    p->method = method_of(r);
    p->wait_allowed = r->kind == ROUTE_WAIT;
    p->body_only = r->kind == ROUTE_LOGIN;
    error = p->method == NULL ? CHAT_ERROR_NO_ROUTE
                              : take_params(p, o, q, m, r->kind);
    o->resource.status = r->status;
    o->resource.wait_s = p->wait_s;
    o->resource.tagged = r->kind == ROUTE_TAGGED;

    request = call_request_create(o, false, 1);
    if (request == NULL) {
        call_request_refuse(o, CHAT_ERROR_UNAVAILABLE);
    } else {
        request->calls[0].method = p->method;
        if (error != CHAT_OK) {
            call_fail(&request->calls[0], error, p->at_fault);
        } else {
            method_start(&request->calls[0], o, &p->object);
        }
        call_request_started(request);
    }
    if (p->body_only) {
        forget_secrets(p, q->body);
    }
    free(p->text);
    free(p);
}

static void
refuse(const struct origin *o, unsigned wait_s, struct str allow)
{
    struct request r = {
        .worker = o->worker, .link = o->link, .number = o->number};

    if (wait_s != 0) {
        o->worker->counters.limited++;
        resource_fail(&r, CHAT_ERROR_LIMITED, wait_s, STR(""));
    } else if (allow.len != 0) {
        resource_fail_method(&r, allow);
    } else {
        resource_fail(&r, CHAT_ERROR_NO_ROUTE, 0, STR(""));
    }
    o->worker->counters.errors++;
}

void
route_receive(struct origin *o, const struct route_request *q)
{
    unsigned wait = o->paged ? 0 : method_take_rate(o);
    struct buf allow = {0};
    struct match m;
    const struct route *r = find_route(o, q, &m, &allow);

    o->worker->counters.requests++;
    o->resource.status = 200;
    if (wait != 0 || r == NULL) {
        refuse(o, wait, buf_failed(&allow) ? STR("") : buf_str(&allow));
    } else {
        start(o, q, r, &m);
    }
    buf_clear(&allow);
}
