/*
 * The methods on groups, invites, contacts, profiles, devices, presence and
 * tokens.
 */

#include "method_world.h"

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_group_has_100_with_its_creator),
        TEST(an_invite_ends_when_it_is_told),
        TEST(invites_are_checked),
        TEST(nobody_is_a_contact_of_himself),
        TEST(an_update_of_nothing_is_refused),
        TEST(a_removed_device_is_told_then_ended),
        TEST(ack_needs_a_device),
        TEST(what_a_connection_watches_is_let_go_once),
        TEST(renew_asks_nginx),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
