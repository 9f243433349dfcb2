/*
 * ngx_chat_claims.c on its own, in memory of exactly the text's size: what a
 * string decodes to, and that nothing behind the text is read.
 */

#include "ngx_chat_claims.h"

#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

static const ngx_str_t names[] = {ngx_string("a"), ngx_string("b"),
                                  ngx_null_string};

static ngx_chat_claim_t claims[2];
static u_char *copy;


static int
stop(void **state)
{
    (void) state;

    free(copy);
    copy = NULL;

    return 0;
}


static ngx_int_t
parse_bytes(const char *text, size_t len)
{
    free(copy);
    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);

    memset(claims, 0xff, sizeof(claims));

    return ngx_chat_claims_parse(copy, copy + len, names, claims);
}


static ngx_int_t
parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}


static void
assert_claim(size_t i, ngx_chat_claim_e type, const char *text)
{
    assert_int_equal(claims[i].type, type);
    assert_int_equal(claims[i].text.len, strlen(text));

    if (claims[i].text.len) {
        assert_memory_equal(claims[i].text.data, text, strlen(text));
    }
}


static void
test_named_members_and_their_types(void **state)
{
    (void) state;

    assert_int_equal(parse("{\"b\":\"text\",\"c\":0,\"a\":-1.5e+3}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_number, "-1.5e+3");
    assert_claim(1, ngx_chat_claim_string, "text");

    assert_int_equal(parse("{\"b\":[1],\"a\":{\"b\":2}}"), NGX_OK);
    assert_int_equal(claims[0].type, ngx_chat_claim_object);
    assert_int_equal(claims[1].type, ngx_chat_claim_array);

    assert_int_equal(parse("{\"b\":true,\"a\":null}"), NGX_OK);
    assert_int_equal(claims[0].type, ngx_chat_claim_literal);
    assert_int_equal(claims[1].type, ngx_chat_claim_literal);
}


static void
test_absent_members_are_none(void **state)
{
    (void) state;

    assert_int_equal(parse("{}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_none, "");
    assert_claim(1, ngx_chat_claim_none, "");

    assert_int_equal(parse("{\"b\":\"\"}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_none, "");
    assert_claim(1, ngx_chat_claim_string, "");
}


static void
test_short_escapes(void **state)
{
    (void) state;

    assert_int_equal(parse("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t|\"}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_string, "\"\\/\b\f\n\r\t|");
}


static size_t
utf8(char *p, uint32_t c)
{
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t i, n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (i = n - 1; i > 0; i--) {
        p[i] = (char) (0x80 | (c & 0x3f));
        c >>= 6;
    }

    p[0] = (char) (n == 1 ? c : lead[n] | c);

    return n;
}


/* The text of an escaped code point; upper or lower case by its parity. */
static ngx_int_t
parse_escaped(uint32_t c)
{
    char text[64];

    if (c < 0x10000) {
        snprintf(text, sizeof(text),
                 c & 1 ? "{\"a\":\"\\u%04X|\"}" : "{\"a\":\"\\u%04x|\"}", c);

    } else {
        c -= 0x10000;
        snprintf(text, sizeof(text), "{\"a\":\"\\u%04x\\u%04X|\"}",
                 0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
    }

    return parse(text);
}


static void
test_every_code_point_as_an_escape(void **state)
{
    char want[8];
    uint32_t c;
    size_t n;

    (void) state;

    for (c = 0; c <= 0x10ffff; c += c < 0x11000 ? 1 : 251) {
        if (c >= 0xd800 && c <= 0xdfff) {
            assert_int_equal(parse_escaped(c), NGX_ERROR);
            continue;
        }

        n = utf8(want, c);
        want[n++] = '|';

        assert_int_equal(parse_escaped(c), NGX_OK);
        assert_int_equal(claims[0].text.len, n);
        assert_memory_equal(claims[0].text.data, want, n);
    }

    assert_int_equal(parse_escaped(0x10ffff), NGX_OK);
    assert_claim(0, ngx_chat_claim_string, "\xf4\x8f\xbf\xbf|");
}


static void
test_surrogates_that_are_not_a_pair(void **state)
{
    static const char *const texts[] = {
        "{\"a\":\"\\ud800\"}",        "{\"a\":\"\\udbff|\"}",
        "{\"a\":\"\\udc00\"}",        "{\"a\":\"\\udfff\\ud800\"}",
        "{\"a\":\"\\ud800\\ud800\"}", "{\"a\":\"\\ud800\\udbff\"}",
        "{\"a\":\"\\ud800\\ue000\"}", "{\"a\":\"\\ud800\\n0000\"}",
        "{\"a\":\"\\ud800_udc00\"}",  "{\"a\":\"\\ud800\\Udc00\"}",
        "{\"a\":\"\\ud800",           "{\"a\":\"\\ud800\\u",
        "{\"a\":\"\\ud800\\udc0",
    };
    size_t i;

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(parse(texts[i]), NGX_ERROR);
    }

    assert_int_equal(parse("{\"a\":\"\\ud800\\udc00\"}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_string, "\xf0\x90\x80\x80");
    assert_int_equal(parse("{\"a\":\"\\udbff\\udfff\"}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_string, "\xf4\x8f\xbf\xbf");
}


static void
test_escaped_name_is_the_same_name(void **state)
{
    (void) state;

    assert_int_equal(parse("{\"\\u0061\":\"x\"}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_string, "x");
    assert_int_equal(parse("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"),
                     NGX_ERROR);
}


static void
test_nothing_behind_the_text_is_read(void **state)
{
    static const char text[] =
        "{\"a\":-10.25e-3,\"b\":\"\\ud83d\\ude00\\n\",\"c\":[true,false,null,"
        "{\"d\":0E+1}]} ";
    size_t n;

    (void) state;

    for (n = 0; n < sizeof(text) - 2; n++) {
        assert_int_equal(parse_bytes(text, n), NGX_ERROR);
    }

    assert_int_equal(parse_bytes(text, n), NGX_OK);
    assert_int_equal(parse_bytes(text, n + 1), NGX_OK);

    /* values cut off where one would have to go on */
    assert_int_equal(parse("{\"a\":-"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":1"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":1."), NGX_ERROR);
    assert_int_equal(parse("{\"a\":1e"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":1e+"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":nul"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":true"), NGX_ERROR);
}


static void
test_numbers_end_where_json_says(void **state)
{
    (void) state;

    assert_int_equal(parse("{\"a\":0,\"b\":-0}"), NGX_OK);
    assert_claim(0, ngx_chat_claim_number, "0");
    assert_claim(1, ngx_chat_claim_number, "-0");

    assert_int_equal(parse("{\"a\":00}"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":-01}"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":1:}"), NGX_ERROR);
    assert_int_equal(parse("{\"a\":1/2}"), NGX_ERROR);
}


#define TEST(name) cmocka_unit_test_teardown(name, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_named_members_and_their_types),
        TEST(test_absent_members_are_none),
        TEST(test_short_escapes),
        TEST(test_every_code_point_as_an_escape),
        TEST(test_surrogates_that_are_not_a_pair),
        TEST(test_escaped_name_is_the_same_name),
        TEST(test_nothing_behind_the_text_is_read),
        TEST(test_numbers_end_where_json_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
