/*
 * JSON-RPC as such: requests, their ids and params, batches, errors, and how
 * many a connection may make.
 */

#include "method_world.h"

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
        TEST(what_changes_without_client_id_gets_a_request_id),
        TEST(a_batch_is_answered_whole_in_order),
        TEST(a_batch_of_65_is_refused_as_one),
        TEST(storage_errors_have_their_codes),
        TEST(the_rate_limits_then_ends),
        TEST(a_link_that_ended_is_answered_into_the_void),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
