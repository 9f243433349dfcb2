/*
 * JSON-RPC from text to reply: method.c, call.c and the families.  Storage
 * and front are scripted: what is submitted is noted, what goes out is kept.
 */

#define _GNU_SOURCE /* memmem */

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
#include "front.h"
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

static void
keep(char *to, size_t size, struct str s)
{
    snprintf(to, size, "%.*s", (int) s.len, s.data == NULL ? "" : s.data);
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

struct str
storage_event_sync_head(enum storage_event_method method)
{
    (void) method;
    return STR("{\"method\":\"m\",\"params\":{\"inbox_id\":");
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
front_refuse(struct session_link *link, uint64_t id, unsigned status,
             unsigned retry_after, struct str reason, struct str detail)
{
    (void) link;
    (void) id;
    (void) status;
    (void) retry_after;
    (void) reason;
    (void) detail;
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
front_push(struct session_link *link, uint64_t handle, uint64_t inbox_id)
{
    (void) link;
    (void) handle;
    (void) inbox_id;
}

void
front_push_end(struct front *f, const struct storage_event *e)
{
    (void) f;
    (void) e;
}

void
front_page(struct session_link *link, uint64_t handle,
           const struct storage_entry *entries, uint32_t n)
{
    (void) link;
    (void) handle;
    (void) entries;
    (void) n;
}

bool
front_full(struct session_link *link)
{
    (void) link;
    return false;
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

void
front_request_begin(struct session_link *link, struct request *r)
{
    (void) link;
    (void) r;
}

void
front_request_end(struct session_link *link, struct request *r)
{
    (void) link;
    (void) r;
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

static int
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

static int
teardown(void **state)
{
    (void) state;
    session_link_clear(worker.sessions, &l);
    sessions_free(worker.sessions);
    rate_free(worker.rate);
    json_free(worker.json);
    return uv_loop_close(&loop);
}

static struct origin
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

static void
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

static void
receive(const char *text)
{
    receive_from(origin(), text);
}

static void
result(const struct storage_result *r)
{
    storage_done *done = op_done;

    op_done = NULL;
    assert_non_null(done);
    done(r, op_data);
}

static void
result_json(const char *json)
{
    struct storage_result r = {
        .json = {json, strlen(json)}
    };

    result(&r);
}

/* The code and reason of the one reply, and its id as text. */
static void
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

static void
bad_params(const char *text, const char *reason, const char *param)
{
    char expected[128];

    refused(text, -32602, reason, "1");
    snprintf(expected, sizeof(expected), "\"param\":\"%s\"", param);
    assert_non_null(strstr(reply, expected));
    assert_int_equal(n_ops, 0);
}

static void
ready_tells_user_device_and_limits(void **state)
{
    (void) state;
    assert_non_null(strstr(reply, "\"method\":\"session.ready\",\"params\":{"
                                  "\"user\":\"alice\",\"device\":\"web\","
                                  "\"session\":\""));
    assert_non_null(strstr(reply, ",\"inbox_id\":5,"
                                  "\"server_time\":1764000000123,"
                                  "\"heartbeat\":30,\"limits\":{"
                                  "\"text_chars\":100000,"
                                  "\"message_bytes\":2097152,"));
}

static void
ping_is_answered_at_once(void **state)
{
    (void) state;
    receive("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    assert_string_equal(reply, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
                               "{\"server_time\":1764000000123}}");
}

static void
ids_come_back_unchanged(void **state)
{
    static const char *const ids[] = {
        "1",    "-0",   "1.0",        "1e400", "9223372036854775808",
        "null", "\"\"", "\"x\\\"y\"",
    };
    char text[128], expected[64];

    (void) state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}", ids[i]);
        receive(text);
        snprintf(expected, sizeof(expected),
                 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":", ids[i]);
        assert_memory_equal(reply, expected, strlen(expected));
    }
    refused("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", -32600,
            "invalid_request", "null");
    refused("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}", -32600,
            "invalid_request", "null");
    refused("{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}", -32600,
            "invalid_request", "null");
    refused("{\"jsonrpc\":\"2.0\",\"id\":\"\\ud800\",\"method\":\"ping\"}",
            -32602, "bad_unicode", "null");
}

static void
what_is_no_request_is_told_so(void **state)
{
    (void) state;
    refused("", -32700, "parse_error", "null");
    refused("{", -32700, "parse_error", "null");
    refused("1", -32600, "invalid_request", "null");
    refused("{}", -32600, "invalid_request", "null");
    refused("{\"jsonrpc\":\"1.0\",\"id\":4,\"method\":\"ping\"}", -32600,
            "invalid_request", "4");
    refused("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":5}", -32600,
            "invalid_request", "4");
    refused("{\"jsonrpc\":\"2.0\",\"id\":4,\"id\":5,\"method\":\"ping\"}",
            -32600, "duplicate_key", "null");
    refused("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"pin\"}", -32601,
            "method_not_found", "4");
}

static void
too_deep_is_told_so(void **state)
{
    char text[256];
    size_t n = 0;

    (void) state;
    for (; n < 33; n++) {
        text[n] = '[';
    }
    for (; n < 66; n++) {
        text[n] = ']';
    }
    text[n] = '\0';
    refused(text, -32600, "too_deep", "null");
}

static void
notifications_are_never_answered(void **state)
{
    (void) state;
    receive("{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}");
    assert_string_equal(reply, "");
    receive("{\"jsonrpc\":\"2.0\",\"method\":\"none\"}");
    assert_string_equal(reply, "");
    receive("{\"jsonrpc\":\"2.0\",\"method\":\"message.send\",\"params\":{}}");
    assert_string_equal(reply, "");
    assert_int_equal(n_replies, 3);
}

static void
params_are_checked_by_the_table(void **state)
{
    (void) state;
    bad_params(CALL("message.get", "{\"message_id\":1}"), "missing", "channel");
    bad_params(CALL("message.get", "{\"channel\":\"c\",\"x\":1}"),
               "unknown_param", "x");
    bad_params(CALL("message.get", "{\"channel\":1,\"message_id\":1}"),
               "wrong_type", "channel");
    bad_params(CALL("message.get", "{\"channel\":\"\",\"message_id\":1}"),
               "out_of_range", "channel");
    bad_params(CALL("message.get", "{\"channel\":\"c\",\"message_id\":0}"),
               "out_of_range", "message_id");
    bad_params(CALL("message.get", "{\"channel\":\"c\",\"message_id\":1e400}"),
               "out_of_range", "message_id");
    bad_params(CALL("message.get",
                    "{\"channel\":\"c\",\"message_id\":9007199254740992}"),
               "out_of_range", "message_id");
    bad_params(CALL("message.get", "{\"channel\":\"c\",\"message_id\":\"1\"}"),
               "wrong_type", "message_id");
    bad_params(CALL("message.get", "{\"channel\":\"\\ude00\"}"), "bad_unicode",
               "channel");
    bad_params(CALL("inbox.sync", "{\"after\":0,\"limit\":1001}"),
               "out_of_range", "limit");
    bad_params(CALL("channel.role",
                    "{\"channel\":\"c\",\"user\":\"bob\",\"role\":\"king\"}"),
               "out_of_range", "role");
    bad_params(CALL("channel.add", "{\"channel\":\"c\",\"users\":[]}"),
               "out_of_range", "users");
    bad_params(CALL("channel.add", "{\"channel\":\"c\",\"users\":[1]}"),
               "wrong_type", "users");
    bad_params(CALL("channel.add", "{\"channel\":\"c\",\"users\":[\"a b\"]}"),
               "bad_user", "users");
    bad_params(CALL("channel.update", "{\"channel\":\"c\"}"), "missing",
               "name");
    bad_params(
        CALL("message.history", "{\"channel\":\"c\",\"before\":1,\"after\":0}"),
        "conflicting_params", "before");
    refused(CALL("message.get", "[\"c\",1]"), -32602, "wrong_type", "1");
}

static void
a_send_needs_one_target(void **state)
{
    (void) state;
    bad_params(CALL("message.send", "{\"client_id\":\"c\",\"text\":\"x\"}"),
               "missing", "to");
    bad_params(CALL("message.send", "{\"to\":\"bob\",\"channel\":\"c\","
                                    "\"client_id\":\"c\",\"text\":\"x\"}"),
               "conflicting_params", "to");
    bad_params(CALL("message.send", "{\"to\":\"bob\",\"text\":\"x\"}"),
               "missing", "client_id");
    bad_params(CALL("message.send", "{\"to\":\"bob\",\"client_id\":\"c\","
                                    "\"type\":\"image\",\"text\":\"x\"}"),
               "out_of_range", "type");
    bad_params(CALL("message.send", "{\"to\":\"bob\",\"client_id\":\"c\","
                                    "\"text\":\"\"}"),
               "out_of_range", "text");
    bad_params(CALL("message.send", "{\"to\":\"b\\u0000\",\"client_id\":\"c\","
                                    "\"text\":\"x\"}"),
               "bad_user", "to");
}

#define SEND                                                                   \
    CALL("message.send", "{\"to\":\"bob\",\"client_id\":\"c1\","               \
                         "\"text\":\"a\\u0000\\ud83d\\ude00\\/\"}")
#define SENT "{\"channel\":\"d\",\"message_id\":1,\"inbox_id\":6,\"sent_at\":1}"

static const struct storage_result sent = {
    .json = {SENT, sizeof(SENT) - 1},
      .inbox_id = 6
};

static void
a_send_becomes_the_stored_json(void **state)
{
    (void) state;
    receive(SEND);
    assert_int_equal(op.type, STORAGE_SEND);
    assert_string_equal(op_client_id, "c1");
    assert_string_equal(op_request_id, "");
    assert_string_equal(op_text, "\"client_id\":\"c1\",\"type\":\"text\","
                                 "\"text\":\"a\\u0000\xf0\x9f\x98\x80/\"}");
    assert_int_equal(n_replies, 0);
    result(&sent);
    assert_string_equal(reply,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" SENT "}");
}

static void
a_reply_and_mentions_are_part_of_the_json(void **state)
{
    char text[4000] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                      "\"message.send\",\"params\":{\"to\":\"bob\","
                      "\"client_id\":\"c1\",\"text\":\"x\",\"mentions\":[";

    (void) state;
    receive(CALL("message.send",
                 "{\"to\":\"bob\",\"client_id\":\"c1\",\"text\":\"x\","
                 "\"mentions\":[\"bob\",\"a.b\"],\"reply_to\":7}"));
    assert_string_equal(op_text, "\"client_id\":\"c1\",\"type\":\"text\","
                                 "\"text\":\"x\",\"reply_to\":7,"
                                 "\"mentions\":[\"bob\",\"a.b\"]}");
    assert_int_equal(op.message_id, 7);
    assert_int_equal(op.n_users, 0);
    result(&sent);
    receive(CALL("message.send", "{\"to\":\"bob\",\"client_id\":\"c1\","
                                 "\"text\":\"x\",\"mentions\":[]}"));
    assert_string_equal(op_text, "\"client_id\":\"c1\",\"type\":\"text\","
                                 "\"text\":\"x\",\"mentions\":[]}");
    result(&sent);
    n_ops = 0;

    for (unsigned i = 0; i <= 100; i++) {
        strcat(text, i == 0 ? "\"u\"" : ",\"u\"");
    }

    strcat(text, "]}}");
    bad_params(text, "out_of_range", "mentions");
    bad_params(CALL("message.send",
                    "{\"to\":\"bob\",\"client_id\":\"c1\",\"text\":\"x\","
                    "\"mentions\":[\"a b\"]}"),
               "bad_user", "mentions");
    bad_params(CALL("message.send",
                    "{\"to\":\"bob\",\"client_id\":\"c1\",\"text\":\"x\","
                    "\"mentions\":\"bob\"}"),
               "wrong_type", "mentions");
    bad_params(CALL("message.send",
                    "{\"to\":\"bob\",\"client_id\":\"c1\",\"text\":\"x\","
                    "\"reply_to\":0}"),
               "out_of_range", "reply_to");
}

static void
changes_of_messages_become_operations(void **state)
{
    (void) state;
    receive(CALL("message.edit", "{\"channel\":\"c\",\"message_id\":3,"
                                 "\"text\":\"a\\\"b\"}"));
    assert_int_equal(op.type, STORAGE_EDIT_MESSAGE);
    assert_int_equal(op.message_id, 3);
    assert_string_equal(op_text, "\"a\\\"b\"");
    assert_string_equal(op_request_id, "0000000000000abc-10-0");
    result_json("{\"message\":{}}");
    assert_string_equal(reply, "{\"jsonrpc\":\"2.0\",\"id\":1,"
                               "\"result\":{\"message\":{}}}");
    assert_int_equal(reply_inbox_id, 0);

    receive(CALL("message.delete", "{\"channel\":\"c\",\"message_id\":3,"
                                   "\"client_id\":\"d1\"}"));
    assert_int_equal(op.type, STORAGE_DELETE_MESSAGE);
    assert_string_equal(op_client_id, "d1");
    result_json("{}");

    receive(CALL("message.react", "{\"channel\":\"c\",\"message_id\":3,"
                                  "\"emoji\":\"+\",\"remove\":true}"));
    assert_int_equal(op.type, STORAGE_REACT);
    assert_int_equal(op.name.len, 1);
    assert_int_equal(op.number, 1);
    result_json("{}");
    receive(CALL("message.react", "{\"channel\":\"c\",\"message_id\":3,"
                                  "\"emoji\":\"+\",\"remove\":false}"));
    assert_int_equal(op.number, 0);
    result_json("{}");

    receive(CALL("channel.mute", "{\"channel\":\"c\",\"until\":null}"));
    assert_int_equal(op.type, STORAGE_MUTE_CHANNEL);
    assert_true(op.number == STORAGE_MUTE_FOREVER);
    result_json("{}");
    receive(CALL("channel.mute", "{\"channel\":\"c\",\"until\":0}"));
    assert_int_equal(op.number, 0);
    result_json("{}");

    reply[0] = '\0';
    receive("{\"jsonrpc\":\"2.0\",\"method\":\"typing\",\"params\":"
            "{\"channel\":\"c\"}}");
    assert_int_equal(op.type, STORAGE_TYPING);
    assert_string_equal(op_request_id, "");
    result(&(struct storage_result){.status = STORAGE_NO_CHANNEL});
    assert_string_equal(reply, "");
}

static void
changes_of_messages_are_checked(void **state)
{
    (void) state;
    bad_params(CALL("message.edit", "{\"channel\":\"c\",\"message_id\":1}"),
               "missing", "text");
    bad_params(CALL("message.edit", "{\"channel\":\"c\",\"message_id\":1,"
                                    "\"text\":\"\"}"),
               "out_of_range", "text");
    bad_params(CALL("message.edit", "{\"channel\":\"c\",\"message_id\":0,"
                                    "\"text\":\"x\"}"),
               "out_of_range", "message_id");
    bad_params(CALL("message.delete", "{\"channel\":\"c\"}"), "missing",
               "message_id");
    bad_params(CALL("message.react", "{\"channel\":\"c\",\"message_id\":1,"
                                     "\"emoji\":\"\"}"),
               "out_of_range", "emoji");
    bad_params(CALL("message.react",
                    "{\"channel\":\"c\",\"message_id\":1,"
                    "\"emoji\":\"123456789012345678901234567890123\"}"),
               "out_of_range", "emoji");
    bad_params(CALL("message.react", "{\"channel\":\"c\",\"message_id\":1,"
                                     "\"emoji\":\"+\",\"remove\":1}"),
               "wrong_type", "remove");
    bad_params(CALL("message.react", "{\"channel\":\"c\",\"message_id\":1,"
                                     "\"emoji\":\"\\ud800\"}"),
               "bad_unicode", "emoji");
    bad_params(CALL("channel.mute", "{\"channel\":\"c\"}"), "missing", "until");
    bad_params(CALL("channel.mute", "{\"channel\":\"c\",\"until\":-1}"),
               "out_of_range", "until");
    bad_params(CALL("channel.mute", "{\"channel\":\"c\",\"until\":\"x\"}"),
               "wrong_type", "until");
    bad_params(CALL("typing", "{}"), "missing", "channel");
}

/* A call that the storage is at work on. */
struct work {
    storage_done *done;
    void *data;
};

static struct work
work(const char *text)
{
    unsigned before = n_ops;

    receive(text);
    assert_int_equal(n_ops, before + 1);
    return (struct work){op_done, op_data};
}

static void
finish(struct work w, size_t len)
{
    struct storage_result r = {0};
    char *json = malloc(len);

    memset(json, 'x', len);
    r.json = (struct str){json, len};
    w.done(&r, w.data);
    free(json);
}

#define HISTORY(id)                                                            \
    "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"message.history\","      \
    "\"params\":{\"channel\":\"c" #id "\",\"before\":7,\"limit\":3}}"
#define LARGE_ANSWER 100000

static void
waits(const char *text)
{
    unsigned ops = n_ops, replies = n_replies;

    receive(text);
    assert_int_equal(n_ops, ops);
    assert_int_equal(n_replies, replies);
}

static void
two_requests_for_pages_are_on_their_way(void **state)
{
    struct session *s = session_find(&l, HANDLE);
    struct work first, second, third, change, send;

    (void) state;
    first = work(HISTORY(1));
    second = work(HISTORY(2));
    waits(HISTORY(3));
    waits(HISTORY(4));

    /* what asks for no pages goes ahead */
    change =
        work(CALL("message.delete", "{\"channel\":\"c\",\"message_id\":1}"));
    send = work(SEND);

    /* a small answer makes room, a large one when it is written */
    finish(second, 10);
    assert_false(reply_large);
    assert_string_equal(op_channel, "c3");
    assert_int_equal(op.type, STORAGE_HISTORY);
    assert_int_equal(op.before, 7);
    assert_int_equal(op.limit, 3);
    third = (struct work){op_done, op_data};
    n_ops = 0;
    finish(first, LARGE_ANSWER);
    assert_true(reply_large);
    finish(third, LARGE_ANSWER);
    assert_int_equal(n_ops, 0);
    pages_drained(s, 1);
    assert_string_equal(op_channel, "c4");
    assert_int_equal(n_ops, 1);
    result_json("{}");
    pages_drained(s, 1);
    pages_drained(s, 7);
    first = work(HISTORY(5));
    second = work(HISTORY(6));
    waits(HISTORY(7));

    finish(first, 10);
    third = (struct work){op_done, op_data};
    finish(second, 10);
    finish(third, 10);
    finish(change, 10);
    finish(send, 10);
}

static void
a_batch_of_pages_is_by_itself(void **state)
{
    struct session *s = session_find(&l, HANDLE);
    struct work first, one, two;

    (void) state;
    first = work(HISTORY(1));
    waits("[" HISTORY(2) "," HISTORY(3) "]");
    waits(HISTORY(4));
    n_replies = n_ops = 0;
    finish(first, LARGE_ANSWER);
    assert_int_equal(n_ops, 0);
    pages_drained(s, 1);
    assert_int_equal(n_ops, 2); /* both of the batch, and nothing else */
    assert_string_equal(op_channel, "c3");
    one = (struct work){op_done, op_data_before};
    two = (struct work){op_done, op_data};
    n_ops = 0;
    finish(two, LARGE_ANSWER);
    assert_int_equal(n_replies, 1); /* that of the first */
    finish(one, 10);
    assert_int_equal(n_replies, 2);
    assert_true(reply_large);
    assert_int_equal(n_ops, 0);
    pages_drained(s, 1);
    assert_string_equal(op_channel, "c4");
    one = (struct work){op_done, op_data};
    two = work(HISTORY(5));
    waits(HISTORY(6));
    finish(one, 10);
    one = (struct work){op_done, op_data};
    finish(two, 10);
    finish(one, 10);
}

static void
what_waits_has_failed_when_its_session_goes(void **state)
{
    struct session *s = session_find(&l, HANDLE);
    struct work first, second;

    (void) state;
    first = work(HISTORY(1));
    second = work(HISTORY(2));
    waits(HISTORY(3));
    waits("[" HISTORY(4) "," HISTORY(5) "]");
    n_replies = 0;
    session_close(worker.sessions, s);
    assert_int_equal(n_replies, 2);
    assert_non_null(strstr(reply, "\"reason\":\"unavailable\""));
    finish(first, LARGE_ANSWER);
    finish(second, 10);
    assert_int_equal(n_replies, 4);
}

static void
an_invite_ends_when_it_is_told(void **state)
{
    (void) state;
    receive(CALL("invite.create", "{\"channel\":\"c\",\"lifetime\":60}"));
    assert_int_equal(op.type, STORAGE_CREATE_INVITE);
    assert_int_equal(op.before, 1764000060123);
    assert_int_equal(op.after, 0);
    assert_int_equal(op.number, 0);
    result_json("{}");
    receive(CALL("invite.create", "{\"channel\":\"c\",\"max_uses\":3,"
                                  "\"expires_at\":1764000000124}"));
    assert_int_equal(op.before, 1764000000124);
    assert_int_equal(op.number, 3);
    result_json("{}");
    receive(CALL("invite.create", "{\"channel\":\"c\"}"));
    assert_int_equal(op.before, 0);
    result_json("{}");
}

static void
invites_are_checked(void **state)
{
    (void) state;
    bad_params(CALL("invite.create", "{\"channel\":\"c\","
                                     "\"expires_at\":1764000000123}"),
               "out_of_range", "expires_at");
    bad_params(CALL("invite.create", "{\"channel\":\"c\",\"lifetime\":1,"
                                     "\"expires_at\":1764000000124}"),
               "conflicting_params", "expires_at");
    bad_params(CALL("invite.create", "{\"channel\":\"c\",\"lifetime\":0}"),
               "out_of_range", "lifetime");
    bad_params(
        CALL("invite.create", "{\"channel\":\"c\",\"max_uses\":1000001}"),
        "out_of_range", "max_uses");
    bad_params(CALL("invite.join", "{}"), "missing", "invite");
}

static void
a_first_try_stands_in_the_sequence(void **state)
{
    (void) state;
    receive(SEND);
    result(&sent);
    assert_int_equal(reply_inbox_id, 6);
    assert_int_equal(session_find(&l, HANDLE)->cursor, 6);
}

static void
all_other_sends_stand_outside(void **state)
{
    struct storage_result again = sent;
    struct origin o = origin();

    (void) state;
    again.duplicate = true;
    receive(SEND);
    result(&again);
    assert_int_equal(reply_inbox_id, 0);

    receive("[" SEND "]");
    result(&sent);
    assert_int_equal(reply_inbox_id, 0);

    receive("{\"jsonrpc\":\"2.0\",\"method\":\"message.send\",\"params\":"
            "{\"to\":\"bob\",\"client_id\":\"c\",\"text\":\"x\"}}");
    result(&sent);
    assert_string_equal(reply, "");
    assert_int_equal(reply_inbox_id, 0);

    o.handle = 0;
    o.session = NULL;
    receive_from(o, SEND);
    result(&sent);
    assert_int_equal(reply_inbox_id, 0);
    assert_int_equal(session_find(&l, HANDLE)->cursor, 5);
}

static void
a_replay_says_duplicate(void **state)
{
    struct origin o = origin();

    (void) state;
    o.replays = 1;
    receive_from(o, SEND);
    assert_true(op.flags & STORAGE_REPLAYED);
    result(&sent);
    assert_int_equal(reply_inbox_id, 0);
    assert_non_null(strstr(reply, ",\"sent_at\":1,\"duplicate\":true}}"));
}

static void
what_changes_without_client_id_gets_a_request_id(void **state)
{
    (void) state;
    receive("[" CALL("ping", "{}") "," CALL("channel.leave",
                                            "{\"channel\":\"c\"}") "]");
    assert_string_equal(op_request_id, "0000000000000abc-10-1");
    result_json("{}");
    receive(CALL("channel.get", "{\"channel\":\"c\"}"));
    assert_string_equal(op_request_id, "");
    result_json("{}");
}

static void
a_batch_is_answered_whole_in_order(void **state)
{
    (void) state;
    receive("[" CALL(
        "channel.get",
        "{\"channel\":\"c\"}") ",1,"
                               "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"},"
                               "{\"jsonrpc\":\"2.0\",\"id\":\"z\",\"method\":"
                               "\"none\"}]");
    assert_int_equal(n_replies, 0);
    result_json("{\"a\":1}");
    assert_int_equal(n_replies, 1);
    assert_ptr_equal(strstr(reply,
                            "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
                            "{\"a\":1}},{\"jsonrpc\":\"2.0\",\"id\":null,"
                            "\"error\":"),
                     reply);
    assert_non_null(strstr(reply, "},{\"jsonrpc\":\"2.0\",\"id\":\"z\","));

    receive("[{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}]");
    assert_string_equal(reply, "");
    assert_int_equal(n_replies, 2);
    refused("[]", -32600, "bad_batch", "null");
}

static void
a_batch_of_65_is_refused_as_one(void **state)
{
    char text[1024] = "[";

    (void) state;
    for (unsigned i = 0; i < 65; i++) {
        strcat(text, i == 0 ? "1" : ",1");
    }
    strcat(text, "]");
    refused(text, -32600, "bad_batch", "null");
}

static void
nobody_is_a_contact_of_himself(void **state)
{
    (void) state;
    refused(CALL("contact.request", "{\"user\":\"alice\"}"), -32602, "oneself",
            "1");
    refused(CALL("contact.block", "{\"user\":\"a/b\"}"), -32602, "bad_user",
            "1");
    assert_int_equal(n_ops, 0);
    receive(CALL("contact.request", "{\"user\":\"bob\"}"));
    assert_int_equal(op.type, STORAGE_REQUEST_CONTACT);
    assert_int_equal(op.to.len, 3);
    assert_true(op_request_id[0] != '\0');
    result_json("{}");
    receive(CALL("contact.list", "{}"));
    assert_int_equal(op.limit, STORAGE_CONTACTS_MAX);
    result_json("{}");
}

static void
an_update_of_nothing_is_refused(void **state)
{
    (void) state;
    refused(CALL("user.update", "{}"), -32602, "missing", "1");
    receive(CALL("user.update", "{\"status\":\"\"}"));
    assert_non_null(op.text.data);
    assert_null(op.name.data);
    assert_null(op.avatar.data);
    result_json("{}");
}

static void
a_removed_device_is_told_then_ended(void **state)
{
    (void) state;
    receive(CALL("device.remove", "{\"device\":\"phone\"}"));
    result_json("{}");
    assert_int_equal(n_ends, 0);
    receive(CALL("device.remove", "{\"device\":\"web\"}"));
    assert_int_equal(n_ends, 0);
    result_json("{}");
    assert_string_equal(reply, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    assert_int_equal(n_ends, 1);
    assert_string_equal(end_reason, "device_removed");
}

static void
what_a_connection_watches_is_let_go_once(void **state)
{
    struct session_open other = {.handle = HANDLE + 1, .user = STR("alice")};
    struct origin http = origin();
    struct origin second;

    (void) state;
    http.session = NULL;
    receive_from(http, CALL("presence.watch", "{\"users\":[\"bob\"]}"));
    assert_non_null(strstr(reply, "websocket_only"));

    receive(CALL("presence.watch", "{\"users\":[\"bob\",\"bob\",\"eve\"]}"));
    assert_int_equal(op.type, STORAGE_PRESENCE_WATCH);
    result_json("{}");
    session_open(worker.sessions, &l, &other);
    second = origin();
    second.handle = HANDLE + 1;
    second.session = session_find(&l, HANDLE + 1);
    receive_from(second, CALL("presence.watch", "{\"users\":[\"bob\"]}"));
    result_json("{}");

    /* the other one still watches him */
    n_ops = 0;
    receive(CALL("presence.unwatch", "{\"users\":[\"bob\",\"nobody\"]}"));
    assert_int_equal(n_ops, 1);
    assert_int_equal(op.type, STORAGE_PRESENCE_GET);
    result_json("{}");
    session_close(worker.sessions, second.session);
    assert_int_equal(n_ops, 2);
    assert_int_equal(op.type, STORAGE_PRESENCE_UNWATCH);
    assert_int_equal(op.n_users, 1);
}

static void
storage_errors_have_their_codes(void **state)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {STORAGE_UNAVAILABLE,    "503,"   },
        {STORAGE_NO_USER,        "404,"   },
        {STORAGE_NO_CHANNEL,     "404,"   },
        {STORAGE_NO_MESSAGE,     "404,"   },
        {STORAGE_FORBIDDEN,      "403,"   },
        {STORAGE_NOT_GROUP,      "403,"   },
        {STORAGE_GROUP_FULL,     "409,"   },
        {STORAGE_AHEAD,          "409,"   },
        {STORAGE_BEYOND,         "-32602,"},
        {STORAGE_NOT_MEMBER,     "404,"   },
        {STORAGE_EXHAUSTED,      "503,"   },
        {STORAGE_DELETED,        "410,"   },
        {STORAGE_REACTIONS_FULL, "409,"   },
        {STORAGE_REVISIONS_FULL, "409,"   },
        {15,                     "-32603,"},
        {99,                     "-32603,"},
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct storage_result r = {.status = cases[i].status};
        char expected[64];

        receive(CALL("channel.get", "{\"channel\":\"c\"}"));
        result(&r);
        snprintf(expected, sizeof(expected), "\"error\":{\"code\":%s",
                 cases[i].text);
        assert_non_null(strstr(reply, expected));
    }
}

