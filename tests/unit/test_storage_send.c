/*
 * Users, and the messages they send each other, on each embedded back end:
 * what is answered, what is told, and what an outsider or a wrong argument
 * gets.
 */

#include "storage_steps.h"


static void
a_new_user_is_made_by_connecting(void **state)
{
    struct storage_op op = {.type = STORAGE_SUBSCRIBE, .user = s("ann")};
    uint64_t number;

    (void) state;
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    number = subscribe("ann")->number;
    assert_int_equal(number, 1);
    assert_int_equal(call(&op)->number, number);
    assert_int_equal(subscribe("bob")->number, 2);

    reopen();
    assert_int_equal(call(&op)->number, number);
    assert_int_equal(subscribe("cy")->number, 3);
}


static void
a_direct_message_reaches_both(void **state)
{
    struct answer *a;

    (void) state;
    subscribe("ann");
    subscribe("bob");
    a = do_send("ann", "bob", "c1");

    assert_int_equal(a->status, STORAGE_OK);
    assert_int_equal(a->inbox_id, 1);
    assert_in(a->json, "{\"channel\":\"d.ann~bob\",\"message_id\":1,"
                       "\"inbox_id\":1,\"sent_at\":");
    assert_int_equal(n_events, 1);
    assert_true(a->nth < events[0].nth);
    assert_int_equal(events[0].n_targets, 2);
    assert_int_equal(events[0].targets[1].inbox_id, 1);
    assert_in(events[0].tail, ",\"message\":{\"channel\":\"d.ann~bob\","
                              "\"message_id\":1,\"sender\":\"ann\","
                              "\"sent_at\":");
    assert_in(events[0].tail, ",\"client_id\":\"c1\",\"type\":\"text\","
                              "\"text\":\"c1\"}}}");

    a = do_send("bob", "ann", "c1");
    assert_in(a->json, "\"message_id\":2,\"inbox_id\":2");

    a = read_inbox("bob", 0, 10);
    assert_int_equal(a->n_entries, 2);
    assert_int_equal(a->first_id, 1);
    assert_int_equal(a->inbox_id, 2);
    assert_false(a->more);
    assert_memory_equal(a->entries, "1:1:", 4);
    assert_memory_equal(a->entries + 4, events[0].tail, strlen(events[0].tail));
    assert_int_equal(a->entries[4 + strlen(events[0].tail)], '\n');
}


static void
an_unsubscribed_user_gets_no_events(void **state)
{
    struct storage_op op = {.type = STORAGE_UNSUBSCRIBE};

    (void) state;
    op.number = subscribe("ann")->number;
    do_send("ann", "bob", "1");
    assert_int_equal(events[0].n_targets, 1);
    call(&op);
    do_send("ann", "bob", "2");
    assert_int_equal(n_events, 1);
}


static void
notes_to_oneself_have_one_member(void **state)
{
    struct answer *a;

    (void) state;
    subscribe("ann");
    a = do_send("ann", "ann", "1");
    assert_in(a->json, "\"channel\":\"d.ann~ann\",\"message_id\":1");
    assert_int_equal(events[0].n_targets, 1);
    a = on_channel(STORAGE_GET_CHANNEL, "ann", "d.ann~ann");
    assert_in(a->json, "\"members\":[{\"user\":\"ann\",\"role\":\"member\","
                       "\"delivered\":1,\"read\":1}],\"muted_until\":0}}");
}


static void
messages_survive_a_restart_without_gaps(void **state)
{
    struct answer *a;
    char id[16];
    unsigned i;

    (void) state;

    for (i = 1; i <= 60; i++) {
        snprintf(id, sizeof(id), "c%u", i);
        a = do_send(i % 2 ? "ann" : "bob", i % 2 ? "bob" : "ann", id);
        assert_int_equal(number_in(a->json, "message_id"), i);
        assert_int_equal(a->inbox_id, i);

        if (i % 20 == 0) {
            reopen();
        }
    }

    a = read_inbox("ann", 10, 30);
    assert_int_equal(a->n_entries, 30);
    assert_int_equal(a->first_id, 11);
    assert_true(a->more);
    assert_int_equal(read_inbox("ann", 60, 0)->n_entries, 0);
    assert_int_equal(read_inbox("ann", 61, 0)->status, STORAGE_AHEAD);
    assert_true(storage_sequence(storage) >= 60);
}


static void
a_stranger_learns_nothing(void **state)
{
    static const enum storage_op_type types[] = {
        STORAGE_SEND,         STORAGE_GET_MESSAGE,    STORAGE_HISTORY,
        STORAGE_GET_CHANNEL,  STORAGE_ADD_MEMBERS,    STORAGE_REMOVE_MEMBERS,
        STORAGE_LEAVE,        STORAGE_UPDATE_CHANNEL, STORAGE_HIDE_CHANNEL,
        STORAGE_READ_CHANNEL, STORAGE_GET_MESSAGE};
    const char *group;
    size_t i;

    (void) state;
    do_send("ann", "bob", "1");
    subscribe("eve");
    group = id_in(with_users(STORAGE_CREATE_CHANNEL, "ann", NULL, "bob"));

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_int_equal(on_channel(types[i], "eve", group)->status,
                         STORAGE_NO_CHANNEL);
        assert_int_equal(on_channel(types[i], "eve", "d.ann~bob")->status,
                         STORAGE_NO_CHANNEL);
        assert_int_equal(on_channel(types[i], "eve", "g.none")->status,
                         STORAGE_NO_CHANNEL);
        assert_int_equal(on_channel(types[i], "nobody", group)->status,
                         STORAGE_NO_CHANNEL);
    }

    /* Naming the channel does not open it, even for its two. */
    assert_int_equal(do_send("eve", "d.bob~eve", "2")->status,
                     STORAGE_NO_CHANNEL);
}


