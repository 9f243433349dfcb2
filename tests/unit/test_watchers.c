/* storage/storage_watchers.c: who watches whom, and who is forgotten. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "storage_watchers.h"

#define HERE_MAX (4 * WATCHERS_SLICE)

static struct watchers all;
static bool is_here[HERE_MAX];
static size_t n_asked;


static int
set_up(void **state)
{
    (void) state;
    memset(is_here, 0, sizeof(is_here));
    watchers_init(&all);
    return 0;
}


static int
tear_down(void **state)
{
    (void) state;
    watchers_clear(&all);
    return 0;
}


static bool
here(uint64_t watcher, const void *data)
{
    assert_ptr_equal(data, &all);
    n_asked++;
    return is_here[watcher];
}


static void
tick(void)
{
    n_asked = 0;
    watchers_tick(&all, here, &all);
}


static uint32_t
count(uint64_t number)
{
    uint32_t n;

    (void) watchers_of(&all, number, &n);
    return n;
}


static void
one_watches_once_until_he_does_not(void **state)
{
    uint32_t n;

    (void) state;
    assert_null(watchers_of(&all, 7, &n));
    assert_int_equal(n, 0);

    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(watchers_add(&all, 7, i), 0);
        assert_int_equal(watchers_add(&all, 7, i), 0);
    }

    assert_int_equal(count(7), 100);
    assert_true(watchers_has(&all, 7, 100));
    assert_false(watchers_has(&all, 7, 101));
    assert_false(watchers_has(&all, 8, 1));
    watchers_remove(&all, 7, 50);
    watchers_remove(&all, 7, 50);
    watchers_remove(&all, 9, 50);
    assert_false(watchers_has(&all, 7, 50));
    assert_true(watchers_has(&all, 7, 100));
    assert_int_equal(count(7), 99);

    for (uint64_t i = 1; i <= 100; i++) {
        watchers_remove(&all, 7, i);
    }

    assert_int_equal(all.lists.count, 0);
}


/* Nothing has to happen to whom they watch. */
static void
who_is_gone_is_forgotten(void **state)
{
    (void) state;

    for (uint64_t i = 1; i <= 1000; i++) {
        assert_int_equal(watchers_add(&all, 1 + i % 10, i), 0);
    }

    is_here[13] = true;
    tick();
    assert_int_equal(n_asked, 1000);
    assert_int_equal(count(4), 100); /* they may have come only now */
    tick();
    assert_int_equal(all.lists.count, 1);
    assert_int_equal(count(4), 1);
    assert_true(watchers_has(&all, 4, 13));
    is_here[13] = false;
    tick();
    tick();
    assert_int_equal(all.lists.count, 0);
    tick();
}


static void
who_comes_back_or_asks_again_is_not(void **state)
{
    (void) state;
    assert_int_equal(watchers_add(&all, 1, 2), 0);
    assert_int_equal(watchers_add(&all, 1, 3), 0);
    tick();
    is_here[2] = true;
    assert_int_equal(watchers_add(&all, 1, 3), 0);
    tick();
    is_here[2] = false;
    is_here[3] = true;
    tick();
    assert_int_equal(count(1), 2);
    tick();
    assert_int_equal(count(1), 1);
    assert_true(watchers_has(&all, 1, 3));
}


static void
a_look_is_bounded_and_comes_to_all(void **state)
{
    uint64_t lists = 3 * WATCHERS_SLICE / 2;

    (void) state;

    for (uint64_t i = 0; i < lists; i++) {
        assert_int_equal(watchers_add(&all, i, i), 0);
    }

    for (int i = 0; i < 6; i++) {
        tick();
        assert_in_range(n_asked, 1, WATCHERS_SLICE);
    }

    assert_int_equal(all.lists.count, 0);
}


int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_watches_once_until_he_does_not),
        TEST(who_is_gone_is_forgotten),
        TEST(who_comes_back_or_asks_again_is_not),
        TEST(a_look_is_bounded_and_comes_to_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
