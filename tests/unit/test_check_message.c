/*
 * `chatd check` on messages: their senders, times and texts, what edits and
 * deletions leave, and the outcomes that client_ids remember.
 */

#include "check_world.h"


static void
time_that_goes_back(void **state)
{
    (void) state;
    put_message_at(DIRECT, 2, BOB, 1000);
    finds_only("DEFECT: 1 messages that are older", "M 1 2: sent at 1000");
}


static void
a_message_by_nobody_and_in_no_channel(void **state)
{
    (void) state;
    put_message(DIRECT, 2, 60);
    assert_int_equal(run_check(), 1);
    check_says("M 1 2: sent by 60, who is nobody");

    /* and it is in nobody's inbox */
    check_says("of its sender 60, who has left");
}


static void
a_text_of_another_message(void **state)
{
    struct key k;

    (void) state;
    record_put_message_head(&value, BOB, 1002);
    record_put_message_json(&value, text(ids[DIRECT]), 3, STR("bob"), 1002);
    buf_put_lit(&value, "\"client_id\":\"c\"}");
    key_message(&k, DIRECT, 2);
    put(&k);
    finds_only("DEFECT: 1 texts", "M 1 2: the text is not");
}


static void
texts_that_are_cut(void **state)
{
    static const char *const ends[] = {
        "\"text\":\"a\"",    "\"text\":\"a}",         "\"text\":\"a\"}}",
        "\"text\":[\"a\"}]", "\"text\":[[[\"\\\\\"}", "\"text\":\"\\\"}"};
    struct key k;

    (void) state;

    for (uint64_t i = 0; i < 6; i++) {
        uint64_t id = 4 + i;

        record_put_message_head(&value, BOB, 2000);
        record_put_message_json(&value, text(ids[DIRECT]), id, STR("bob"),
                                2000);
        buf_put_str(&value, text(ends[i]));
        key_message(&k, DIRECT, id);
        put(&k);
        put_inbox(ALICE, 9 + i, NEW, DIRECT, id);
        put_inbox(BOB, 9 + i, NEW, DIRECT, id);
    }

    put_event(GROUP, 4, ",\"channel\":{}}");
    put_event(GROUP, 5, ",\"message\":{}}}");
    finds_only("DEFECT: 8 texts", "M 1 9: the text is not");
    check_says("E 2 4: the text is not that of an event");
    check_says("E 2 5: the text is not that of an event");
}


static void
outcomes_of_another_message(void **state)
{
    (void) state;
    put_send(ALICE, 1, 1, 1002); /* another time     */
    put_send(BOB, 1, 1, 1001);   /* another sender   */
    put_send(CAROL, 9, 1, 1001); /* no such message  */
    finds_only("DEFECT: 3 outcomes",
               "D 20000 2 c1: there is no such message 1 in channel 1");
}


static void
an_outcome_with_another_inbox_id(void **state)
{
    (void) state;
    put_send(ALICE, 1, 4, 1001);
    finds_only("DEFECT: 1 outcomes",
               "inbox entry 4 of user 1 is not message 1 of channel 1");
}


static void
changed_messages_are_sound(void **state)
{
    struct key k;

    (void) state;
    put_changed(DIRECT, 1, ALICE, 2, false);
    put_changed(DIRECT, 2, BOB, 1, true);
    record_put_u32(&value, 1);
    key_erased(&k, DIRECT, 2);
    put(&k);
    put_event(DIRECT, 1, ",\"channel\":\"d\",\"removed\":true}}");
    put_inbox_rev(ALICE, 9, EDI, DIRECT, 1, 2);
    put_inbox_rev(ALICE, 10, EDI, DIRECT, 2, 1);
    put_inbox_rev(ALICE, 11, DEL, DIRECT, 2, 1);
    put_inbox_rev(ALICE, 12, REA, DIRECT, 1, 0);
    record_put_outcome(&value,
                       &(struct record_outcome){.kind = RECORD_OUTCOME_MESSAGE,
                                                .channel = DIRECT,
                                                .message_id = 1,
                                                .rev = 1});
    key_client(&k, DAY, ALICE, STR("e1"));
    put(&k);

    if (run_check() != 0) {
        fail_msg("%s", output);
    }

    check_says("revisions      3\n");
}


