/*
 * `chatd check` as a whole: what it prints of a sound store, keys and values
 * that nothing can be made of, and when it gives up.
 */

#include "check_world.h"


static void
a_sound_store_is_sound(void **state)
{
    (void) state;

    if (run_check() != 0) {
        fail_msg("%s", output);
    }

    check_says("users          3\n");
    check_says("messages       6\n");
    check_says("inbox entries  20\n");
    check_says("the store is sound");
    assert_null(strstr(output, "DEFECT"));
}


static void
an_unknown_key(void **state)
{
    struct key k = {.data = "Z\n", .len = 2};

    (void) state;
    put_raw(&k, STR("x"));
    finds_only("DEFECT: 1 keys of no known kind", " Z\\x0a: no such key");
}


static void
a_damaged_value_of_every_kind(void **state)
{
    struct key k;

    (void) state;
    key_sequence(&k);
    put_raw(&k, STR("x"));
    key_user_name(&k, STR("odd"));
    put_raw(&k, STR("x"));
    key_user(&k, 77);
    put_raw(&k, STR("x"));
    key_channel_name(&k, STR("odd"));
    put_raw(&k, STR("x"));
    key_channel(&k, 77);
    put_raw(&k, STR("x"));
    key_message(&k, DIRECT, 4);
    put_raw(&k, STR("x"));
    key_event(&k, GROUP, 4);
    put_raw(&k, STR("x"));
    key_inbox(&k, CAROL, 5);
    put_raw(&k, STR("x"));
    key_markers(&k, DIRECT, ALICE);
    put_raw(&k, STR("x"));
    key_device(&k, BOB, STR("web"));
    put_raw(&k, STR("x"));
    key_removal(&k, BOB, STR("web"));
    put_raw(&k, STR("x"));
    key_contact(&k, BOB, CAROL);
    put_raw(&k, STR("x"));
    key_profile(&k, BOB);
    put_raw(&k, STR("x"));
    key_account(&k, BOB);
    put_raw(&k, STR("x"));
    key_ended(&k, BOB, STR("jti"));
    put_raw(&k, STR("x"));
    key_search(&k, STR("bob"), BOB);
    put_raw(&k, STR("x"));
    key_active(&k, BOB);
    put_raw(&k, STR("x"));
    key_online(&k, BOB);
    put_raw(&k, STR("x"));
    key_client(&k, DAY, BOB, STR("c"));
    put_raw(&k, STR("x"));
    key_request(&k, 3000000, STR("r"));
    put_raw(&k, STR("x"));
    key_revision(&k, DIRECT, 1, 1);
    put_raw(&k, STR("x"));
    key_erased(&k, DIRECT, 1);
    put_raw(&k, STR("x"));
    key_ending(&k, BOB);
    put_raw(&k, STR("x"));
    key_invite(&k, GROUP, STR("x"));
    put_raw(&k, STR("x"));
    key_indexed(&k);
    put_raw(&k, STR("x"));
    assert_int_equal(run_check(), 1);
    check_says("DEFECT: 25 values that are damaged");
}


static void
no_global_sequence(void **state)
{
    struct key k;

    (void) state;
    key_sequence(&k);
    drop(&k);
    finds_only("DEFECT: 1 values", "there is no global sequence");
}


static void
only_the_first_of_a_kind_are_shown(void **state)
{
    char name[16];

    (void) state;

    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "x%02d", i);
        put_channel_id(name, 99);
    }

    finds_only("DEFECT: 30 names", "C x19: channel 99");
    assert_null(strstr(output, "C x20"));
}


static void
what_cannot_be_checked_is_2(void **state)
{
    struct key k;

    (void) state;
    record_put_u32(&value, STORAGE_FORMAT + 1);
    key_format(&k);
    put(&k);
    assert_int_equal(run_check(), 2);
    check_says("newer");
    assert_int_equal(storage_check("/nonexistent/store"), 2);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK_TEST(a_sound_store_is_sound),
        CHECK_TEST(an_unknown_key),
        CHECK_TEST(a_damaged_value_of_every_kind),
        CHECK_TEST(no_global_sequence),
        CHECK_TEST(only_the_first_of_a_kind_are_shown),
        CHECK_TEST(what_cannot_be_checked_is_2),
    };

    return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
