/*
 * The methods that send and change messages: what they check, the JSON that is
 * stored, and which results stand in the sequence of a connection.
 */

#include "method_world.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_send_needs_one_target),
        TEST(a_send_becomes_the_stored_json),
        TEST(a_reply_and_mentions_are_part_of_the_json),
        TEST(changes_of_messages_become_operations),
        TEST(changes_of_messages_are_checked),
        TEST(a_first_try_stands_in_the_sequence),
        TEST(all_other_sends_stand_outside),
        TEST(a_replay_says_duplicate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