static void
sync_lists_events_as_they_are_pushed(void **state)
{
    struct storage_entry e[] = {
        {3, STORAGE_EVENT_MESSAGE_NEW, STR(",A}}")},
        {4, STORAGE_EVENT_MESSAGE_NEW, STR(",B}}")}
    };
    struct storage_result r = {
        .entries = e, .n_entries = 2, .more = true, .inbox_id = 9};

    (void) state;
    receive(CALL("inbox.sync", "{\"after\":2,\"limit\":2}"));
    assert_int_equal(op.after, 2);
    assert_int_equal(op.limit, 2);
    result(&r);
    assert_string_equal(reply,
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"events\":["
                        "{\"method\":\"m\",\"params\":{\"inbox_id\":3,A}},"
                        "{\"method\":\"m\",\"params\":{\"inbox_id\":4,B}}],"
                        "\"more\":true,\"inbox_id\":9}}");
}

static void
ack_needs_a_device(void **state)
{
    struct origin o = origin();

    (void) state;
    receive(CALL("inbox.ack", "{\"inbox_id\":3}"));
    assert_true(str_eq(op.device, STR("web")));
    result_json("{}");
    o.device = STR("");
    receive_from(o, CALL("inbox.ack", "{\"inbox_id\":3}"));
    assert_non_null(strstr(reply, "\"reason\":\"device_required\""));
}

