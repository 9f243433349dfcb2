/* workers/rate.c: token buckets. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rate.h"

#define ALICE STR("alice")
#define BOB   STR("bob")

static struct rate *r;

static int
setup(void **state)
{
    (void) state;
    r = rate_create();
    return r == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void) state;
    rate_free(r);
    return 0;
}

static void
no_rate_no_limit(void **state)
{
    (void) state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(rate_take(r, ALICE, 0, 1, 0), 0);
    }
}

static void
a_burst_passes_then_one_waits(void **state)
{
    (void) state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(rate_take(r, ALICE, 5000, 5, 1000), 0);
    }
    assert_int_equal(rate_take(r, ALICE, 5000, 5, 1000), 1);
    assert_int_equal(rate_take(r, BOB, 5000, 5, 1000), 0);
}

static void
tokens_come_back_at_the_rate(void **state)
{
    (void) state;
    assert_int_equal(rate_take(r, ALICE, 2000, 1, 0), 0);
    assert_int_equal(rate_take(r, ALICE, 2000, 1, 499), 1);
    assert_int_equal(rate_take(r, ALICE, 2000, 1, 500), 0);
    assert_int_equal(rate_take(r, ALICE, 2000, 1, 501), 1);
}

static void
whoever_waits_as_told_passes(void **state)
{
    unsigned wait;

    (void) state;

    /* one in ten seconds */
    assert_int_equal(rate_take(r, ALICE, 100, 1, 0), 0);
    wait = rate_take(r, ALICE, 100, 1, 1);
    assert_int_equal(wait, 10);
    assert_int_equal(rate_take(r, ALICE, 100, 1, 1 + wait * 1000), 0);
}

static void
a_bucket_never_holds_more_than_the_burst(void **state)
{
    uint64_t later = UINT64_MAX / 2;

    (void) state;
    assert_int_equal(rate_take(r, ALICE, 5000, 3, 0), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rate_take(r, ALICE, 5000, 3, later), 0);
    }
    assert_int_equal(rate_take(r, ALICE, 5000, 3, later), 1);
}

static void
a_burst_of_0_is_one_of_1(void **state)
{
    (void) state;
    assert_int_equal(rate_take(r, ALICE, 1000, 0, 0), 0);
    assert_int_equal(rate_take(r, ALICE, 1000, 0, 0), 1);
}

static void
many_users_are_swept_and_the_limited_stay(void **state)
{
    char name[16];

    (void) state;
    assert_int_equal(rate_take(r, ALICE, 1, 1, 0), 0);
    for (unsigned i = 0; i < 10000; i++) {
        int len = snprintf(name, sizeof(name), "u%u", i);

        rate_take(r, (struct str){name, (size_t) len}, 1000000, 1, 10 + i);
    }
    assert_int_not_equal(rate_take(r, ALICE, 1, 1, 20000), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_rate_no_limit),
        TEST(a_burst_passes_then_one_waits),
        TEST(tokens_come_back_at_the_rate),
        TEST(whoever_waits_as_told_passes),
        TEST(a_bucket_never_holds_more_than_the_burst),
        TEST(a_burst_of_0_is_one_of_1),
        TEST(many_users_are_swept_and_the_limited_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
