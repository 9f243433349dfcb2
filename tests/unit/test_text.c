/* storage/storage_text.c: the JSON of a message, changed and shown. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "storage_text.h"

#define HEAD "{\"channel\":\"d.a~b\",\"message_id\":1,"


static void
assert_buf(struct buf *b, const char *expected)
{
    buf_put_char(b, '\0');
    assert_false(buf_failed(b));
    assert_string_equal(b->data, expected);
    buf_clear(b);
}


static void
an_edit_replaces_the_text_and_keeps_the_rest(void **state)
{
    struct str json = STR(HEAD "\"type\":\"text\",\"text\":\"\\\"}\","
                               "\"edited_at\":4,\"mentions\":[\"a\",\"]\"],"
                               "\"content\":{\"text\":{\"a\":1}}}");
    struct buf b = {0};

    (void) state;
    assert_int_equal(text_put_edited(&b, json, STR("\"new\""), 5), 0);
    assert_buf(&b, HEAD "\"type\":\"text\",\"text\":\"new\","
                        "\"mentions\":[\"a\",\"]\"],"
                        "\"content\":{\"text\":{\"a\":1}},\"edited_at\":5}");
}


static void
a_deletion_leaves_no_text_content_or_media(void **state)
{
    struct str json = STR(HEAD "\"text\":\"x\",\"reply_to\":3,"
                               "\"media\":[{\"id\":1}],\"content\":{},"
                               "\"edited_at\":4}");
    struct buf b = {0};

    (void) state;
    assert_int_equal(text_put_deleted(&b, json, 9), 0);
    assert_buf(&b, HEAD "\"reply_to\":3,\"edited_at\":4,\"deleted_at\":9}");
}


static void
a_value_is_found_among_its_likes(void **state)
{
    struct str json = STR("{\"a\":\"text\",\"b\":{\"text\":1},\"text\":\"y\"}");

    (void) state;
    assert_true(str_eq(text_value(json, STR("text")), STR("\"y\"")));
    assert_true(str_eq(text_value(json, STR("b")), STR("{\"text\":1}")));
    assert_null(text_value(json, STR("c")).data);
}


static void
what_is_damaged_is_refused(void **state)
{
    static const char *const bad[] = {
        "",          "{",           "{}",          "x",
        "{\"a\":",   "{\"a\":1",    "{\"a\":}",    "{\"a\"}",
        "{\"a\":\"", "{\"a\":\"\\", "{\"a\":[}",   "{\"a\":1}x",
        "{a:1}",     "{\"a\":1,}",  "{\"a\":1,1}", "[\"a\",1]",
    };
    struct buf b = {0};

    (void) state;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t len = strlen(bad[i]);
        char *copy = malloc(len + 1);

        memcpy(copy, bad[i], len);

        if (text_put_deleted(&b, (struct str){copy, len}, 1) != -1) {
            fail_msg("%s is taken", bad[i]);
        }

        free(copy);
    }

    buf_clear(&b);
}


static void
reactions_stand_behind_the_rest(void **state)
{
    struct record_reaction one = {
        .emoji = STR("\""), .n_users = 1, .users = {STR("ann")}};
    struct record_reaction two = {
        .emoji = STR("+"), .n_users = 2, .users = {STR("ann"), STR("bob")}
    };
    struct record_message m = {.json = STR("{\"text\":\"x\"}")};
    struct buf b = {0}, reactions = {0};

    (void) state;
    text_put_shown(&b, &m);
    assert_buf(&b, "{\"text\":\"x\"}");
    record_put_reaction(&reactions, &one);
    record_put_reaction(&reactions, &two);
    m.reactions = buf_str(&reactions);
    text_put_shown(&b, &m);
    assert_buf(&b, "{\"text\":\"x\",\"reactions\":["
                   "{\"emoji\":\"\\\"\",\"users\":[\"ann\"]},"
                   "{\"emoji\":\"+\",\"users\":[\"ann\",\"bob\"]}]}");
    buf_clear(&reactions);
}


int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_replaces_the_text_and_keeps_the_rest),
        cmocka_unit_test(a_deletion_leaves_no_text_content_or_media),
        cmocka_unit_test(a_value_is_found_among_its_likes),
        cmocka_unit_test(what_is_damaged_is_refused),
        cmocka_unit_test(reactions_stand_behind_the_rest),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
