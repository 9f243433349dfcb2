/*
 * The fixture of the tests of JSON-RPC, from text to reply: method.c, call.c
 * and the families.  Storage and front are scripted: what is submitted is
 * noted, what goes out is kept.
 */

#ifndef TESTS_METHOD_WORLD_H
#define TESTS_METHOD_WORLD_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <uv.h>

#include "account.h"
#include "call.h"
#include "front_unused.h"
#include "json.h"
#include "method.h"
#include "pages.h"
#include "rate.h"
#include "session.h"
#include "worker.h"

#define HANDLE 7

static uv_loop_t loop;
static struct worker worker;
static struct session_link l;

/* what was submitted last */
static struct storage_op op;
static char op_text[1024];
static char op_device[128];
static char op_channel[256];
static char op_client_id[128];
static char op_request_id[128];
static storage_done *op_done;
static void *op_data, *op_data_before;
static unsigned n_ops;

/* what was replied last */
static char reply[1 << 20];
static uint64_t reply_inbox_id;
static bool reply_large;
static unsigned n_replies;
static enum storage_status touch_status;
static uint64_t renewed_until;
static unsigned n_ends;
static char end_reason[32];
static struct call *verifying;

static inline void
keep(char *to, size_t size, struct str s)
{
    snprintf(to, size, "%.*s", (int) s.len, s.data == NULL ? "" : s.data);
}

static void
unexpected(void)
{
    fail();
}

void
storage_submit(struct storage *s, const struct storage_op *submitted,
               storage_done *done, void *data)
{
    struct storage_result r = {.number = 1, .inbox_id = 5};

    (void) s;
    if (submitted->type == STORAGE_SUBSCRIBE) {
        done(&r, data);
        return;
    }
    if (submitted->type == STORAGE_TOUCH) {
        r.status = touch_status;
        done(&r, data);
        return;
    }
    if (submitted->type == STORAGE_UNSUBSCRIBE) {
        return;
    }
    op = *submitted;
    keep(op_text, sizeof(op_text), op.text);
    keep(op_device, sizeof(op_device), op.device);
    keep(op_channel, sizeof(op_channel), op.channel);
    keep(op_client_id, sizeof(op_client_id), op.client_id);
    keep(op_request_id, sizeof(op_request_id), op.request_id);
    op_done = done;
    op_data_before = op_data;
    op_data = data;
    n_ops++;
}

bool
storage_op_changes(enum storage_op_type type)
{
    switch (type) {
#define CHANGES(name, number, changes)                                         \
    case number:                                                               \
        return changes;
        STORAGE_OPS(CHANGES)
    }
    return false;
}

uint64_t
worker_now_ms(void)
{
    return 1764000000123;
}

void
front_ready(struct session_link *link, uint64_t handle, uint64_t inbox_id,
            struct str device, struct str text)
{
    (void) link;
    (void) handle;
    (void) inbox_id;
    (void) device;
    keep(reply, sizeof(reply), text);
}

void
front_end(struct session_link *link, uint64_t handle, unsigned code,
          struct str reason)
{
    (void) link;
    assert_int_equal(handle, HANDLE);
    assert_int_equal(code, 1008);
    keep(end_reason, sizeof(end_reason), reason);
    n_ends++;
}

void
front_reply(struct session_link *link, const struct request *r,
            uint64_t inbox_id, const struct str *parts, unsigned n)
{
    size_t len = 0;

    (void) link;
    reply_large = r->large;
    for (unsigned i = 0; i < n; i++) {
        assert_true(len + parts[i].len < sizeof(reply));
        if (parts[i].len != 0) {
            memcpy(reply + len, parts[i].data, parts[i].len);
        }
        len += parts[i].len;
    }
    reply[len] = '\0';
    reply_inbox_id = inbox_id;
    n_replies++;
}

void
front_answer(struct session_link *link, const struct request *r,
             const struct front_answer *a, struct str text)
{
    (void) link;
    (void) r;
    (void) a;
    (void) text;
    fail();
}

