/* common/map.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "map.h"

struct thing {
    struct map_entry entry;
    uint32_t number;
    unsigned seen;
};

static const void *
thing_key(const struct map_entry *e, size_t *len)
{
    const struct thing *t = map_container(e, const struct thing, entry);

    *len = sizeof(t->number);
    return &t->number;
}

static struct thing *
find(struct map *m, uint32_t number)
{
    struct map_entry *e = map_find(m, &number, sizeof(number));

    return e == NULL ? NULL : map_container(e, struct thing, entry);
}

static struct thing *
make_things(uint32_t n)
{
    struct thing *things = calloc(n, sizeof(*things));

    assert_non_null(things);
    for (uint32_t i = 0; i < n; i++) {
        things[i].number = i;
    }
    return things;
}

static void
test_empty(void **state)
{
    struct map m;
    size_t pos = 0;

    (void) state;
    map_init(&m, thing_key);
    assert_null(find(&m, 1));
    assert_null(map_next(&m, &pos));
    map_clear(&m);
}

static void
test_every_entry_is_found_at_every_size(void **state)
{
    enum { N = 3000 };
    struct thing *things = make_things(N);
    struct map m;

    (void) state;
    map_init(&m, thing_key);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(map_insert(&m, &things[i].entry), 0);
        for (uint32_t k = 0; k <= i; k += 1 + i / 16) {
            assert_ptr_equal(find(&m, k), &things[k]);
        }
        assert_null(find(&m, i + 1));
        assert_int_equal(m.count, i + 1);
    }
    for (uint32_t i = 0; i < N; i++) {
        map_remove(&m, &things[i].entry);
        assert_null(find(&m, i));
        if (i + 1 < N) {
            assert_ptr_equal(find(&m, N - 1), &things[N - 1]);
        }
    }
    assert_int_equal(m.count, 0);
    assert_null(m.slots);
    map_clear(&m);
    free(things);
}

static void
test_shrinks_when_used_again(void **state)
{
    enum { N = 20000 };
    struct thing *things = make_things(N);
    struct map m;

    (void) state;
    map_init(&m, thing_key);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(map_insert(&m, &things[i].entry), 0);
    }

    size_t large = m.mask;

    for (uint32_t i = 10; i < N; i++) {
        map_remove(&m, &things[i].entry);
    }
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(map_insert(&m, &things[10].entry), 0);
        map_remove(&m, &things[10].entry);
    }
    assert_true(m.mask < large / 100);
    for (uint32_t i = 0; i < 10; i++) {
        assert_ptr_equal(find(&m, i), &things[i]);
    }
    map_clear(&m);
    free(things);
}

/* Sizes around a resize, so that walks meet old and new slots. */
static void
test_walk_sees_each_entry_once(void **state)
{
    enum { N = 300 };
    struct thing *things = make_things(N);
    struct map m;

    (void) state;
    map_init(&m, thing_key);
    for (uint32_t n = 0; n < N; n++) {
        size_t pos = 0;
        size_t count = 0;
        struct map_entry *e;

        assert_int_equal(map_insert(&m, &things[n].entry), 0);
        while ((e = map_next(&m, &pos)) != NULL) {
            map_container(e, struct thing, entry)->seen++;
            count++;
        }
        assert_int_equal(count, n + 1);
        for (uint32_t i = 0; i <= n; i++) {
            assert_int_equal(things[i].seen, n + 1 - i);
        }
        assert_null(map_next(&m, &pos));
    }
    map_clear(&m);
    free(things);
}

static void
test_walk_may_remove_what_it_returned(void **state)
{
    enum { N = 300 };
    struct thing *things = make_things(N);

    (void) state;
    for (uint32_t n = 1; n < N; n++) {
        struct map m;
        struct map_entry *e;
        size_t pos = 0;
        uint32_t kept = 0;

        map_init(&m, thing_key);
        for (uint32_t i = 0; i < n; i++) {
            assert_int_equal(map_insert(&m, &things[i].entry), 0);
        }
        while ((e = map_next(&m, &pos)) != NULL) {
            struct thing *t = map_container(e, struct thing, entry);

            if (t->number % 3 != 0) {
                map_remove(&m, e);
            } else {
                kept++;
            }
        }
        assert_int_equal(kept, (n + 2) / 3);
        assert_int_equal(m.count, kept);
        for (uint32_t i = 0; i < n; i++) {
            assert_ptr_equal(find(&m, i), i % 3 == 0 ? &things[i] : NULL);
        }
        map_clear(&m);
    }
    free(things);
}

static void
test_removing_all_in_a_walk(void **state)
{
    enum { N = 100 };
    struct thing *things = make_things(N);
    struct map m;
    struct map_entry *e;
    size_t pos = 0;

    (void) state;
    map_init(&m, thing_key);
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(map_insert(&m, &things[i].entry), 0);
    }
    while ((e = map_next(&m, &pos)) != NULL) {
        map_remove(&m, e);
    }
    assert_int_equal(m.count, 0);
    assert_null(map_next(&m, &pos));
    map_clear(&m);
    free(things);
}

static void
test_hash_depends_on_every_byte(void **state)
{
    char text[40];

    (void) state;
    memset(text, 'x', sizeof(text));
    for (size_t len = 0; len < sizeof(text); len++) {
        uint64_t hash = map_hash(text, len);

        assert_true(hash == map_hash(text, len));
        assert_true(hash != map_hash(text, len + 1));
        for (size_t i = 0; i < len; i++) {
            text[i] = 'y';
            assert_true(hash != map_hash(text, len));
            text[i] = 'x';
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_every_entry_is_found_at_every_size),
        cmocka_unit_test(test_shrinks_when_used_again),
        cmocka_unit_test(test_walk_sees_each_entry_once),
        cmocka_unit_test(test_walk_may_remove_what_it_returned),
        cmocka_unit_test(test_removing_all_in_a_walk),
        cmocka_unit_test(test_hash_depends_on_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
