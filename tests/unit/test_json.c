/* common/json.c and common/utf8.c */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "buf.h"
#include "json.h"
#include "utf8.h"

static struct json_parser *parser;

static int
setup(void **state)
{
    (void) state;
    parser = json_create();
    return parser == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void) state;
    json_free(parser);
    return 0;
}

/* From a copy of exactly that length, so that a sanitizer sees overreads. */
static enum json_status
status_of(const char *text, size_t len)
{
    const struct json *root = NULL;
    char *copy = malloc(len == 0 ? 1 : len);

    assert_non_null(copy);
    memcpy(copy, text, len);

    enum json_status status =
        json_parse(parser, (struct str){copy, len}, &root);

    assert_int_equal(status == JSON_OK, root != NULL);
    free(copy);
    return status;
}

static const struct json *
parse(const char *text)
{
    const struct json *root = NULL;

    assert_int_equal(
        json_parse(parser, (struct str){text, strlen(text)}, &root), JSON_OK);
    return root;
}

static void
assert_text(const struct json *v, const char *text, size_t len)
{
    assert_non_null(v);
    assert_false(v->bad_unicode);
    assert_int_equal(v->text.len, len);
    assert_memory_equal(v->text.data, text, len);
}

#define assert_lit(v, literal) assert_text(v, literal, sizeof(literal) - 1)

static void
test_tree(void **state)
{
    const struct json *root = parse(
        " {\"a\":[1,-2.5e+3,true,false,null,\"x\"],\"b\":{},\"c\":\"\"} ");
    const struct json *v = json_member(root, "a");

    (void) state;
    assert_int_equal(root->type, JSON_OBJECT);
    assert_int_equal(root->n, 3);
    assert_int_equal(v->type, JSON_ARRAY);
    assert_int_equal(v->n, 6);

    v = v->child;
    assert_int_equal(v->type, JSON_NUMBER);
    assert_lit(v, "1");
    v = v->next;
    assert_lit(v, "-2.5e+3");
    v = v->next;
    assert_int_equal(v->type, JSON_BOOL);
    assert_true(v->boolean);
    v = v->next;
    assert_int_equal(v->type, JSON_BOOL);
    assert_false(v->boolean);
    v = v->next;
    assert_int_equal(v->type, JSON_NULL);
    v = v->next;
    assert_lit(v, "x");
    assert_null(v->next);

    assert_int_equal(json_member(root, "b")->type, JSON_OBJECT);
    assert_null(json_member(root, "b")->child);
    assert_lit(json_member(root, "c"), "");
    assert_null(json_member(root, "d"));
    assert_null(json_member(v, "d"));
    assert_null(json_member(NULL, "d"));
}

static void
test_scalars_at_the_root(void **state)
{
    (void) state;
    assert_lit(parse("12"), "12");
    assert_lit(parse("12 \n"), "12");
    assert_lit(parse("\"a\""), "a");
    assert_int_equal(parse("null")->type, JSON_NULL);
}

static void
test_malformed(void **state)
{
    static const char *const rows[] = {
        "",
        " ",
        "{",
        "}",
        "[1",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{a:1}",
        "{'a':1}",
        "[01]",
        "[-]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[0x1]",
        "[NaN]",
        "nul",
        "tru",
        "\"abc",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "[\"\t\"]",
        "{} x",
        "{} \"abc",
        "{} \"a}",
        "{} tru",
        "[1]]",
        "{}{}",
        "1 2",
        "[1] /* c */",
        "// c\n1",
        "\xef\xbb\xbf{}",
        "[1e]",
        "[1e+]",
        "01",
        "-01",
        "\"\\",
        "\"\\ud800",
        "\"\\ud800\\u",
        "[\"\\ud8",
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (status_of(rows[i], strlen(rows[i])) != JSON_SYNTAX) {
            fail_msg("taken: %s", rows[i]);
        }
    }
    assert_int_equal(status_of("{}\0", 3), JSON_SYNTAX);
    assert_int_equal(status_of("\"a\0b\"", 5), JSON_SYNTAX);
}