static void
bad_arguments_are_refused(void **state)
{
    struct storage_op op = {.type = STORAGE_SEND, .user = s("a~b")};
    char name[STORAGE_ID_MAX + 2];

    (void) state;
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';

    op.to = s("bob");
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.user = s("ann");
    op.to = s("b~b");
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.to = s(name);
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.to = s("");
    assert_int_equal(call(&op)->status, STORAGE_NO_CHANNEL);
    op.type = 99;
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
}


static void
unknown_users_may_be_refused(void **state)
{
    struct storage_op op = op_send("ann", "bob", "1", "x");
    struct str users[] = {STR("bob")};
    struct storage_op create = {.type = STORAGE_CREATE_CHANNEL,
                                .user = s("ann"),
                                .name = s("x"),
                                .users = users,
                                .n_users = 1,
                                .flags = STORAGE_REFUSE_UNKNOWN};

    (void) state;
    op.flags = STORAGE_REFUSE_UNKNOWN;
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    assert_int_equal(call(&create)->status, STORAGE_NO_USER);

    /* Mentioned is not connected. */
    do_send("ann", "bob", "2");
    assert_int_equal(call(&op)->status, STORAGE_NO_USER);
    op.to = s("ann");
    assert_int_equal(call(&op)->status, STORAGE_OK);

    subscribe("bob");
    reopen();
    op = op_send("ann", "bob", "3", "x");
    op.flags = STORAGE_REFUSE_UNKNOWN;
    assert_int_equal(call(&op)->status, STORAGE_OK);
    assert_int_equal(call(&create)->status, STORAGE_OK);
}


static void
closing_answers_everything(void **state)
{
    struct answer *a = NULL;
    unsigned i, done = 0;
    char id[16];

    (void) state;
    do_send("ann", "bob", "0");

    for (i = 1; i <= 50; i++) {
        snprintf(id, sizeof(id), "%u", i);
        a = start_send("ann", "bob", id);
    }

    reopen();
    assert_true(a->done);

    for (i = 0; i < n_answers; i++) {
        done += answers[i].status == STORAGE_OK;
    }

    assert_int_equal(read_inbox("bob", 0, 100)->n_entries, done);
}


static void
an_unusable_store_is_refused(void **state)
{
    struct storage_handlers handlers = {0};
    const char *error = NULL;
    uv_loop_t other;

    (void) state;
    uv_loop_init(&other);
    assert_null(storage_open(&other, "nothing:x", &handlers, &error));
    assert_non_null(error);
    error = NULL;
    assert_null(storage_open(&other, address, &handlers, &error));
    assert_non_null(error);
    uv_run(&other, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&other), 0);
}


static void
names_of_operations_and_events(void **state)
{
    (void) state;
    assert_string_equal(storage_op_name(STORAGE_SEND), "SEND");
    assert_string_equal(storage_op_name(250), "unknown");
    assert_true(storage_op_changes(STORAGE_SEND));
    assert_false(storage_op_changes(STORAGE_HISTORY));
    assert_true(str_eq(storage_event_head(STORAGE_EVENT_MESSAGE_NEW),
                       STR("{\"jsonrpc\":\"2.0\",\"method\":\"message.new\","
                           "\"params\":{\"inbox_id\":")));
    assert_true(str_eq(storage_event_sync_head(STORAGE_EVENT_CHANNEL_UPDATED),
                       STR("{\"method\":\"channel.updated\","
                           "\"params\":{\"inbox_id\":")));
    assert_true(str_eq(storage_event_head(STORAGE_EVENT_RECEIPT),
                       STR("{\"jsonrpc\":\"2.0\",\"method\":\"receipt\","
                           "\"params\":{")));
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_new_user_is_made_by_connecting),
        ON_BOTH(a_direct_message_reaches_both),
        ON_BOTH(an_unsubscribed_user_gets_no_events),
        ON_BOTH(notes_to_oneself_have_one_member),
        ON_BOTH(messages_survive_a_restart_without_gaps),
        ON_BOTH(a_stranger_learns_nothing),
        ON_BOTH(bad_arguments_are_refused),
        ON_BOTH(unknown_users_may_be_refused),
        ON_BOTH(closing_answers_everything),
        ON_BOTH(an_unusable_store_is_refused),
        cmocka_unit_test(names_of_operations_and_events),
    };

    return RUN_WORLDS("send", tests);
}
