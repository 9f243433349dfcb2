/*
 * `chatd check` on channels: names and numbers, members and memberships, who
 * has written, markers, invites, and records of a channel that is none.
 */

#include "check_world.h"


static void
a_name_that_leads_nowhere(void **state)
{
    struct key k;

    (void) state;
    record_put_u64(&value, BOB);
    key_user_name(&k, STR("dave"));
    put(&k);
    put_channel_id("g.other", GROUP);
    finds_only("DEFECT: 2 names", "U dave: user 2 is not of that name");
    check_says("C g.other: channel 2 is not of that id");
}


static void
a_number_without_its_name(void **state)
{
    struct key k;

    (void) state;
    key_user_name(&k, STR("carol"));
    drop(&k);
    key_channel_name(&k, text(ids[GROUP]));
    drop(&k);
    finds_only("DEFECT: 2 names", "u 3: the name leads to user 0");
    check_says("c 2: the id leads to channel 0");
}


static void
a_member_without_membership(void **state)
{
    struct key k;

    (void) state;
    key_membership(&k, BOB, GROUP);
    drop(&k);
    finds_only("DEFECT: 1 memberships", "member 2 has no membership of it");
}


static void
a_membership_without_member(void **state)
{
    (void) state;
    put_membership(CAROL, DIRECT);
    put_membership(CAROL, 99);
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 2 memberships");
    check_says("L 3 1: the channel has no such member");
    check_says("L 3 99: the channel has no such member");
}


static void
a_member_twice(void **state)
{
    (void) state;
    put_channel(GROUP, 3, ALICE, BOB, ALICE);
    finds_only("DEFECT: 1 memberships", "user 1 is in it twice");
}


static void
a_member_who_is_nobody(void **state)
{
    (void) state;
    put_channel(GROUP, 3, ALICE, BOB, 50);
    put_membership(50, GROUP);
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 1 records of a user");
    check_says("there is no user 50");
}


static void
a_fence_before_the_marks(void **state)
{
    struct key k;

    (void) state;
    key_online(&k, KEY_NOBODY);
    record_put_u64(&value, 0);
    put(&k);
    assert_int_equal(run_check(), 0);
}


static void
a_direct_channel_of_others(void **state)
{
    (void) state;
    put_channel(DIRECT, 2, BOB, ALICE, 0);
    assert_int_equal(run_check(), 0);
}


static void
a_direct_channel_with_another_id(void **state)
{
    struct record_channel c = {
        .kind = RECORD_DIRECT,
        .id = STR("d.bob~alice"),
        .n_members = 2,
        .members = {{ALICE, 0}, {BOB, 0}}
    };
    struct key k;

    (void) state;
    record_put_channel(&value, &c);
    key_channel(&k, 3);
    put(&k);
    put_channel_id("d.bob~alice", 3);
    put_membership(ALICE, 3);
    put_membership(BOB, 3);
    finds_only("DEFECT: 1 memberships", "its members are not those of its id");
}


static void
put_wrote(uint8_t wrote)
{
    struct record_channel c = {
        .kind = RECORD_DIRECT,
        .created_at = 1,
        .id = text(ids[DIRECT]),
        .wrote_known = true,
        .wrote = wrote,
        .n_members = 2,
        .members = {{ALICE, 0}, {BOB, 0}}
    };
    struct key k;

    record_put_channel(&value, &c);
    key_channel(&k, DIRECT);
    put(&k);
}


static void
who_has_written_stands_in_the_channel(void **state)
{
    (void) state;
    put_wrote(3);
    assert_int_equal(run_check(), 0);
}


static void
one_who_has_written_does_not_stand_in_the_channel(void **state)
{
    (void) state;
    put_wrote(1);
    finds_only("DEFECT: 1 memberships",
               "who is not one of the channel that have written");
}


static void
records_in_no_channel(void **state)
{
    struct key k;

    (void) state;
    record_put_message_head(&value, ALICE, 5);
    buf_put_lit(&value, "{}");
    key_message(&k, 70, 1);
    put(&k);
    put_event(70, 1, ",\"channel\":{}}}");
    put_markers(70, ALICE, 0, 0, 0);
    finds_only("DEFECT: 3 records of a channel", "M 70 1: a message in no");
    check_says("E 70 1: an event in no channel");
    check_says("K 70 1: markers in no channel");
}


static void
markers_beyond_the_newest(void **state)
{
    (void) state;
    put_markers(DIRECT, ALICE, 4, 0, 0);
    put_markers(DIRECT, BOB, 0, 4, 0);
    put_markers(GROUP, ALICE, 0, 0, 5);
    put_device(ALICE, 9);
    finds_only("DEFECT: 4 markers", "V 1 web: cursor 9, newest inbox id 8");
}


static void
put_invite(uint64_t channel, const char *creator)
{
    struct record_invite i = {.creator = text(creator), .created_at = 1};
    struct key k;

    record_put_invite(&value, &i);
    key_invite(&k, channel, STR("0123456789abcdef0123456789abcdef"));
    put(&k);
}


static void
invites_to_a_group_are_sound(void **state)
{
    (void) state;
    put_invite(GROUP, "alice");
    assert_int_equal(run_check(), 0);
    check_says("invites        1");
}


static void
invites_that_lead_astray(void **state)
{
    (void) state;
    put_invite(DIRECT, "alice");
    put_invite(99, "alice");
    put_invite(GROUP, "nobody");
    assert_int_equal(run_check(), 1);
    check_says("the channel is no group");
    check_says("an invite to no channel");
    check_says("an invite of nobody");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(a_name_that_leads_nowhere),
        CHECK_TEST(a_number_without_its_name),
        CHECK_TEST(a_member_without_membership),
        CHECK_TEST(a_membership_without_member),
        CHECK_TEST(a_member_twice),
        CHECK_TEST(a_member_who_is_nobody),
        CHECK_TEST(a_fence_before_the_marks),
        CHECK_TEST(a_direct_channel_of_others),
        CHECK_TEST(a_direct_channel_with_another_id),
        CHECK_TEST(who_has_written_stands_in_the_channel),
        CHECK_TEST(one_who_has_written_does_not_stand_in_the_channel),
        CHECK_TEST(records_in_no_channel),
        CHECK_TEST(markers_beyond_the_newest),
        CHECK_TEST(invites_to_a_group_are_sound),
        CHECK_TEST(invites_that_lead_astray),
    };

    return cmocka_run_group_tests_name("check_channel", tests, NULL, NULL);
}
