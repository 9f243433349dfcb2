/*
 * A request's text through method.c, call.c and the families, and behind a
 * byte 1 a resource's request through route.c.  The storage
 * answers everything at once with a result that depends on the op; the front
 * checks that each request is closed by exactly one reply, and that the reply
 * is JSON.
 */

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "account.h"
#include "call.h"
#include "front.h"
#include "json.h"
#include "method.h"
#include "rate.h"
#include "route.h"
#include "session.h"
#include "storage.h"
#include "worker.h"

#include "../tests/unit/front_unused.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HANDLE 1

static uv_loop_t loop;
static struct worker worker;
static struct session_link l;
static struct json_parser *checker;
static struct buf reply;
static unsigned n_replies;

static void
check(int condition)
{
    if (!condition) {
        abort();
    }
}

static void
unexpected(void)
{
    abort();
}

void
storage_submit(struct storage *s, const struct storage_op *op,
               storage_done *done, void *data)
{
    struct storage_entry entry = {1, STORAGE_EVENT_MESSAGE_NEW,
                                  STR(",\"message\":{}}}")};
    struct storage_result r = {
        .status = (enum storage_status)(op->message_id % 13),
        .json = STR("{\"a\":1}"),
        .number = 1,
        .inbox_id = 1,
        .entries = &entry,
        .n_entries = op->type == STORAGE_READ_INBOX,
    };

    (void) s;
    check(op->user.len != 0 && op->n_users <= STORAGE_USERS_LIMIT);
    done(&r, data);
}

bool
storage_op_changes(enum storage_op_type type)
{
    return type != STORAGE_HISTORY;
}

uint64_t
worker_now_ms(void)
{
    return 1;
}

void
front_ready(struct session_link *link, uint64_t handle, uint64_t inbox_id,
            struct str device, struct str text)
{
    (void) link;
    (void) handle;
    (void) inbox_id;
    (void) device;
    (void) text;
}

void
front_end(struct session_link *link, uint64_t handle, unsigned code,
          struct str reason)
{
    (void) link;
    (void) handle;
    (void) code;
    (void) reason;
}

void
front_reply(struct session_link *link, const struct request *r,
            uint64_t inbox_id, const struct str *parts, unsigned n)
{
    (void) link;
    (void) r;
    (void) inbox_id;
    buf_reset(&reply, 1 << 16);
    for (unsigned i = 0; i < n; i++) {
        buf_put_str(&reply, parts[i]);
    }
    n_replies++;
}

void
front_answer(struct session_link *link, const struct request *r,
             const struct front_answer *a, struct str text)
{
    (void) link;
    (void) r;
    check(a->status >= 200 && a->status < 600);
    buf_reset(&reply, 1 << 16);
    buf_put_str(&reply, text);
    n_replies++;
}

void
front_reply_nothing(struct session_link *link, uint64_t number, uint64_t handle)
{
    (void) link;
    (void) number;
    (void) handle;
    n_replies++;
}

uint64_t
front_instance(struct session_link *link)
{
    (void) link;
    return 1;
}

void
front_renewed(struct session_link *link, uint64_t handle,
              const struct token_claims *t)
{
    (void) link;
    (void) handle;
    (void) t;
}

int
front_verify(struct session_link *link, struct call *c, struct str token)
{
    struct account_token t = {
        .good = token.len % 2 == 0,
        .claims = {.user = STR("alice"), .expires_at = token.len}
    };

    (void) link;
    account_verified(c, &t);
    return 0;
}

static void
start(void)
{
    struct session_open o = {
        .handle = HANDLE, .user = STR("alice"), .device = STR("d")};

    uv_loop_init(&loop);
    worker.loop = &loop;
    worker.json = json_create();
    worker.rate = rate_create();
    worker.sessions = sessions_create(&worker);
    checker = json_create();
    session_link_init(&l);
    session_open(worker.sessions, &l, &o);
    check(session_find(&l, HANDLE) != NULL);
}

static struct str
take_line(struct str *in)
{
    const char *end = in->len == 0 ? NULL : memchr(in->data, '\n', in->len);
    size_t len = end == NULL ? in->len : (size_t) (end - in->data);
    struct str line = {in->data, len};

    len += end == NULL ? 0 : 1;
    in->data += len;
    in->len -= len;
    return line;
}

/* Method, path, query and Last-Event-ID a line each, then the body. */
static void
receive_resource(struct origin *o, struct str in)
{
    struct route_request q;

    q.method = take_line(&in);
    q.path = take_line(&in);
    q.args = take_line(&in);
    q.last_event_id = take_line(&in);
    q.body = in;
    route_receive(o, &q);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json *root;
    struct origin o = {
        .worker = &worker,
        .link = &l,
        .number = 1,
        .user = STR("alice"),
        .device = STR("d"),
    };

    if (worker.loop == NULL) {
        start();
    }
    if (size != 0 && data[0] == 1) {
        n_replies = 0;
        receive_resource(&o, (struct str){(const char *) data + 1, size - 1});
        check(n_replies == 1);
        if (reply.len != 0) {
            check(json_parse(checker, buf_str(&reply), &root) == JSON_OK);
        }
        return 0;
    }
    if (size % 2 == 0) {
        o.handle = HANDLE;
        o.session = session_find(&l, HANDLE);
    }
    n_replies = 0;
    buf_reset(&reply, 1 << 16);
    method_receive(&o, (struct str){(const char *) data, size});
    check(n_replies == 1);
    if (reply.len != 0) {
        check(json_parse(checker, buf_str(&reply), &root) == JSON_OK);
    }
    return 0;
}
