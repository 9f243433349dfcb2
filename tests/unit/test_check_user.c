/*
 * `chatd check` on users: contacts, profiles and their index, accounts, those
 * who are deleted, and records of nobody.
 */

#include "check_world.h"


static void
put_contact(uint64_t user, uint64_t other, uint8_t state, uint8_t flags)
{
    struct record_contact c = {state, flags};
    struct key k;

    record_put_contact(&value, &c);
    key_contact(&k, user, other);
    put(&k);
}


static void
put_profile(uint64_t user, const char *name)
{
    struct record_profile p = {.display_name = text(name)};
    struct key k;

    record_put_profile(&value, &p);
    key_profile(&k, user);
    put(&k);
}


static void
put_search(const char *folded, uint64_t user)
{
    struct key k;

    record_put_membership(&value);
    key_search(&k, text(folded), user);
    put(&k);
}


static void
put_flags(uint64_t user, uint8_t flags)
{
    struct record_user u = {flags, 1, text(names[user])};
    struct key k;

    record_put_user(&value, &u);
    key_user(&k, user);
    put(&k);
}


static void
put_ending(uint64_t user, uint64_t upto)
{
    struct record_ending e = {0, RECORD_ENDING_GROUPS, 1, 1, upto};
    struct key k;

    record_put_ending(&value, &e);
    key_ending(&k, user);
    put(&k);
}


static void
put_account(uint64_t user)
{
    struct record_account a = {
        .epoch = 1, .kept = STR(""), .secret = STR("$scrypt$")};
    struct key k;

    record_put_account(&value, &a);
    key_account(&k, user);
    put(&k);
    record_put_u64(&value, 1800000000);
    key_ended(&k, user, STR("jti"));
    put(&k);
}


static void
records_of_nobody(void **state)
{
    (void) state;
    put_changed(GROUP, 1, CAROL, 0, true);
    put_inbox(80, 1, DEL, GROUP, 1);
    put_markers(GROUP, 80, 0, 0, 0);
    put_device(80, 0);
    finds_only("DEFECT: 3 records of a user", "I 80 1: an inbox of nobody");
    check_says("K 2 80: markers of nobody");
    check_says("V 80 web: a device of nobody");
}


static void
contacts_and_profiles_that_are_sound(void **state)
{
    (void) state;
    put_contact(ALICE, BOB, RECORD_CONTACT_FRIEND, RECORD_CONTACT_BLOCKS);
    put_contact(BOB, ALICE, RECORD_CONTACT_FRIEND, 0);
    put_contact(ALICE, CAROL, RECORD_CONTACT_REQUESTED, 0);
    put_contact(CAROL, ALICE, RECORD_CONTACT_INCOMING, 0);
    put_contact(BOB, CAROL, RECORD_CONTACT_NONE, RECORD_CONTACT_BLOCKS);
    put_profile(BOB, "BOBBY");
    put_search("bobby", BOB);
    assert_int_equal(run_check(), 0);
    check_says("contacts       5\n");
}


static void
a_contact_without_its_other_side(void **state)
{
    (void) state;
    put_contact(ALICE, BOB, RECORD_CONTACT_FRIEND, 0);
    finds_only("DEFECT: 1 contacts whose two sides disagree",
               "N 1 2: the other side is 0, not 1");
}


static void
contacts_of_nobody_and_of_oneself(void **state)
{
    (void) state;
    put_contact(ALICE, ALICE, RECORD_CONTACT_FRIEND, 0);
    put_contact(ALICE, 80, RECORD_CONTACT_NONE, RECORD_CONTACT_BLOCKS);
    put_inbox(CAROL, 8, STORAGE_EVENT_CONTACT_UPDATED, 80, 1);
    (void) run_check();
    check_says("DEFECT: 2 records of a user");
    check_says("there is no user 80");
}


static void
an_index_that_leads_astray(void **state)
{
    (void) state;
    put_profile(BOB, "Robert");
    put_search("rob", BOB);
    finds_only("DEFECT: 2 names and numbers", "user 2 is not of that name");
    check_says("P 2: the name is not in the index");
}


static void
deleted_users_are_sound(void **state)
{
    (void) state;
    put_flags(CAROL, RECORD_USER_FLAGS);
    put_flags(BOB, RECORD_USER_DELETED);
    put_profile(BOB, "");
    put_device(BOB, 1);
    put_flags(ALICE, RECORD_USER_DISABLED | RECORD_USER_CONNECTED);
    put_ending(BOB, 8);

    if (run_check() != 0) {
        fail_msg("%s", output);
    }
}


static void
something_left_of_a_deleted_user(void **state)
{
    (void) state;
    put_flags(ALICE, RECORD_USER_DELETED); /* group, device */
    put_flags(BOB, RECORD_USER_DELETED);
    put_profile(BOB, "");
    put_ending(BOB, 9);   /* beyond the newest   */
    put_ending(CAROL, 1); /* who was not deleted */
    put_search("bob", BOB);
    assert_int_equal(run_check(), 1);
    check_says("u 1: deleted, and there is a device");
    check_says("u 1: deleted, and a member of group 2");
    check_says("X 2: up to inbox id 9");
    check_says("X 3: the user was not deleted");
    check_says("DEFECT: 3 deleted users");
}


static void
an_account_with_an_ended_login_is_sound(void **state)
{
    (void) state;
    put_account(ALICE);

    if (run_check() != 0) {
        fail_msg("%s", output);
    }

    check_says("accounts       1");
}


static void
an_account_has_a_user_who_counts_as_connected(void **state)
{
    struct record_user mentioned = {0, 1, STR("bob")};
    struct key k;

    (void) state;
    put_account(77);
    put_account(BOB);
    record_put_user(&value, &mentioned);
    key_user(&k, BOB);
    put(&k);
    assert_int_equal(run_check(), 1);
    check_says("H 77: an account of nobody");
    check_says("J 77 jti: an ended login of nobody");
    check_says("H 2: its user has not connected");
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(records_of_nobody),
        CHECK_TEST(contacts_and_profiles_that_are_sound),
        CHECK_TEST(a_contact_without_its_other_side),
        CHECK_TEST(contacts_of_nobody_and_of_oneself),
        CHECK_TEST(an_index_that_leads_astray),
        CHECK_TEST(deleted_users_are_sound),
        CHECK_TEST(something_left_of_a_deleted_user),
        CHECK_TEST(an_account_with_an_ended_login_is_sound),
        CHECK_TEST(an_account_has_a_user_who_counts_as_connected),
    };

    return cmocka_run_group_tests_name("check_user", tests, NULL, NULL);
}