void
front_reply_nothing(struct session_link *link, uint64_t number, uint64_t handle)
{
    (void) link;
    (void) number;
    (void) handle;
    reply[0] = '\0';
    n_replies++;
}

uint64_t
front_instance(struct session_link *link)
{
    (void) link;
    return 0xabc;
}

void
front_renewed(struct session_link *link, uint64_t handle,
              const struct token_claims *t)
{
    (void) link;
    (void) handle;
    renewed_until = t->expires_at;
}

int
front_verify(struct session_link *link, struct call *c, struct str token)
{
    (void) link;
    assert_true(str_eq(token, STR("T")));
    verifying = c;
    return 0;
}

static inline int
setup(void **state)
{
    struct session_open o = {.handle = HANDLE,
                             .user = STR("alice"),
                             .device = STR("web"),
                             .message_max = 2 << 20,
                             .heartbeat_s = 30};

    (void) state;
    n_ops = n_replies = n_ends = 0;
    uv_loop_init(&loop);
    worker = (struct worker){
        .loop = &loop, .json = json_create(), .rate = rate_create()};
    worker.sessions = sessions_create(&worker);
    session_link_init(&l);
    session_open(worker.sessions, &l, &o);
    return 0;
}

static inline int
teardown(void **state)
{
    (void) state;
    session_link_clear(worker.sessions, &l);
    sessions_free(worker.sessions);
    rate_free(worker.rate);
    json_free(worker.json);
    return uv_loop_close(&loop);
}

static inline struct origin
origin(void)
{
    struct session *s = session_find(&l, HANDLE);

    return (struct origin){
        .worker = &worker,
        .link = &l,
        .number = 0x10,
        .handle = HANDLE,
        .session = s,
        .user = STR("alice"),
        .device = STR("web"),
    };
}

static inline void
receive_from(struct origin o, const char *text)
{
    /* not a byte behind the text may be read */
    size_t len = strlen(text);
    char *copy = malloc(len == 0 ? 1 : len);

    memcpy(copy, text, len);
    reply[0] = '\0';
    method_receive(&o, (struct str){copy, len});
    free(copy);
}

static inline void
receive(const char *text)
{
    receive_from(origin(), text);
}

static inline void
result(const struct storage_result *r)
{
    storage_done *done = op_done;

    op_done = NULL;
    assert_non_null(done);
    done(r, op_data);
}

static inline void
result_json(const char *json)
{
    struct storage_result r = {
        .json = {json, strlen(json)}
    };

    result(&r);
}

/* The code and reason of the one reply, and its id as text. */
static inline void
refused(const char *text, int code, const char *reason, const char *id)
{
    char expected[128];
    unsigned before = n_replies;

    receive(text);
    assert_int_equal(n_replies, before + 1);
    snprintf(expected, sizeof(expected),
             "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,", id,
             code);
    assert_memory_equal(reply, expected, strlen(expected));
    snprintf(expected, sizeof(expected), "\"data\":{\"reason\":\"%s\"", reason);
    assert_non_null(strstr(reply, expected));
}

#define CALL(method, params)                                                   \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method                       \
    "\",\"params\":" params "}"

static inline void
bad_params(const char *text, const char *reason, const char *param)
{
    char expected[128];

    refused(text, -32602, reason, "1");
    snprintf(expected, sizeof(expected), "\"param\":\"%s\"", param);
    assert_non_null(strstr(reply, expected));
    assert_int_equal(n_ops, 0);
}

#define SEND                                                                   \
    CALL("message.send", "{\"to\":\"bob\",\"client_id\":\"c1\","               \
                         "\"text\":\"a\\u0000\\ud83d\\ude00\\/\"}")
#define SENT "{\"channel\":\"d\",\"message_id\":1,\"inbox_id\":6,\"sent_at\":1}"

static const struct storage_result sent = {
    .json = {SENT, sizeof(SENT) - 1},
      .inbox_id = 6
};

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
