/*
 * `chatd check` on what comes without a gap: messages and events of a channel,
 * entries of an inbox, and that each refers to the other in order.
 */

#include "check_world.h"


static void
a_hole_in_a_channel(void **state)
{
    struct key k;

    (void) state;
    key_message(&k, DIRECT, 2);
    drop(&k);
    finds_only("DEFECT: 1 gaps", "M 1 3: message 2 is not there");
}


static void
a_hole_in_the_events(void **state)
{
    struct key k;

    (void) state;
    key_event(&k, GROUP, 2);
    drop(&k);
    assert_int_equal(run_check(), 1);
    check_says("E 2 3: event 2 is not there");
    check_says("DEFECT: 2 inbox entries that refer to nothing");
    check_says("I 1 6: there is no event 2 in channel 2");
}


static void
a_hole_in_an_inbox(void **state)
{
    struct key k;

    (void) state;
    key_inbox(&k, BOB, 4);
    drop(&k);
    assert_int_equal(run_check(), 1);
    check_says("I 2 5: inbox 4 is not there");
    check_says("I 2 7: messages 2 to 2 of channel 1 are not before it");
}


static void
an_inbox_that_starts_late(void **state)
{
    struct key k;

    (void) state;
    key_inbox(&k, BOB, 1);
    drop(&k);
    assert_int_equal(run_check(), 1);
    check_says("I 2 2: inbox 1 is not there");
}


static void
the_newest_message_lost(void **state)
{
    struct key k;

    (void) state;
    key_message(&k, DIRECT, 3);
    drop(&k);
    put_markers(DIRECT, BOB, 2, 2, 0);
    finds_only("DEFECT: 2 inbox entries that refer to nothing",
               "I 1 7: there is no message 3 in channel 1");
}


static void
the_newest_inbox_entry_lost(void **state)
{
    struct key k;

    (void) state;
    key_inbox(&k, BOB, 8);
    drop(&k);
    finds_only("DEFECT: 1 messages that an inbox lacks",
               "I 2: messages 3 to 3 of channel 2 are not in it");
}


static void
an_inbox_without_a_channel_of_his(void **state)
{
    (void) state;
    put_channel(GROUP, 3, ALICE, BOB, CAROL);
    put_membership(CAROL, GROUP);

    /* all of carol's entries are of another channel */
    put_inbox(CAROL, 1, DEL, DIRECT, 1);
    put_inbox(CAROL, 2, DEL, DIRECT, 1);
    put_inbox(CAROL, 3, DEL, DIRECT, 1);
    put_inbox(CAROL, 4, DEL, DIRECT, 1);
    put_changed(DIRECT, 1, ALICE, 0, true);
    finds_only("DEFECT: 1 messages that an inbox lacks",
               "I 3: nothing of channel 2");
}


static void
an_empty_inbox(void **state)
{
    struct key k;

    (void) state;

    for (uint64_t n = 1; n <= 8; n++) {
        key_inbox(&k, BOB, n);
        drop(&k);
    }

    finds_only("DEFECT: 2 messages that an inbox lacks",
               "L 2 1: his inbox is empty");
}


static void
an_entry_twice(void **state)
{
    (void) state;
    put_inbox(BOB, 9, NEW, GROUP, 3);
    put_inbox(BOB, 10, UPD, GROUP, 2);
    finds_only("DEFECT: 2 inbox entries out of order",
               "I 2 9: message 3 of channel 2 after message 3");
    check_says("I 2 10: event 2 of channel 2 after event 2");
}


static void
a_reference_to_no_channel(void **state)
{
    (void) state;
    put_inbox(CAROL, 5, NEW, 42, 1);
    put_inbox(CAROL, 6, DEL, GROUP, 4);
    finds_only("DEFECT: 2 inbox entries that refer to nothing",
               "I 3 5: there is no channel 42");
    check_says("I 3 6: there is no message 4 in channel 2");
}


static void
a_message_its_sender_who_left_does_not_have(void **state)
{
    (void) state;
    put_inbox(CAROL, 2, UPD, GROUP, 2);
    assert_int_equal(run_check(), 1);
    check_says("message 1 of channel 2 is not in the inbox of its sender 3");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(a_hole_in_a_channel),
        CHECK_TEST(a_hole_in_the_events),
        CHECK_TEST(a_hole_in_an_inbox),
        CHECK_TEST(an_inbox_that_starts_late),
        CHECK_TEST(the_newest_message_lost),
        CHECK_TEST(the_newest_inbox_entry_lost),
        CHECK_TEST(an_inbox_without_a_channel_of_his),
        CHECK_TEST(an_empty_inbox),
        CHECK_TEST(an_entry_twice),
        CHECK_TEST(a_reference_to_no_channel),
        CHECK_TEST(a_message_its_sender_who_left_does_not_have),
    };

    return cmocka_run_group_tests_name("check_inbox", tests, NULL, NULL);
}
