/* common/buf.c */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"

static void
assert_content(const struct buf *b, const char *text)
{
    assert_false(buf_failed(b));
    assert_int_equal(b->len, strlen(text));
    assert_memory_equal(b->data, text, b->len);
}

static void
test_zeroed_is_empty(void **state)
{
    struct buf b = {0};

    (void) state;
    buf_put(&b, NULL, 0);
    assert_int_equal(b.len, 0);
    assert_null(b.data);
    buf_clear(&b);
}

static void
test_puts_append(void **state)
{
    struct buf b;

    (void) state;
    buf_init(&b);
    buf_put_lit(&b, "ab");
    buf_put_char(&b, 'c');
    buf_put_str(&b, STR("de"));
    assert_content(&b, "abcde");
    assert_true(str_eq(buf_str(&b), STR("abcde")));
    buf_clear(&b);
}

static void
test_growth_keeps_content(void **state)
{
    struct buf b = {0};

    (void) state;
    for (int i = 0; i < 100000; i++) {
        buf_put_char(&b, (char) ('a' + i % 26));
    }
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(b.data[i], 'a' + i % 26);
    }
    buf_clear(&b);
}

static void
test_reserve_then_commit(void **state)
{
    struct buf b = {0};
    char *to = buf_reserve(&b, 1000);

    (void) state;
    assert_non_null(to);
    memset(to, 'x', 1000);
    buf_commit(&b, 3);
    assert_content(&b, "xxx");
    buf_clear(&b);
}

static void
test_past_the_maximum_fails_for_good(void **state)
{
    struct buf b = {0};

    (void) state;
    buf_put_lit(&b, "kept");
    assert_null(buf_reserve(&b, BUF_MAX - 3));
    assert_true(buf_failed(&b));
    buf_put_lit(&b, "dropped");
    assert_null(buf_reserve(&b, 1));
    assert_int_equal(b.len, 4);

    buf_reset(&b, BUF_MAX);
    assert_false(buf_failed(&b));
    buf_put_lit(&b, "new");
    assert_content(&b, "new");
    buf_clear(&b);
}

static void
test_huge_length_does_not_wrap(void **state)
{
    struct buf b = {0};

    (void) state;
    buf_put_char(&b, 'x');
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(buf_failed(&b));
    buf_clear(&b);
}

static void
test_reset_gives_large_memory_back(void **state)
{
    struct buf b = {0};

    (void) state;
    buf_put_lit(&b, "small");
    buf_reset(&b, 1024);
    assert_non_null(b.data);
    assert_int_equal(b.len, 0);

    assert_non_null(buf_reserve(&b, 5000));
    buf_reset(&b, 1024);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
    buf_clear(&b);
}

static void
test_numbers(void **state)
{
    static const struct {
        uint64_t v;
        const char *text;
    } rows[] = {
        {0,          "0"                   },
        {9,          "9"                   },
        {10,         "10"                  },
        {UINT64_MAX, "18446744073709551615"}
    };
    struct buf b = {0};

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        buf_reset(&b, 64);
        buf_put_u64(&b, rows[i].v);
        assert_content(&b, rows[i].text);
    }

    buf_reset(&b, 64);
    buf_put_i64(&b, INT64_MIN);
    buf_put_char(&b, ' ');
    buf_put_i64(&b, -1);
    buf_put_char(&b, ' ');
    buf_put_i64(&b, INT64_MAX);
    assert_content(&b, "-9223372036854775808 -1 9223372036854775807");
    buf_clear(&b);
}

static void
test_json_strings(void **state)
{
    struct buf b = {0};
    char all[256];

    (void) state;
    buf_put_json_str(&b, (struct str){NULL, 0});
    assert_content(&b, "\"\"");

    buf_reset(&b, 64);
    buf_put_json_str(&b, STR("a\"b\\c/\b\f\n\r\t\0\x1f\x7f\xc3\xa4"));
    assert_content(&b, "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xc3"
                       "\xa4\"");

    /* nothing but the two quotes, backslash and controls is changed */
    for (int i = 0; i < 256; i++) {
        all[i] = (char) i;
    }
    buf_reset(&b, 64);
    buf_put_json_str(&b, (struct str){all, 256});
    assert_int_equal(b.len, 2 + (256 - 34) + 5 * 2 + 27 * 6 + 2 * 2);
    buf_clear(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeroed_is_empty),
        cmocka_unit_test(test_puts_append),
        cmocka_unit_test(test_growth_keeps_content),
        cmocka_unit_test(test_reserve_then_commit),
        cmocka_unit_test(test_past_the_maximum_fails_for_good),
        cmocka_unit_test(test_huge_length_does_not_wrap),
        cmocka_unit_test(test_reset_gives_large_memory_back),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_json_strings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