static void
a_group_has_100_with_its_creator(void **state)
{
    char text[2048] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
                      "\"channel.create\",\"params\":{\"name\":\"g\","
                      "\"members\":[\"alice\"";
    size_t full;

    (void) state;
    for (unsigned i = 1; i < 100; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ",\"u%u\"",
                 i);
    }
    full = strlen(text);
    strcat(text, "]}}");
    receive(text);
    assert_int_equal(op.n_users, 100);
    result_json("{}");

    strcpy(text + full, ",\"more\"]}}");
    refused(text, -32602, "too_many_members", "1");

    memcpy(strstr(text, "\"alice\""), "\"alicf\"", 7);
    strcpy(text + full, "]}}");
    refused(text, -32602, "too_many_members", "1");
}

static void
renew_asks_nginx(void **state)
{
    struct account_token t = {
        .good = true,
        .claims = {.user = STR("alice"),
                   .device = STR("web"),
                   .jti = STR("other"),
                   .issued_at = 1700000000,
                   .expires_at = 1800000000}
    };
    struct origin o = origin();

    (void) state;
    receive(CALL("session.renew", "{\"token\":\"T\"}"));
    account_verified(verifying, &t);
    assert_non_null(strstr(reply, "{\"expires_at\":1800000000000}"));
    assert_int_equal(renewed_until, 1800000000);
    assert_true(str_eq(session_jti(o.session), STR("other")));

    /* one that has ended is none, and the connection keeps what it has */
    t.claims.jti = STR("ended");
    t.claims.expires_at = 1900000000;
    touch_status = STORAGE_TOKEN_ENDED;
    receive(CALL("session.renew", "{\"token\":\"T\"}"));
    account_verified(verifying, &t);
    assert_non_null(strstr(reply, "\"reason\":\"token_ended\""));
    assert_int_equal(renewed_until, 1800000000);
    assert_true(str_eq(session_jti(o.session), STR("other")));
    touch_status = STORAGE_OK;

    t.claims.user = STR("bob");
    receive(CALL("session.renew", "{\"token\":\"T\"}"));
    account_verified(verifying, &t);
    assert_non_null(strstr(reply, "\"code\":401,"));

    o.handle = 0;
    o.session = NULL;
    receive_from(o, CALL("session.renew", "{\"token\":\"T\"}"));
    assert_non_null(strstr(reply, "\"code\":403,"));
}