static void
revisions_that_do_not_agree(void **state)
{
    struct key k;

    (void) state;
    put_changed(DIRECT, 1, ALICE, 2, false);
    key_revision(&k, DIRECT, 1, 1);
    drop(&k);
    record_put_revision(&value, STR("{}"));
    key_revision(&k, DIRECT, 2, 0); /* of one never edited */
    put(&k);
    record_put_u32(&value, 0);
    key_erased(&k, DIRECT, 3); /* of one not deleted */
    put(&k);
    finds_only("DEFECT: 3 revisions and messages",
               "M 1 1: revision 1 is not there");
    check_says("R 1 2: revision 0 of a message without");
    check_says("x 1 3: the message was not deleted so");
}


static void
entries_and_outcomes_of_no_revision(void **state)
{
    struct key k;

    (void) state;
    put_inbox_rev(ALICE, 9, EDI, DIRECT, 1, 1);
    put_inbox_rev(ALICE, 10, DEL, DIRECT, 1, 0);
    put_inbox_rev(ALICE, 11, REA, DIRECT, 1, 0);
    record_put_outcome(&value,
                       &(struct record_outcome){.kind = RECORD_OUTCOME_MESSAGE,
                                                .channel = DIRECT,
                                                .message_id = 9});
    key_client(&k, DAY, ALICE, STR("e1"));
    put(&k);
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 3 inbox entries that refer to nothing");
    check_says("I 1 9: message 1 of channel 1 has no revision 1");
    check_says("I 1 11: there is no event 1 in channel 1");
    check_says("D 20000 1 e1: there is no such message 9 in channel 1");
}


static void
client_ids_in_one_record(void **state)
{
    struct record_outcome o = {
        .kind = RECORD_OUTCOME_MESSAGE, .channel = DIRECT, .message_id = 1};
    struct key k;

    (void) state;
    record_put_client(&value, STR("r1"), &o);
    o.message_id = 9;
    record_put_client(&value, STR("r2"), &o);
    key_clients(&k, DAY, ALICE, 7);
    put(&k);
    finds_only("DEFECT: 1 outcomes that refer to nothing",
               "D 20000 1 r2: there is no such message 9 in channel 1");
    check_says("client ids     3\n");
}


static void
client_ids_cut_short(void **state)
{
    struct record_outcome o = {.kind = RECORD_OUTCOME_EMPTY};
    struct key k;

    (void) state;
    record_put_client(&value, STR("r1"), &o);
    value.len--;
    key_clients(&k, DAY, ALICE, 7);
    put(&k);
    finds_only("DEFECT: 1 ", "damaged");
}


static void
a_deleted_text_that_is_there(void **state)
{
    struct record_message m = {
        .sender = ALICE, .sent_at = 1001, .deleted = true};
    struct buf json = {0};
    struct key k;

    (void) state;
    record_put_message_json(&json, text(ids[DIRECT]), 1, text(names[ALICE]),
                            1001);
    buf_put_lit(&json, "\"text\":\"x\",\"deleted_at\":5}");
    m.json = buf_str(&json);
    record_put_message(&value, &m);
    key_message(&k, DIRECT, 1);
    put(&k);
    buf_clear(&json);
    finds_only("DEFECT: 1 texts", "M 1 1: deleted, and it does not say so");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(time_that_goes_back),
        CHECK_TEST(a_message_by_nobody_and_in_no_channel),
        CHECK_TEST(a_text_of_another_message),
        CHECK_TEST(texts_that_are_cut),
        CHECK_TEST(outcomes_of_another_message),
        CHECK_TEST(an_outcome_with_another_inbox_id),
        CHECK_TEST(changed_messages_are_sound),
        CHECK_TEST(revisions_that_do_not_agree),
        CHECK_TEST(entries_and_outcomes_of_no_revision),
        CHECK_TEST(client_ids_in_one_record),
        CHECK_TEST(client_ids_cut_short),
        CHECK_TEST(a_deleted_text_that_is_there),
    };

    return cmocka_run_group_tests_name("check_message", tests, NULL, NULL);
}