static void
test_invalid_utf8(void **state)
{
    static const char *const rows[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xc3(",
        "\xe0\x80\x80",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xfe",
        "\xff",
        "\xe2(\xac",
        "\xe2\x82(",
        "\xf0\x9f\x98(",
    };
    char text[64];

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        /* at each place of a word of eight bytes */
        for (int pad = 0; pad < 9; pad++) {
            snprintf(text, sizeof(text), "\"%.*s%s\"", pad, "aaaaaaaaa",
                     rows[i]);
            assert_int_equal(status_of(text, strlen(text)), JSON_SYNTAX);
        }
    }
    assert_lit(parse("\"\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90"
                     "\x80\x80\xf4\x8f\xbf\xbf\""),
               "\xc2\x80\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80"
               "\xf4\x8f\xbf\xbf");
}

static void
test_escapes(void **state)
{
    (void) state;
    assert_lit(parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\/\b\f\n\r\t");
    assert_lit(parse("\"a\\u0000b\""), "a\0b");
    assert_lit(parse("\"\\u00e4\\u20AC\\ud83d\\uDE00\""),
               "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_lit(parse("\"\\\\ud800\""), "\\ud800");
    assert_lit(parse("\"\\ud7ff\\ue000\""), "\xed\x9f\xbf\xee\x80\x80");
}

static void
test_bad_surrogates(void **state)
{
    static const char *const rows[] = {
        "\\ud800",        "\\udc00",
        "\\ud800x",       "\\ud800\\n",
        "\\ud800\\u0041", "\\ud800\\ud800",
        "\\udc00\\ud800", "\\ud83d\\ude00\\ude00",
        "\\uDBFF\\uE000", "\\\\\\ud800",
        "x\\udfff",       "\\ud800\\\\udc00",
    };
    char text[200];

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(text, sizeof(text),
                 "{\"a\\\"\":\"\\\\\",\"bad\":\"%s\",\"good\":\"\\ud83d\\ude00"
                 "\"}",
                 rows[i]);

        const struct json *root = parse(text);

        assert_lit(root->child, "\\");
        assert_true(json_member(root, "bad")->bad_unicode);
        assert_int_equal(json_member(root, "bad")->text.len, 0);
        assert_lit(json_member(root, "good"), "\xf0\x9f\x98\x80");
    }
}

static void
test_bad_surrogate_in_a_name(void **state)
{
    const struct json *root =
        parse("{\"\\ud800\":{\"x\":\"y\"},\"\\udc00\":1,\"a\":\"b\"}");

    (void) state;
    assert_true(root->child->bad_unicode);
    assert_int_equal(root->child->key.len, 0);
    assert_int_equal(root->child->type, JSON_OBJECT);
    assert_false(root->child->child->bad_unicode);
    assert_true(root->child->next->bad_unicode);
    assert_lit(json_member(root, "a"), "b");
}

static void
test_depth(void **state)
{
    char text[200];

    (void) state;
    for (int depth = 1; depth <= 40; depth++) {
        memset(text, '[', (size_t) depth);
        memset(text + depth, ']', (size_t) depth);
        assert_int_equal(status_of(text, 2 * (size_t) depth),
                         depth <= 32 ? JSON_OK : JSON_DEPTH);
    }

    /* wide is not deep */
    assert_int_equal(parse("[[],[],{},[[]],[]]")->n, 5);
}

static void
test_depth_of_500000_is_cheap(void **state)
{
    enum { N = 500000 };
    char *text = malloc(2 * N);
    clock_t start = clock();

    (void) state;
    assert_non_null(text);
    memset(text, '[', N);
    memset(text + N, ']', N);
    assert_int_equal(status_of(text, 2 * N), JSON_DEPTH);
    assert_int_equal(status_of(text, N), JSON_DEPTH);
    assert_true(clock() - start < CLOCKS_PER_SEC / 2);
    free(text);
}

static void
test_duplicate_names(void **state)
{
    static const char *const rows[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"b\":1,\"\\u0061\":1}",
        "[{\"x\":{\"\":1,\"b\":2,\"\":3}}]",
        ("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,"
         "\"i\":1,\"a\":1}"),
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(status_of(rows[i], strlen(rows[i])), JSON_DUPLICATE);
    }
    parse("[{\"a\":1},{\"a\":{\"a\":1}}]");
    parse("{\"a\":1,\"A\":1,\"aa\":1,\"\":1}");

    /* malformed is worse */
    assert_int_equal(status_of("{\"a\":1,\"a\":1", 12), JSON_SYNTAX);
}