static void
the_rate_limits_then_ends(void **state)
{
    struct origin o = origin();

    (void) state;
    o.rate = 1000;
    o.burst = 2;
    receive_from(o, "[" CALL("ping", "{}") "," CALL("ping", "{}") "," CALL(
                        "ping", "{}") "]");
    assert_non_null(strstr(reply, "\"code\":429,"));
    assert_non_null(strstr(reply, "\"retry_after\":1}"));
    assert_int_equal(n_ends, 0);
    receive_from(o, CALL("ping", "{}"));
    assert_int_equal(n_ends, 1);
    assert_string_equal(end_reason, "rate_limited");
    assert_int_equal(n_replies, 2);
    assert_string_equal(reply, "");

    /* what is sent again after a restart was counted before */
    o.replays = 1;
    receive_from(o, CALL("ping", "{}"));
    assert_int_equal(n_ends, 1);
    assert_non_null(strstr(reply, "\"result\""));
}

static void
a_link_that_ended_is_answered_into_the_void(void **state)
{
    struct call *c;

    (void) state;
    receive(CALL("channel.get", "{\"channel\":\"c\"}"));
    c = op_data;
    c->request->link = NULL;
    result_json("{}");
    assert_int_equal(n_replies, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ready_tells_user_device_and_limits),
        TEST(ping_is_answered_at_once),
        TEST(ids_come_back_unchanged),
        TEST(what_is_no_request_is_told_so),
        TEST(too_deep_is_told_so),
        TEST(notifications_are_never_answered),
        TEST(params_are_checked_by_the_table),
        TEST(a_send_needs_one_target),
        TEST(a_send_becomes_the_stored_json),
        TEST(a_reply_and_mentions_are_part_of_the_json),
        TEST(changes_of_messages_become_operations),
        TEST(changes_of_messages_are_checked),
        TEST(two_requests_for_pages_are_on_their_way),
        TEST(a_batch_of_pages_is_by_itself),
        TEST(what_waits_has_failed_when_its_session_goes),
        TEST(an_invite_ends_when_it_is_told),
        TEST(invites_are_checked),
        TEST(a_first_try_stands_in_the_sequence),
        TEST(all_other_sends_stand_outside),
        TEST(a_replay_says_duplicate),
        TEST(what_changes_without_client_id_gets_a_request_id),
        TEST(a_batch_is_answered_whole_in_order),
        TEST(a_batch_of_65_is_refused_as_one),
        TEST(nobody_is_a_contact_of_himself),
        TEST(an_update_of_nothing_is_refused),
        TEST(a_removed_device_is_told_then_ended),
        TEST(what_a_connection_watches_is_let_go_once),
        TEST(storage_errors_have_their_codes),
        TEST(sync_lists_events_as_they_are_pushed),
        TEST(ack_needs_a_device),
        TEST(a_group_has_100_with_its_creator),
        TEST(renew_asks_nginx),
        TEST(the_rate_limits_then_ends),
        TEST(a_link_that_ended_is_answered_into_the_void),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
