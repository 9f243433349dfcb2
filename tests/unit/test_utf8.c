/* ngx_chat_utf8.c: each rule of RFC 3629, and pieces cut anywhere. */

#include "ngx_chat_utf8.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>


/* 1 good and complete, 0 bad; -1 good as far as it goes */
static int
check(const void *text, size_t len)
{
    u_char state = 0;

    if (ngx_chat_utf8_check(&state, text, len) != NGX_OK) {
        return 0;
    }

    return state ? -1 : 1;
}


/* The same with a cut after `cut` bytes. */
static int
check_cut(const u_char *text, size_t len, size_t cut)
{
    u_char state = 0;

    if (ngx_chat_utf8_check(&state, text, cut) != NGX_OK
        || ngx_chat_utf8_check(&state, text + cut, len - cut) != NGX_OK) {
        return 0;
    }

    return state ? -1 : 1;
}


#define GOOD(s)    assert_int_equal(check(s, sizeof(s) - 1), 1)
#define BAD(s)     assert_int_equal(check(s, sizeof(s) - 1), 0)
#define PARTIAL(s) assert_int_equal(check(s, sizeof(s) - 1), -1)


/* Encodes any number below 2^21, surrogates too, in `n` bytes. */
static size_t
encode(u_char *p, uint32_t c, size_t n)
{
    static const u_char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t i;

    if (n == 1) {
        p[0] = (u_char) c;
        return 1;
    }

    for (i = n - 1; i > 0; i--) {
        p[i] = (u_char) (0x80 | (c & 0x3f));
        c >>= 6;
    }

    p[0] = (u_char) (lead[n] | c);

    return n;
}


static size_t
shortest(uint32_t c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}


static void
test_empty_text_is_complete(void **state)
{
    (void) state;

    GOOD("");
}


static void
test_every_code_point_and_no_surrogate(void **state)
{
    u_char buf[4];
    uint32_t c;
    int want;

    (void) state;

    for (c = 0; c < 0x200000; c++) {
        want = (c < 0xd800 || c > 0xdfff) && c <= 0x10ffff;

        if (check(buf, encode(buf, c, shortest(c))) != want) {
            fail_msg("U+%06x", c);
        }
    }
}


static void
test_longer_form_is_bad(void **state)
{
    u_char buf[4];
    uint32_t c;
    size_t n;

    (void) state;

    for (c = 0; c < 0x10000; c++) {
        for (n = shortest(c) + 1; n <= 4; n++) {
            if (check(buf, encode(buf, c, n)) != 0) {
                fail_msg("U+%04x in %u bytes", c, (unsigned) n);
            }
        }
    }
}


static void
test_every_pair_of_bytes(void **state)
{
    u_char buf[2];
    int a, b, want;

    (void) state;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            buf[0] = (u_char) a;
            buf[1] = (u_char) b;
            want = 0;

            if (a < 0x80) {
                want = b < 0x80 ? 1 : (b >= 0xc2 && b <= 0xf4) ? -1 : 0;

            } else if (a >= 0xc2 && a <= 0xf4 && b >= 0x80 && b <= 0xbf) {
                want = a < 0xe0 ? 1 : -1;

                if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f)
                    || (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f)) {
                    want = 0;
                }
            }

            if (check(buf, 2) != want) {
                fail_msg("%02x %02x", a, b);
            }
        }
    }
}


static void
test_continuation_without_lead_is_bad(void **state)
{
    (void) state;

    BAD("\x80");
    BAD("\xbf");
    BAD("abc\x80");
    BAD("\xc3\xa9\xa9");
}


static void
test_lead_without_continuation_is_bad(void **state)
{
    (void) state;

    BAD("\xc3(");
    BAD("\xe2\x82(");
    BAD("\xf0\x9f\x98(");
    BAD("\xe2\xe2");
}


static void
test_bytes_that_never_occur(void **state)
{
    (void) state;

    BAD("\xc0");
    BAD("\xc1");
    BAD("\xf5");
    BAD("\xf8\x88\x80\x80\x80");
    BAD("\xfe");
    BAD("\xff");
}


static void
test_unfinished_sequence_is_remembered(void **state)
{
    (void) state;

    PARTIAL("\xc3");
    PARTIAL("\xe2\x82");
    PARTIAL("\xf0\x9f\x98");
    PARTIAL("text \xed");
}


static void
test_bad_at_the_first_byte_that_cannot_be(void **state)
{
    (void) state;

    /* surrogate, longer form, above U+10FFFF: told by the second byte */
    BAD("\xed\xa0");
    BAD("\xe0\x80");
    BAD("\xf0\x80");
    BAD("\xf4\x90");
}


static void
test_cut_anywhere_changes_nothing(void **state)
{
    static const char *const texts[] = {
        "plain ASCII of more than thirty-two bytes, so that every loop runs",
        "Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80 end",
        "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82",
        "abcdefghijklmnopqrstuvwxyz\xed\xa0\x80",
        "abc\xf0\x9f\x98",
        "0123456789012345678901234567890123456789\xff",
    };
    const u_char *text;
    size_t i, cut, len;
    int want;

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        text = (const u_char *) texts[i];
        len = strlen(texts[i]);
        want = check(text, len);

        for (cut = 0; cut <= len; cut++) {
            assert_int_equal(check_cut(text, len, cut), want);
        }
    }
}


static void
test_bad_byte_at_every_place_of_a_long_text(void **state)
{
    u_char text[131];
    size_t at;

    (void) state;

    for (at = 0; at < sizeof(text); at++) {
        memset(text, 'a', sizeof(text));
        assert_int_equal(check(text, sizeof(text)), 1);

        text[at] = 0xff;
        assert_int_equal(check(text, sizeof(text)), 0);
    }
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_text_is_complete),
        cmocka_unit_test(test_every_code_point_and_no_surrogate),
        cmocka_unit_test(test_longer_form_is_bad),
        cmocka_unit_test(test_every_pair_of_bytes),
        cmocka_unit_test(test_continuation_without_lead_is_bad),
        cmocka_unit_test(test_lead_without_continuation_is_bad),
        cmocka_unit_test(test_bytes_that_never_occur),
        cmocka_unit_test(test_unfinished_sequence_is_remembered),
        cmocka_unit_test(test_bad_at_the_first_byte_that_cannot_be),
        cmocka_unit_test(test_cut_anywhere_changes_nothing),
        cmocka_unit_test(test_bad_byte_at_every_place_of_a_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