static void
test_duplicate_among_200000_names_is_cheap(void **state)
{
    enum { N = 200000 };
    struct buf b = {0};
    clock_t start;

    (void) state;
    buf_put_char(&b, '{');
    for (uint64_t i = 0; i < N; i++) {
        buf_put_lit(&b, "\"");
        buf_put_u64(&b, i);
        buf_put_lit(&b, "\":0,");
    }
    buf_put_lit(&b, "\"199999\":0}");
    assert_false(buf_failed(&b));

    start = clock();
    assert_int_equal(status_of(b.data, b.len), JSON_DUPLICATE);
    b.data[b.len - 10] = 'x';
    assert_int_equal(status_of(b.data, b.len), JSON_OK);
    assert_true(clock() - start < 4 * CLOCKS_PER_SEC);
    buf_clear(&b);
}

static void
test_u53(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        uint64_t v;
    } rows[] = {
        {"0",                          true,  0               },
        {"42",                         true,  42              },
        {"9007199254740991",           true,  9007199254740991},
        {"9007199254740992",           false, 0               },
        {"9223372036854775808",        false, 0               },
        {"99999999999999999999999999", false, 0               },
        {"-1",                         false, 0               },
        {"-0",                         false, 0               },
        {"1.0",                        false, 0               },
        {"1e2",                        false, 0               },
        {"1e400",                      false, 0               },
        {"\"1\"",                      false, 0               },
        {"true",                       false, 0               },
        {"null",                       false, 0               },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t v = 0;

        assert_int_equal(json_get_u53(parse(rows[i].text), &v),
                         rows[i].ok ? 0 : -1);
        assert_true(v == rows[i].v);
    }
    assert_int_equal(json_get_u53(NULL, NULL), -1);
}

/* One parser, small after huge after small, with one string of a megabyte
 * that has an escape, so that it is copied. */
static void
test_parser_is_used_again(void **state)
{
    enum { N = 1 << 20 };
    struct buf b = {0};
    const struct json *root;

    (void) state;
    for (int turn = 0; turn < 3; turn++) {
        assert_lit(parse("\"small\""), "small");

        buf_reset(&b, 0);
        buf_put_lit(&b, "[\"\\n");
        for (int i = 0; i < N; i++) {
            buf_put_char(&b, (char) ('a' + i % 7));
        }
        buf_put_lit(&b, "\"]");
        assert_int_equal(json_parse(parser, buf_str(&b), &root), JSON_OK);
        assert_int_equal(root->child->text.len, N + 1);
        assert_memory_equal(root->child->text.data + 1, b.data + 4, N);
    }
    buf_clear(&b);
}

static void
test_strings_without_escapes_point_into_the_text(void **state)
{
    const char *text = "[\"abc\",\"a\\nc\",12]";
    const struct json *root = parse(text);

    (void) state;
    assert_ptr_equal(root->child->text.data, text + 2);
    assert_ptr_equal(root->child->next->next->text.data, text + 14);
}

static void
test_code_points(void **state)
{
    (void) state;
    assert_int_equal(json_code_points(STR("")), 0);
    assert_int_equal(json_code_points(STR("a\0b")), 3);
    assert_int_equal(json_code_points(STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98"
                                          "\x80")),
                     4);
    assert_true(utf8_valid(STR("")));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_scalars_at_the_root),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_bad_surrogates),
        cmocka_unit_test(test_bad_surrogate_in_a_name),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_depth_of_500000_is_cheap),
        cmocka_unit_test(test_duplicate_names),
        cmocka_unit_test(test_duplicate_among_200000_names_is_cheap),
        cmocka_unit_test(test_u53),
        cmocka_unit_test(test_parser_is_used_again),
        cmocka_unit_test(test_strings_without_escapes_point_into_the_text),
        cmocka_unit_test(test_code_points),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
