/* Filters: a `no` is certain, a `maybe` seldom wrong, a window moves on. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "storage_filter.h"
#include "storage_key.h"

static uint64_t
hash_of(uint32_t day, uint64_t user)
{
    struct key k;

    key_client(&k, day, user, STR("client-id"));
    return filter_hash(key_str(&k));
}


static double
wrong(const struct filter *f, uint64_t from, unsigned n)
{
    unsigned maybe = 0;

    for (unsigned i = 0; i < n; i++) {
        maybe += filter_maybe(f, hash_of(1, from + i));
    }

    return maybe / (double) n;
}


static void
what_was_added_is_always_maybe_and_else_seldom(void **state)
{
    const unsigned n = 300000;

    (void) state;

    for (unsigned sized = 0; sized < 2; sized++) {
        struct filter *f = filter_create(sized ? n : 0);

        assert_non_null(f);
        assert_false(filter_maybe(f, hash_of(1, 1)));

        for (unsigned i = 1; i <= n; i++) {
            filter_add(f, hash_of(1, i));
        }

        for (unsigned i = 1; i <= n; i++) {
            assert_true(filter_maybe(f, hash_of(1, i)));
        }

        assert_true(wrong(f, n + 1, 200000) < 0.0002);
        assert_true(filter_memory(f) < (size_t) n * 16);
        filter_free(f);
    }
}


static void
the_hash_forgets_the_period_and_nothing_else(void **state)
{
    struct key a, b;

    (void) state;

    assert_true(hash_of(1, 7) == hash_of(2, 7));
    assert_false(hash_of(1, 7) == hash_of(1, 8));

    key_request(&a, 1, STR("r1"));
    key_request(&b, 2, STR("r1"));
    assert_true(filter_hash(key_str(&a)) == filter_hash(key_str(&b)));
    key_request(&b, 1, STR("r2"));
    assert_false(filter_hash(key_str(&a)) == filter_hash(key_str(&b)));
    filter_hash(STR("Q"));
}


static void
an_unknown_period_is_maybe_until_it_is_known(void **state)
{
    struct filter_window *w = filter_window_create(3, 100);
    struct filter *built = filter_create(10);

    (void) state;

    assert_int_equal(filter_window_oldest(w), 98);
    assert_int_equal(filter_window_newest(w), 100);
    assert_false(filter_window_is_known(w, 99));
    assert_true(filter_window_maybe(w, 99, hash_of(1, 1)));

    filter_window_add(w, 99, hash_of(1, 5));
    filter_add(built, hash_of(1, 6));
    filter_window_known(w, 99, built);

    assert_true(filter_window_is_known(w, 99));
    assert_true(filter_window_maybe(w, 99, hash_of(1, 5)));
    assert_true(filter_window_maybe(w, 99, hash_of(1, 6)));
    assert_false(filter_window_maybe(w, 99, hash_of(1, 7)));
    assert_true(filter_window_maybe(w, 98, hash_of(1, 7)));

    /* a second answer for the same period is only freed */
    filter_window_known(w, 99, filter_create(0));
    assert_true(filter_window_maybe(w, 99, hash_of(1, 6)));
    filter_window_free(w);
}


static void
the_window_moves_on_and_never_back(void **state)
{
    struct filter_window *w = filter_window_create(3, 100);
    size_t before;

    (void) state;

    filter_window_advance(w, 101);
    assert_int_equal(filter_window_oldest(w), 99);
    assert_true(filter_window_is_known(w, 101));
    assert_false(filter_window_is_known(w, 100));
    assert_false(filter_window_maybe(w, 101, hash_of(1, 1)));
    before = filter_window_memory(w);
    filter_window_add(w, 101, hash_of(1, 1));
    assert_true(filter_window_memory(w) > before);
    assert_true(filter_window_maybe(w, 101, hash_of(1, 1)));

    filter_window_advance(w, 100);
    assert_int_equal(filter_window_newest(w), 101);

    /* far ahead: all are new, and what was noted before is forgotten */
    filter_window_advance(w, 104);
    for (uint32_t p = 102; p <= 104; p++) {
        assert_true(filter_window_is_known(w, p));
        assert_false(filter_window_maybe(w, p, hash_of(1, 1)));
    }
    assert_int_equal(filter_window_memory(w), before);
    filter_window_free(w);
}


static void
outside_the_window_nothing_is_kept_and_all_is_maybe(void **state)
{
    struct filter_window *w = filter_window_create(3, 1);
    size_t before = filter_window_memory(w);

    (void) state;

    assert_int_equal(filter_window_oldest(w), 0);
    filter_window_advance(w, 10);
    filter_window_add(w, 7, hash_of(1, 1));
    filter_window_add(w, 11, hash_of(1, 1));
    assert_int_equal(filter_window_memory(w), before);
    assert_true(filter_window_maybe(w, 7, hash_of(1, 2)));
    assert_true(filter_window_maybe(w, 11, hash_of(1, 2)));
    assert_false(filter_window_maybe(w, 8, hash_of(1, 1)));
    filter_window_known(w, 7, filter_create(0));
    filter_window_known(w, 11, filter_create(0));
    assert_false(filter_window_is_known(w, 7));
    assert_false(filter_window_is_known(w, 11));
    filter_window_free(w);
    filter_window_free(NULL);
    filter_free(NULL);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_always_maybe_and_else_seldom),
        cmocka_unit_test(the_hash_forgets_the_period_and_nothing_else),
        cmocka_unit_test(an_unknown_period_is_maybe_until_it_is_known),
        cmocka_unit_test(the_window_moves_on_and_never_back),
        cmocka_unit_test(outside_the_window_nothing_is_kept_and_all_is_maybe),
    };

    return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
